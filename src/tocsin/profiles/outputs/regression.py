"""A regression: sums of errors, errors by prediction, and a histogram of residuals."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tocsin.profiles.bins import NumericBins, numeric_bins, score_bins
from tocsin.profiles.columns import NO_NULLS, Floats, NumericColumn, Rows
from tocsin.profiles.kernel import LARGEST
from tocsin.profiles.layout import FEATURE_FIELDS, Shape
from tocsin.profiles.outputs.added import Added, Deposit

PREDICTION_QUANTILES = 40
RESIDUAL_QUANTILES = 64
# Beyond the largest error of the reference, so many bins per decade for so many decades.
_PER_DECADE, _DECADES = 16, 6
# Labels up to this are 0: an error relative to them has no end.
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class RegressionOutput:
    """The bins of a predicted number and of its error.

    edges: of the prediction; errors: of its bins, explicit ones included, the mean absolute error
        in the reference.
    residual_edges: of the absolute error, ascending from 0; the last bin is open.
    centre: what labels and predictions are measured from, so that sums of squares keep their
        digits.
    """

    name: str
    edges: tuple[float, ...]
    errors: tuple[float, ...]
    residual_edges: tuple[float, ...]
    centre: float

    task: ClassVar[str] = "regression"
    totals: ClassVar[tuple[str, ...]] = (
        "label_squared",
        "label_score",
        "residual",
        "error_fourth",
        "error_label",
        "error_label_squared",
        "label_cubed",
        "label_fourth",
        "label_squared_residual",
        "label_cubed_residual",
        "label_residual_cubed",
        "residual_cubed",
        "relative_error",
        "relative_error_squared",
        "log_error_squared",
        "log_error_fourth",
        "not_logarithmic",
        "zero_labels",
    )

    @property
    def bins(self) -> NumericBins:
        """The bins of the prediction."""
        return NumericBins(self.name, self.edges)

    def shapes(self) -> tuple[Shape, ...]:
        """The parts of the profile beside totals and features."""
        return (
            Shape("prediction", len(self.bins.labels), FEATURE_FIELDS),
            # Bins of the absolute error: predicted too little, and too much.
            Shape("residuals", len(self.residual_edges), ("under", "over")),
        )

    def unlabelled(self, rows: Rows) -> Added:
        """What predictions add; a score is a prediction less the centre."""
        raw = _usable(rows.scores[:, 0])
        known = np.isfinite(raw)
        score = np.where(known, raw - self.centre, 0.0)
        bins, _ = self.bins.of(NumericColumn(raw, NO_NULLS))
        expected = np.where(known, np.array(self.errors)[bins], 0.0)
        deposit = Deposit("prediction", bins, amounts=(score, score, expected))
        return Added.by_predictions(known, score, expected, deposit)

    def labelled(self, rows: Rows, labels: Floats) -> Added:
        """What labels add: the loss is the absolute error; a residual is prediction less label."""
        given, labels = _usable(rows.scores[:, 0]), _usable(labels)
        known = np.isfinite(given) & np.isfinite(labels)
        # What cannot be compared counts as no error, and in no bin.
        labels = np.where(known, labels, self.centre)
        raw = np.where(known, given, labels)
        label, score = labels - self.centre, raw - self.centre
        residual = raw - labels
        error = np.abs(residual)
        squared = error * error
        zero = known & (np.abs(labels) <= _EPSILON)
        relative = np.where(zero, 0.0, error / np.maximum(np.abs(labels), _EPSILON))
        logarithmic = (raw > -1) & (labels > -1)
        log_error = np.where(
            logarithmic,
            np.log1p(np.where(logarithmic, raw, 0)) - np.log1p(np.where(logarithmic, labels, 0)),
            0.0,
        )
        bins, _ = self.bins.of(NumericColumn(given, NO_NULLS))
        edges = np.array([*self.residual_edges, np.inf])
        of_error = np.where(known, score_bins(error, edges), -1)
        over = residual > 0
        return Added.by_labels(
            label,
            error,
            Deposit(
                "prediction", np.where(known, bins, -1), field=4, amounts=(label, error, squared)
            ),
            Deposit("residuals", np.where(over, -1, of_error), field=0),
            Deposit("residuals", np.where(over, of_error, -1), field=1),
            label_squared=label * label,
            label_score=label * score,
            residual=residual,
            error_fourth=squared * squared,
            error_label=squared * label,
            error_label_squared=squared * label * label,
            label_cubed=label * label * label,
            label_fourth=(label * label) ** 2,
            label_squared_residual=label * label * residual,
            label_cubed_residual=label * label * label * residual,
            label_residual_cubed=label * squared * residual,
            residual_cubed=squared * residual,
            relative_error=relative,
            relative_error_squared=relative * relative,
            log_error_squared=log_error**2,
            log_error_fourth=log_error**4,
            not_logarithmic=(known & ~logarithmic).astype(float),
            zero_labels=zero.astype(float),
        )


def regression_output(name: str, rows: Rows, labels: Floats) -> RegressionOutput:
    """The bins that follow from a reference; labels: (n,) numbers, or NaN."""
    predicted, labels = _usable(rows.scores[:, 0]), _usable(labels)
    bins = numeric_bins(name, predicted, PREDICTION_QUANTILES)
    usable = np.isfinite(predicted) & np.isfinite(labels)
    error = np.abs(predicted[usable] - labels[usable])
    known = labels[usable] if usable.any() else predicted[np.isfinite(predicted)]
    blank = RegressionOutput(name, bins.edges, (0.0,) * len(bins.labels), (0.0,), 0.0)
    at, _ = blank.bins.of(NumericColumn(predicted[usable], NO_NULLS))
    # Sorted, because the last digit of a sum depends on the order, and the plan must not.
    order = np.lexsort((error, at))
    at, error = at[order], error[order]
    sums = np.bincount(at, weights=error, minlength=len(bins.labels))
    counts = np.bincount(at, minlength=len(bins.labels))
    mean = float(error.mean()) if len(error) else 0.0
    # Where the reference has few rows, its mean weighs as much as one.
    errors = (sums + mean) / (counts + 1)
    return RegressionOutput(
        name,
        bins.edges,
        tuple(errors.tolist()),
        tuple(_residual_edges(error).tolist()),
        float(np.median(known)) if len(known) else 0.0,
    )


def _usable(values: Floats) -> Floats:
    """(n,) the values, NaN for those whose sums would have no end."""
    return np.where(np.abs(values) <= LARGEST, values, np.nan)


def _residual_edges(error: Floats) -> Floats:
    """From 0: quantiles of the reference's errors, then ever wider bins far beyond the largest."""
    among = np.linspace(0, 1, RESIDUAL_QUANTILES + 1)
    quantiles: Floats = np.quantile(error, among) if len(error) else np.empty(0)
    largest = float(quantiles.max(initial=0)) or 1.0
    beyond = largest * np.geomspace(1, 10.0**_DECADES, _PER_DECADE * _DECADES + 1)
    # Errors below those of the reference as well: a model can get better.
    smallest = largest * np.geomspace(1e-9, 1, 4 * 9, endpoint=False)
    return np.unique(np.concatenate([[0.0], smallest, quantiles, beyond]))
