"""How each metric and its interval are found, in a few words for whoever has to account for it."""

from tocsin.metrics.metric import Metric

_SHARE = "counts; Wilson's interval"
_MEAN = "sums; Student's interval of a mean"
_BOUNDED = "sums; interval of a mean within its range"
_POSITIVE = "sums; interval symmetric in the logarithm"
_CELLS = "confusion counts; delta method, as a share of as many rows as its variance is worth"
_F1 = "confusion counts; Wilson's interval of the share of hits, carried over"
_RECALIBRATED = "logistic recalibration of the score bins; sandwich variance"
_MOMENTS = "moments up to the fourth; delta method"
_AREAS = "score bins of each class against the rest, averaged; DeLong's variance"
_RANKS = "residual bins; ranks that enclose the quantile"

_METHODS = {
    "roc_auc": "score bins, ties counting half; DeLong's variance",
    "precision_recall_auc": "score bins; Wilson's interval of as many positives",
    "accuracy_score": _SHARE,
    "precision_score": _SHARE,
    "recall_score": _SHARE,
    "specificity_score": _SHARE,
    "label_rate": _SHARE,
    "prediction_rate": _SHARE,
    "coverage": "counts of all rows",
    "top_k_accuracy_score": _SHARE,
    "f1_score": _F1,
    "balanced_accuracy_score": _CELLS,
    "matthews_corrcoef": _CELLS,
    "cohen_kappa_score": _CELLS,
    "precision_macro": _CELLS,
    "precision_weighted": _CELLS,
    "recall_macro": _CELLS,
    "f1_macro": _CELLS,
    "f1_weighted": _CELLS,
    "roc_auc_ovr_macro": _AREAS,
    "roc_auc_ovr_weighted": _AREAS,
    "precision_recall_auc_macro": "score bins of each class against the rest, averaged",
    "log_loss": _POSITIVE,
    "brier_score": _BOUNDED,
    "mean_score": _BOUNDED,
    "calibration_bias": _MEAN,
    "expected_calibration_error": "score bins, each debiased for noise; delta method",
    "concept_drift": "bins of the output; the larger of the expected and the seen variance",
    "concept_drift_positives": "score bins; the larger of the expected and the seen variance",
    "concept_drift_slope": _RECALIBRATED,
    "concept_drift_intercept": _RECALIBRATED,
    "calibration_slope": _RECALIBRATED,
    "calibration_intercept": _RECALIBRATED,
    "mean_absolute_error": _POSITIVE,
    "mean_squared_error": _POSITIVE,
    "root_mean_squared_error": _POSITIVE,
    "mean_absolute_percentage_error": _POSITIVE,
    "root_mean_squared_log_error": _POSITIVE,
    "mean_error": _MEAN,
    "mean_prediction": _MEAN,
    "mean_label": _MEAN,
    "median_absolute_error": _RANKS,
    "absolute_error_quantile": _RANKS,
    "r2_score": _MOMENTS,
    "explained_variance_score": _MOMENTS,
    "pearson_correlation": "moments; Fisher's z with a robust variance",
}
_DECLARED = "declared in the monitor; delta method where the sums allow it"


def method_of(metric: Metric) -> str:
    """How a metric is found; that of `recall_score@0.3` is that of `recall_score`."""
    return _METHODS.get(metric.name.split("@")[0], _DECLARED)
