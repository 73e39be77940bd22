"""Whether outputs still mean what they meant in the reference: concept drift, from labels.

The mean loss of a window differs from that of the reference because other outputs are given, which
the calibration of the reference explains, or because the same outputs are followed by other
outcomes. The second part is the rate term of a decomposition along the bins of the output.
Source: Kitagawa (1955), doi:10.1080/01621459.1955.10501299; Gama et al. (2014),
doi:10.1145/2523813, for the term.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.metrics.intervals import Z95
from tocsin.metrics.measured import (
    NO_OUTCOMES,
    NO_PREDICTIONS,
    NO_SCORES,
    Measured,
    Reason,
    measured,
)
from tocsin.metrics.metric import Metric
from tocsin.profiles import (
    BinaryOutput,
    FeatureHistogram,
    MulticlassOutput,
    Profile,
    RegressionOutput,
    ScoreHistogram,
)

Floats = NDArray[np.float64]
# What stands for numbers beyond the largest is told by `measured`, not by a warning.
_quiet = np.errstate(all="ignore")


@_quiet
def concept_drift(profile: Profile) -> Measured:
    """Mean loss beyond what the reference would give for the same outputs; 0 is no drift.

    The loss is the squared difference of score and label, summed over the classes of several, or
    the absolute error of a regression. The interval is that of sampling: the reference counts as
    known. Scores of labelled rows stand at the mean of their bin.
    """
    found = surprise(profile)
    return _beyond(
        profile, found.loss, np.maximum(found.loss_error, _spread(profile, found.loss)), found.n
    )


def concept_drift_positives(profile: Profile) -> Measured:
    """Share of positives beyond what the reference would give for the same scores."""
    found = surprise(profile)
    scores = profile.scores
    squares = scores.positives * (1 - scores.rates) ** 2 + scores.negatives * scores.rates**2
    error = _standard_error(squares.sum(-1), found.label, found.n)
    return _beyond(profile, found.label, np.maximum(found.label_error, error), found.n)


def _spread(profile: Profile, mean: Floats) -> Floats:
    """(...,) standard error of the mean loss beyond the expected, as it is seen to vary.

    That of the calibration alone is too small where chances are wrong, which is what is looked for.
    """
    output = profile.plan.output
    if isinstance(output, BinaryOutput):
        scores = profile.scores
        squares = scores.positives * (1 - scores.rates) ** 2 + scores.negatives * scores.rates**2
        n = (scores.positives + scores.negatives).sum(-1)
        return _standard_error(np.vecdot(squares, _losses(scores) ** 2), mean, n)
    if isinstance(output, MulticlassOutput):
        # What is expected of a row varies with its scores, and does not go into the surprise.
        n, rows = profile.ranks.sum(-1), profile.total("n") - profile.total("missing_scores")
        expected = _variance(
            profile.total("expected_loss"), profile.total("expected_loss_squared"), rows
        )
        seen = _variance(profile.total("loss"), profile.total("loss_squared"), n)
        return np.asarray(np.sqrt(np.maximum(seen - expected, seen / 2) / np.maximum(n, 1)))
    bins, errors = profile.predictions, np.array(output.errors)
    squares = bins.loss_squared - 2 * errors * bins.loss + bins.labelled * errors**2
    return _standard_error(squares.sum(-1), mean, bins.labelled.sum(-1))


def _variance(total: Floats, squared: Floats, n: Floats) -> Floats:
    safe = np.maximum(n, 1)
    return np.asarray(np.maximum(squared / safe - (total / safe) ** 2, 0))


def _standard_error(squares: Floats, mean: Floats, n: Floats) -> Floats:
    """Of a mean of n numbers, from the sum of their squares."""
    return np.sqrt(_variance(mean * n, squares, n) / np.maximum(n - 1, 1))


def _beyond(profile: Profile, value: Floats, error: Floats, n: Floats) -> Measured:
    output = profile.plan.output
    why = NO_PREDICTIONS if isinstance(output, RegressionOutput) else NO_SCORES
    nothing = profile.total("labelled") == 0
    unknown: tuple[Reason, ...] = ((nothing, NO_OUTCOMES), (n == 0, why))
    half = Z95 * error
    return measured(value, n, *unknown, low=value - half, high=value + half)


CONCEPT_DRIFT = Metric(
    "concept_drift", "Loss beyond the expected", concept_drift, higher_is_better=False,
    unit="number",
)  # fmt: skip
CONCEPT_DRIFT_POSITIVES = Metric(
    "concept_drift_positives", "Positives beyond the expected", concept_drift_positives,
    higher_is_better=None, unit="number",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Surprise:
    """How far labels are from what the calibration of the reference expects for the same scores.

    label: (...,) positives beyond the expected, per labelled row; loss: (...,) likewise the loss.
    NaN where nothing is labelled. Both, because labels that swap leave their rate where it was.
    label_error, loss_error: (...,) their sampling standard errors. n: (...,) labelled rows.
    """

    label: Floats
    loss: Floats
    label_error: Floats
    loss_error: Floats
    n: Floats


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
        return Surprise(unknown, found.loss, unknown, found.loss_error, found.n)
    return _of_predictions(profile.predictions, np.array(output.errors))


def _of_scores(histograms: Sequence[ScoreHistogram]) -> Surprise:
    """Labels against the calibrated chances of score bins, over one class or the sum of several."""
    labels, losses = _Sums.none(), _Sums.none()
    n = np.asarray(0.0)
    for scores in histograms:
        labelled = scores.positives + scores.negatives
        n = labelled.sum(-1)
        difference = _losses(scores)
        excess = scores.positives - labelled * scores.rates
        variance = labelled * scores.rates * (1 - scores.rates)
        labels = labels.plus(excess, variance)
        losses = losses.plus(excess * difference, variance * difference**2)
    return Surprise(*_per_row(n, labels, losses), n)


def _losses(scores: ScoreHistogram) -> Floats:
    """(..., k) the loss of a positive less that of a negative by bin: (1 - s)^2 - s^2."""
    middles = (scores.edges[1:] + scores.edges[:-1]) / 2
    score = np.where(scores.rows > 0, scores.sums / np.maximum(scores.rows, 1), middles)
    return 1 - 2 * score


def _of_predictions(bins: FeatureHistogram, errors: Floats) -> Surprise:
    """Absolute errors against those of the reference at the same predictions."""
    n = bins.labelled.sum(-1)
    variance = np.maximum(bins.loss_squared - bins.loss**2 / np.maximum(bins.labelled, 1), 0)
    losses = _Sums.none().plus(bins.loss - bins.labelled * errors, variance)
    _, loss, _, loss_error = _per_row(n, losses, losses)
    unknown = np.full_like(loss, np.nan)
    return Surprise(unknown, loss, unknown, loss_error, n)


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
