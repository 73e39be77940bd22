"""Performance of a binary classifier, by the names that MLflow uses."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from tocsin.metrics import calibration, decisions, ranking
from tocsin.metrics.coverage import COVERAGE
from tocsin.metrics.decisions import Decided, as_predicted, at_threshold, threshold_edge
from tocsin.metrics.intervals import of_bounded_mean, of_positive_mean
from tocsin.metrics.measured import (
    NO_OUTCOMES,
    NO_ROWS,
    NO_SCORES,
    ONE_CLASS,
    Measured,
    Reason,
    measured,
    proportion,
)
from tocsin.metrics.metric import Metric, table
from tocsin.metrics.ranking import Ranked
from tocsin.metrics.surprise import CONCEPT_DRIFT, CONCEPT_DRIFT_POSITIVES
from tocsin.profiles import BinaryOutput, Profile

Floats = NDArray[np.float64]

# The loss of a score of 0 or 1 that is wrong, as profiles clip it.
MOST_LOG_LOSS = float(-np.log(np.finfo(np.float64).eps))


def roc_auc(profile: Profile) -> Measured:
    """Chance that a random positive outscores a random negative, ties counting half.

    Returns: a value in [0, 1]; the AUC of the unbinned scores is within `error` of it.
    """
    return _ranked(profile, ranking.roc_auc(profile.scores.negatives, profile.scores.positives))


def precision_recall_auc(profile: Profile) -> Measured:
    """Average precision: the mean over the positives of the precision at their score.

    Returns: the middle of the values that any order inside the bins could give; `error` is the
        distance to both ends.
    """
    scores = profile.scores
    return _ranked(profile, ranking.average_precision(scores.negatives, scores.positives))


def log_loss(profile: Profile) -> Measured:
    """Mean negative log-likelihood of the labels under the scores, in nats. Exact."""
    n = _scored_labels(profile)
    total, squared = profile.total("log_loss"), profile.total("log_loss_squared")
    low, high = of_positive_mean(total, squared, n, most=MOST_LOG_LOSS)
    return measured(total / np.maximum(n, 1), n, *_needs_scores(profile, n), low=low, high=high)


def brier_score(profile: Profile) -> Measured:
    """Mean squared difference of score and label. Range [0, 1]; exact.

    Source: Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    n = _scored_labels(profile)
    total, squared = profile.total("loss"), profile.total("loss_squared")
    low, high = of_bounded_mean(total, squared, n)
    return measured(total / np.maximum(n, 1), n, *_needs_scores(profile, n), low=low, high=high)


def label_rate(profile: Profile) -> Measured:
    """Share of positives among the labelled rows. Range [0, 1]; exact."""
    labelled = profile.total("labelled")
    return proportion(profile.total("label"), labelled, (labelled == 0, NO_OUTCOMES))


def prediction_rate(profile: Profile) -> Measured:
    """Share of rows predicted positive. Range [0, 1]; exact."""
    n = profile.total("n")
    return proportion(profile.total("predicted_positive"), n, (n == 0, NO_ROWS))


def prediction_rate_at(profile: Profile, threshold: float) -> Measured:
    """Share of scored rows with a score from a threshold on. Range [0, 1]; exact.

    Raises: InvalidInputError when the threshold lies inside a bin.
    """
    rows = profile.scores.rows
    n = rows.sum(-1)
    above = rows[..., threshold_edge(profile, threshold) :].sum(-1)
    none = profile.total("n") == 0
    return proportion(above, n, (none, NO_ROWS), _scored(profile), (n == 0, NO_SCORES))


def mean_score(profile: Profile) -> Measured:
    """Mean of the scores. Range [0, 1]; exact."""
    n = profile.total("n") - profile.total("missing_scores")
    total = profile.total("score")
    low, high = of_bounded_mean(total, profile.total("score_squared"), n)
    return measured(
        total / np.maximum(n, 1),
        n,
        (profile.total("n") == 0, NO_ROWS),
        _scored(profile),
        (n == 0, NO_SCORES),
        low=low,
        high=high,
    )


def _predicted(number: Decided, profile: Profile) -> Measured:
    return number(as_predicted(profile))


def _cut(number: Decided, threshold: float, profile: Profile) -> Measured:
    decided = at_threshold(profile, threshold)
    # Scores of 0 and 1 that stand for classes have no other threshold.
    return number(decisions.Decisions(decided.confusion, (*decided.undefined, _scored(profile))))


def _decision(name: str, title: str, number: Decided) -> Metric:
    return Metric(name, title, partial(_predicted, number), higher_is_better=True)


