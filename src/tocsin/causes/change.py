"""How much the mean loss changed, and how well that is known."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from tocsin.profiles import Profile

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """Current less reference mean loss.

    labelled: realised when True, else the change that the calibration expects.
    """

    delta: float
    standard_error: float
    labelled: bool

    @property
    def significant(self) -> bool:
        """Whether labels have shown that the loss changed."""
        return self.labelled and abs(self.delta) > 3 * self.standard_error

    def explained_by(self, part: float) -> float:
        """The share of the change that goes with `part`, in [0, 1].

        A change too small to be told from noise counts as three standard errors.
        """
        return min(1.0, abs(part) / max(abs(self.delta), 3 * self.standard_error, 1e-12))


def change(reference: Profile, current: Profile) -> Change:
    """The change of the mean loss from labels where the window has any, else from expectation."""
    labelled = float(current.total("labelled"))
    if labelled > 0:
        before, variance_before = _mean(reference, "loss", "labelled")
        now, variance_now = _mean(current, "loss", "labelled")
    else:
        before, variance_before = _mean(reference, "expected_loss", "n")
        now, variance_now = _mean(current, "expected_loss", "n")
    return Change(now - before, sqrt(variance_before + variance_now), labelled > 0)


def _mean(profile: Profile, total: str, rows: str) -> tuple[float, float]:
    """The mean and its variance; without sums of squares a Brier loss varies at most by m(1-m)."""
    n = max(float(profile.total(rows)), 1.0)
    mean = float(profile.total(total)) / n
    squares = float(profile.total("loss_squared")) / n if total == "loss" else mean
    return mean, max(squares - mean**2, 0.0) / n


def expected_change(reference: Profile, current: Profile) -> float:
    """The change of the mean loss that the calibration of the reference expects."""
    return _mean(current, "expected_loss", "n")[0] - _mean(reference, "expected_loss", "n")[0]


@dataclass(frozen=True, eq=False)
class Surprise:
    """How far labels are from what the calibration of the reference expects for the same scores.

    label: (...,) positives beyond the expected, per labelled row; loss: (...,) likewise the loss.
    NaN where nothing is labelled. Both, because labels that swap leave their rate where it was.
    label_error, loss_error: (...,) their sampling standard errors.
    """

    label: Floats
    loss: Floats
    label_error: Floats
    loss_error: Floats


def surprise(profile: Profile) -> Surprise:
    """The surprise of a profile, or of a stack of them, from its score bins."""
    scores = profile.scores
    labelled = scores.positives + scores.negatives
    n = labelled.sum(-1)
    rates = np.array(profile.plan.expected_rates)
    middles = (scores.edges[1:] + scores.edges[:-1]) / 2
    score = np.where(scores.rows > 0, scores.sums / np.maximum(scores.rows, 1), middles)
    # The loss of a positive less that of a negative: (1 - s)^2 - s^2.
    difference = 1 - 2 * score
    excess = scores.positives - labelled * rates
    variance = labelled * rates * (1 - rates)

    def per_row(total: Floats) -> Floats:
        return np.where(n > 0, total / np.maximum(n, 1), np.nan)

    return Surprise(
        label=per_row(excess.sum(-1)),
        loss=per_row((excess * difference).sum(-1)),
        label_error=per_row(np.sqrt(variance.sum(-1))),
        loss_error=per_row(np.sqrt((variance * difference**2).sum(-1))),
    )
