"""What a regression's errors are expected to be: those of the reference at the same predictions.

Source: direct loss estimation, here the mean loss by bin of the prediction instead of a second
model, as in Kitagawa (1955), doi:10.1080/01621459.1955.10501299.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.estimation.expected import NO_CALIBRATION, Expected, Scale, expected
from tocsin.profiles import Profile, RegressionOutput

Floats = NDArray[np.float64]
# The last two bins hold what is no number.
_NUMBERS = slice(0, -2)


@dataclass(frozen=True, eq=False)
class Binned:
    """Predictions of windows and the losses of the reference by the same bins.

    rows: (..., k) predictions. labelled: (k,) rows of the reference.
    """

    rows: Floats
    labelled: Floats
    reference: Profile

    def number(self, losses: Floats, variances: Floats) -> Expected:
        """A mean loss. losses: (k,) means by bin; variances: (k,) of a row's loss."""
        n = self.rows.sum(-1)
        safe = np.maximum(n, 1)
        unknown = np.full(n.shape, not self.labelled.any())
        return expected(
            (self.rows * losses).sum(-1) / safe,
            n,
            (unknown, NO_CALIBRATION),
            scale=Scale.POSITIVE,
            sampling=(self.rows * variances).sum(-1) / safe**2,
            calibration=(self.rows**2 * variances / (self.labelled + 1)).sum(-1) / safe**2,
        )


Number = Callable[[Binned], Expected]


def binned(reference: Profile, windows: Profile) -> Binned:
    """The predictions of windows."""
    before = reference.predictions.labelled
    return Binned(windows.predictions.n[..., _NUMBERS], before[_NUMBERS], reference)


def mean_absolute_error(of: Binned) -> Expected:
    """Mean distance of prediction and label."""
    output = of.reference.plan.output
    assert isinstance(output, RegressionOutput)
    losses = np.array(output.errors)[_NUMBERS]
    return of.number(losses, np.maximum(_squares(of) - losses**2, 0))


def mean_squared_error(of: Binned) -> Expected:
    """Mean square of the residuals.

    Fourth powers are known of all bins together: errors are taken to be of one shape in all.
    """
    losses = _squares(of)
    rows = max(float(of.labelled.sum()), 1.0)
    fourth = float(of.reference.total("error_fourth")) / rows
    among = float((of.labelled * losses**2).sum()) / rows
    kurtosis = fourth / among if among > 0 else 3.0
    return of.number(losses, losses**2 * max(kurtosis - 1, 0))


def root_mean_squared_error(of: Binned) -> Expected:
    """Root of the mean square of the residuals."""
    square = mean_squared_error(of)
    root = np.sqrt(square.value)
    slope = 1 / (4 * np.maximum(square.value, 1e-300))
    return Expected(
        root,
        square.error,
        square.sampling * slope,
        square.calibration * slope,
        square.n,
        square.reason,
        square.scale,
    )


def _squares(of: Binned) -> Floats:
    """(k,) the mean square of the reference by bin; the mean of all weighs as much as one row."""
    squares = of.reference.predictions.loss_squared[_NUMBERS]
    overall = squares.sum() / max(float(of.labelled.sum()), 1.0)
    return np.asarray((squares + overall) / (of.labelled + 1))


_NAMED: dict[str, Number] = {
    "mean_absolute_error": mean_absolute_error,
    "mean_squared_error": mean_squared_error,
    "root_mean_squared_error": root_mean_squared_error,
}


def number(name: str) -> Number | None:
    """The expectation of the metric of this name; None where it has none."""
    return _NAMED.get(name)
