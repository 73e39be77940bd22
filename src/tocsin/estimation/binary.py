"""What a binary classifier's numbers are expected to be, from its scores alone.

Each row of a score bin is positive with the calibrated chance of that bin. So every bin has soft
counts of positives and negatives, and every number of counts has an expectation to first order. The
variance of the realised number follows from its slope: what it moves by when one row of a bin turns
from negative to positive.
Source: confidence-based performance estimation, Białek et al. (2024), arXiv:2407.08649.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from tocsin.estimation.calibration import Calibration, calibration
from tocsin.estimation.expected import NO_CALIBRATION, Expected, Scale, expected
from tocsin.metrics import confusion as cells
from tocsin.metrics.decisions import threshold_edge
from tocsin.metrics.measured import Reason
from tocsin.profiles import BinaryOutput, Profile
from tocsin.profiles.outputs.binary import CLIP

Floats = NDArray[np.float64]
_Sloped = tuple[Floats, Floats]

OTHER_CLASSES = "the predicted classes do not follow from the scores and the threshold"


@dataclass(frozen=True, eq=False)
class Soft:
    """Soft counts of windows by score bin.

    rows: (..., k) rows; sums: (..., k) sums of their scores.
    """

    windows: Profile
    calibration: Calibration
    edges: Floats
    rows: Floats
    sums: Floats

    @cached_property
    def positives(self) -> Floats:
        """(..., k) expected positives."""
        return self.rows * self.calibration.chances

    @cached_property
    def negatives(self) -> Floats:
        """(..., k) expected negatives."""
        return self.rows - self.positives

    @cached_property
    def n(self) -> Floats:
        """(...,) rows with a score."""
        return np.asarray(self.rows.sum(-1))

    @cached_property
    def score(self) -> Floats:
        """(..., k) mean score by bin."""
        middles = (self.edges[1:] + self.edges[:-1]) / 2
        return np.where(self.rows > 0, self.sums / np.maximum(self.rows, 1), middles)

    @cached_property
    def spread(self) -> Floats:
        """(..., k) the variance of how many rows of a bin are positive."""
        return self.positives * (1 - self.calibration.chances)

    def number(self, value: Floats, slope: Floats, scale: Scale) -> Expected:
        """A number with its variances. slope: (..., k) what one more positive of a bin does."""
        sampling = np.vecdot(self.spread, slope * slope)
        return self.gathered(value, sampling, self.calibration.variance(self.rows * slope), scale)

    def gathered(
        self, value: Floats, sampling: Floats, known: Floats, scale: Scale, *why: Reason
    ) -> Expected:
        """A number whose variances are found: of the labels, and of the calibration."""
        unknown = np.full(self.n.shape, not self.calibration.labelled.any())
        return expected(
            value,
            self.n,
            (unknown, NO_CALIBRATION),
            *why,
            scale=scale,
            sampling=sampling,
            calibration=known,
        )

    def sides(self, at: int) -> "Sides":
        """What the decisions need of the scores below bin `at` and from there on."""
        found = self._sides.get(at)
        if found is None:
            found = self._sides[at] = _sides(self, at)
        return found

    @cached_property
    def _sides(self) -> dict[int, "Sides"]:
        return {}


@dataclass(frozen=True, eq=False)
class Sides:
    """Rows by side of a threshold, and what the variances of all decisions are made of.

    confusion: (..., 2, 2) expected. sampling, calibration: (...,) of the positives below and above;
    both: (...,) covariance of the two, of the run of bins that has the threshold inside.
    """

    confusion: Floats
    sampling: tuple[Floats, Floats]
    calibration: tuple[Floats, Floats]
    both: Floats


def _sides(of: Soft, at: int) -> Sides:
    known = of.calibration
    everything = known.runs(of.rows)
    low = known.runs(np.where(np.arange(of.rows.shape[-1]) < at, of.rows, 0.0))
    high = everything - low

    def halves(part: Floats) -> tuple[Floats, Floats]:
        return part[..., :at].sum(-1), part[..., at:].sum(-1)

    rows = [np.stack(halves(part), -1) for part in (of.negatives, of.positives)]
    return Sides(
        np.stack(rows, -2),
        halves(of.spread),
        (np.vecdot(low**2, known.variances), np.vecdot(high**2, known.variances)),
        np.asarray(np.vecdot(low * high, known.variances)),
    )


Number = Callable[[Soft], Expected]


def soft(reference: Profile, windows: Profile) -> Soft:
    """The soft counts of windows."""
    scores = windows.scores
    return Soft(windows, calibration(reference.scores), scores.edges, scores.rows, scores.sums)


def roc_auc(of: Soft) -> _Sloped:
    """AUC of the soft counts, and its slope."""
    p, n = of.positives, of.negatives
    all_p, all_n = (np.maximum(part.sum(-1, keepdims=True), 1e-12) for part in (p, n))
    beaten = (np.cumsum(n, -1) - n / 2) / all_n
    beating = (all_p - np.cumsum(p, -1) + p / 2) / all_p
    value = (p * beaten).sum(-1, keepdims=True) / all_p
    return value[..., 0], (beaten - value) / all_p - (beating - value) / all_n


def average_precision(of: Soft) -> _Sloped:
    """Average precision of the soft counts, and its slope: ranks do not move when labels do."""
    p = of.positives[..., ::-1]
    rows = of.rows[..., ::-1]
    all_p = np.maximum(p.sum(-1, keepdims=True), 1e-12)
    ranks = np.maximum(np.cumsum(rows, -1) - rows / 2, 1e-12)
    hits = np.cumsum(p, -1) - p / 2
    per_rank = np.where(rows > 0, p / ranks, 0.0)
    # A positive adds its own precision, and raises that of all positives below it.
    below = per_rank.sum(-1, keepdims=True) - np.cumsum(per_rank, -1) + per_rank / 2
    value = (per_rank * hits).sum(-1, keepdims=True) / all_p
    slope = np.where(rows > 0, hits / ranks, 0.0) + below - value
    return value[..., 0], (slope / all_p)[..., ::-1]


def _ranked(sloped: Callable[[Soft], _Sloped], of: Soft) -> Expected:
    # Chances are of whole bins, inside of which every order is as likely: no error of binning.
    return of.number(*sloped(of), Scale.SHARE)


def _label_rate(of: Soft) -> Expected:
    n = np.maximum(of.n, 1)
    slope = np.broadcast_to(1 / n[..., None], of.rows.shape)
    return of.number(of.positives.sum(-1) / n, slope, Scale.SHARE)


def _brier_score(of: Soft) -> Expected:
    n = np.maximum(of.n, 1)
    slope = (1 - 2 * of.score) / n[..., None]
    # Of a row with chance p: p (1 - 2 s) + s^2, so that sums of s and of its square are enough.
    total = (of.calibration.chances * (of.rows - 2 * of.sums)).sum(-1)
    value = np.clip((total + of.windows.total("score_squared")) / n, 0, 1)
    return of.number(value, slope, Scale.SHARE)


def _log_loss(of: Soft) -> Expected:
    n = np.maximum(of.n, 1)
    s = np.clip(of.score, CLIP, 1 - CLIP)
    if_positive, if_negative = -np.log(s), -np.log1p(-s)
    least = (of.positives * if_positive + of.negatives * if_negative).sum(-1) / n
    # Scores stand at the mean of their bin: the expectation is too low, by less than 0.001 where
    # bins are those of 1 in 64 rows.
    slope = (if_positive - if_negative) / n[..., None]
    return of.number(least, slope, Scale.POSITIVE)


def _decided(number: cells.Number, scale: Scale, of: Soft, at: int, *why: Reason) -> Expected:
    """A number of the confusion matrix that scores from bin `at` on as positive make."""
    sides = of.sides(at)
    found = number(sides.confusion)
    turned = found.row[..., 1] - found.row[..., 0]
    # A row below the threshold that turns out positive leaves the diagonal; others come to it.
    below, above = turned - found.diagonal[..., 0], turned + found.diagonal[..., 1]
    sampling = below**2 * sides.sampling[0] + above**2 * sides.sampling[1]
    known = below**2 * sides.calibration[0] + above**2 * sides.calibration[1]
    known = np.maximum(known + 2 * below * above * sides.both, 0)
    return of.gathered(found.value, sampling, known, scale, *why)


def _as_predicted(number: cells.Number, scale: Scale, of: Soft) -> Expected:
    output = _output(of.windows)
    at = threshold_edge(of.windows, output.threshold)
    above = of.rows[..., at:].sum(-1)
    apart = np.abs(of.windows.total("predicted_positive") - above)
    # Rows without a score may have a class.
    others = apart > of.windows.total("missing_scores") + 0.5
    return _decided(number, scale, of, at, (others, OTHER_CLASSES))


def _at_threshold(number: cells.Number, scale: Scale, threshold: float, of: Soft) -> Expected:
    return _decided(number, scale, of, threshold_edge(of.windows, threshold))


_SCORED: dict[str, Number] = {
    "roc_auc": partial(_ranked, roc_auc),
    "precision_recall_auc": partial(_ranked, average_precision),
    "log_loss": _log_loss,
    "brier_score": _brier_score,
    "label_rate": _label_rate,
}
_DECISIONS: dict[str, tuple[cells.Number, Scale]] = {
    "accuracy_score": (cells.accuracy, Scale.SHARE),
    "balanced_accuracy_score": (cells.balanced_accuracy, Scale.SHARE),
    "precision_score": (partial(cells.precision_of, 1), Scale.SHARE),
    "recall_score": (partial(cells.recall_of, 1), Scale.SHARE),
    "specificity_score": (partial(cells.recall_of, 0), Scale.SHARE),
    "f1_score": (partial(cells.f1_of, 1), Scale.SHARE),
    "matthews_corrcoef": (cells.matthews, Scale.SIGNED),
}


def number(name: str) -> Number | None:
    """The expectation of the metric of this name; None where it has none.

    Those of calibration have none: that scores mean what they meant is what is presumed.
    """
    plain, at, argument = name.partition("@")
    if plain not in _DECISIONS:
        return _SCORED.get(name)
    if at:
        return partial(_at_threshold, *_DECISIONS[plain], float(argument))
    return partial(_as_predicted, *_DECISIONS[plain])


def _output(profile: Profile) -> BinaryOutput:
    output = profile.plan.output
    assert isinstance(output, BinaryOutput)
    return output
