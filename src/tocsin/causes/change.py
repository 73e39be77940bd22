"""How much the mean loss changed, and how well that is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from tocsin.profiles import (
    BinaryOutput,
    FeatureHistogram,
    MulticlassOutput,
    Profile,
    ScoreHistogram,
)

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
    """The mean and its variance."""
    n = max(float(profile.total(rows)), 1.0)
    mean = float(profile.total(total)) / n
    squares = float(profile.total(f"{total}_squared")) / n
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
    """The surprise of a profile, or of a stack of them, from what its labels are compared with.

    Of a binary classifier both are known; of the other tasks only the loss, as no label stands out.
    """
    output = profile.plan.output
    if isinstance(output, BinaryOutput):
        return _of_scores([profile.scores])
    if isinstance(output, MulticlassOutput):
        found = _of_scores([profile.class_scores(i) for i in range(len(output.classes))])
        unknown = np.full_like(found.label, np.nan)
        return Surprise(unknown, found.loss, unknown, found.loss_error)
    return _of_predictions(profile.predictions, np.array(output.errors))


def _of_scores(histograms: Sequence[ScoreHistogram]) -> Surprise:
    """Labels against the calibrated chances of score bins, over one class or the sum of several."""
    labels, losses = _Sums.none(), _Sums.none()
    n = np.asarray(0.0)
    for scores in histograms:
        labelled = scores.positives + scores.negatives
        n = labelled.sum(-1)
        middles = (scores.edges[1:] + scores.edges[:-1]) / 2
        score = np.where(scores.rows > 0, scores.sums / np.maximum(scores.rows, 1), middles)
        # The loss of a positive less that of a negative: (1 - s)^2 - s^2.
        difference = 1 - 2 * score
        excess = scores.positives - labelled * scores.rates
        variance = labelled * scores.rates * (1 - scores.rates)
        labels = labels.plus(excess, variance)
        losses = losses.plus(excess * difference, variance * difference**2)
    return Surprise(*_per_row(n, labels, losses))


def _of_predictions(bins: FeatureHistogram, errors: Floats) -> Surprise:
    """Absolute errors against those of the reference at the same predictions."""
    n = bins.labelled.sum(-1)
    variance = np.maximum(bins.loss_squared - bins.loss**2 / np.maximum(bins.labelled, 1), 0)
    losses = _Sums.none().plus(bins.loss - bins.labelled * errors, variance)
    _, loss, _, loss_error = _per_row(n, losses, losses)
    unknown = np.full_like(loss, np.nan)
    return Surprise(unknown, loss, unknown, loss_error)


@dataclass(frozen=True, eq=False)
class _Sums:
    """A sum over bins, and its variance."""

    total: Floats
    variance: Floats

    @classmethod
    def none(cls) -> "_Sums":
        return cls(np.asarray(0.0), np.asarray(0.0))

    def plus(self, total: Floats, variance: Floats) -> "_Sums":
        return _Sums(self.total + total.sum(-1), self.variance + variance.sum(-1))


def _per_row(n: Floats, labels: _Sums, losses: _Sums) -> tuple[Floats, Floats, Floats, Floats]:
    def mean(total: Floats) -> Floats:
        return np.where(n > 0, total / np.maximum(n, 1), np.nan)

    return (
        mean(labels.total),
        mean(losses.total),
        mean(np.sqrt(labels.variance)),
        mean(np.sqrt(losses.variance)),
    )
