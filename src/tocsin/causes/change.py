"""How much the mean loss changed, and how well that is known."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from tocsin.profiles import Profile


@dataclass(frozen=True)
class Change:
    """Current less reference mean loss.

    labelled: realised when True, else the change that the calibration expects.
    """

    delta: float
    standard_error: float
    labelled: bool

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


def outcome_excess(profile: Profile) -> NDArray[np.float64]:
    """Positives beyond what the calibration expects for the same scores, per labelled row.

    Returns: (...,) in [-1, 1]; NaN where nothing is labelled.
    """
    scores = profile.scores
    labelled = scores.positives + scores.negatives
    expected = (labelled * np.array(profile.plan.expected_rates)).sum(-1)
    n = labelled.sum(-1)
    return np.where(n > 0, (scores.positives.sum(-1) - expected) / np.maximum(n, 1), np.nan)


def outcome_excess_error(profile: Profile) -> float:
    """The sampling standard error of `outcome_excess` of one profile."""
    scores = profile.scores
    labelled = scores.positives + scores.negatives
    rates = np.array(profile.plan.expected_rates)
    n = max(float(labelled.sum()), 1.0)
    return sqrt(float((labelled * rates * (1 - rates)).sum())) / n