METRICS: dict[str, Metric] = table(
    Metric("roc_auc", "ROC AUC", roc_auc, higher_is_better=True),
    Metric("precision_recall_auc", "Average precision", precision_recall_auc,
           higher_is_better=True),
    _decision("accuracy_score", "Accuracy", decisions.accuracy),
    _decision("balanced_accuracy_score", "Balanced accuracy", decisions.balanced_accuracy),
    _decision("precision_score", "Precision", decisions.precision),
    _decision("recall_score", "Recall", decisions.recall),
    _decision("specificity_score", "Specificity", decisions.specificity),
    _decision("f1_score", "F1", decisions.f1),
    Metric("matthews_corrcoef", "Matthews correlation", partial(_predicted, decisions.matthews),
           higher_is_better=True, unit="number"),
    Metric("log_loss", "Log loss", log_loss, higher_is_better=False, unit="number"),
    Metric("brier_score", "Brier score", brier_score, higher_is_better=False),
    Metric("expected_calibration_error", "Calibration error",
           calibration.expected_calibration_error, higher_is_better=False),
    Metric("calibration_bias", "Mean score less positives",
           calibration.calibration_bias, higher_is_better=None, unit="number"),
    Metric("calibration_slope", "Calibration slope", calibration.calibration_slope,
           higher_is_better=None, unit="number"),
    Metric("calibration_intercept", "Calibration intercept", calibration.calibration_intercept,
           higher_is_better=None, unit="number"),
    CONCEPT_DRIFT,
    CONCEPT_DRIFT_POSITIVES,
    Metric("concept_drift_slope", "Calibration slope, less that of the reference",
           calibration.concept_drift_slope, higher_is_better=None, unit="number"),
    Metric("concept_drift_intercept", "Calibration intercept, less that of the reference",
           calibration.concept_drift_intercept, higher_is_better=None, unit="number"),
    Metric("label_rate", "Positives among outcomes", label_rate, higher_is_better=None),
    Metric("prediction_rate", "Positives predicted", prediction_rate,
           higher_is_better=None, needs_labels=False),
    Metric("mean_score", "Mean score", mean_score, higher_is_better=None, needs_labels=False),
    COVERAGE,
)  # fmt: skip

# Names that take a threshold: `recall_score@0.3`.
AT_THRESHOLD: dict[str, Decided] = {
    "accuracy_score": decisions.accuracy,
    "balanced_accuracy_score": decisions.balanced_accuracy,
    "precision_score": decisions.precision,
    "recall_score": decisions.recall,
    "specificity_score": decisions.specificity,
    "f1_score": decisions.f1,
    "matthews_corrcoef": decisions.matthews,
}


def metric_at(name: str, threshold: float) -> Metric | None:
    """The metric of what scores from a threshold on would predict; None when it has none.

    Measuring raises InvalidInputError when the threshold is no edge of the plan's score bins.
    """
    plain = METRICS.get(name)
    if plain is None or (name not in AT_THRESHOLD and name != "prediction_rate"):
        return None
    measure = (
        partial(prediction_rate_at, threshold=threshold)
        if name == "prediction_rate"
        else partial(_cut, AT_THRESHOLD[name], threshold)
    )
    return Metric(
        f"{name}@{threshold!r}",
        f"{plain.title} at {threshold!r}",
        measure,
        plain.higher_is_better,
        plain.needs_labels,
        plain.unit,
    )


def _scored_labels(profile: Profile) -> Floats:
    scores = profile.scores
    return np.asarray(scores.negatives.sum(-1) + scores.positives.sum(-1))


def _scored(profile: Profile) -> Reason:
    """A model that gives classes only has scores of 0 and 1, which say nothing of their own."""
    output = profile.plan.output
    assert isinstance(output, BinaryOutput)
    return np.full(profile.vector.shape[:-1], not output.scored), NO_SCORES


def _needs_scores(profile: Profile, n: Floats) -> tuple[Reason, ...]:
    nothing = profile.total("labelled") == 0
    return (nothing, NO_OUTCOMES), _scored(profile), (n == 0, NO_SCORES)


def _ranked(profile: Profile, found: Ranked) -> Measured:
    negatives, positives = profile.scores.negatives.sum(-1), profile.scores.positives.sum(-1)
    n = negatives + positives
    return measured(
        found.value,
        n,
        *_needs_scores(profile, n),
        (np.minimum(negatives, positives) == 0, ONE_CLASS),
        error=found.error,
        low=found.low,
        high=found.high,
    )
