"""What the numbers of a classifier of several classes are expected to be, from its scores alone.

Of each class against the rest, scores are calibrated as those of a binary classifier. How many rows
of a predicted class are right is the sum of their calibrated chances, made to fit the reference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from tocsin.estimation.binary import Soft, average_precision, roc_auc
from tocsin.estimation.calibration import calibration
from tocsin.estimation.expected import NO_CALIBRATION, Expected, Scale, expected
from tocsin.metrics import confusion as cells
from tocsin.metrics.measured import Reason
from tocsin.profiles import MulticlassOutput, Profile
from tocsin.profiles.outputs.binary import CLIP

Floats = NDArray[np.float64]
NO_CHANCES = (
    "the profiles were made before there were estimates of classes; PUT the reference again to "
    "have them made anew"
)
_Sloped = Callable[[Soft], tuple[Floats, Floats]]


@dataclass(frozen=True, eq=False)
class Chances:
    """What is expected of windows, by class.

    of_class: each class against the rest. reference: what they are calibrated with.
    """

    windows: Profile
    reference: Profile
    of_class: tuple[Soft, ...]

    @cached_property
    def n(self) -> Floats:
        """(...,) rows with scores."""
        return np.asarray(self.of_class[0].n)

    @property
    def chances_known(self) -> bool:
        """Whether the profiles have what says how many predictions are right."""
        output = self.windows.plan.output
        assert isinstance(output, MulticlassOutput)
        return output.chances

    @cached_property
    def margins(self) -> cells.Margins:
        """Expected rows by true and predicted class, and of those predicted right."""
        said, right = self.windows.predicted, self.windows.expected_right
        before = np.diagonal(self.reference.confusion, axis1=-2, axis2=-1)
        # Chances of one class against the rest say a little else where it beats the others.
        fit = (before + 1) / (self.reference.expected_right + 1)
        right = np.minimum(right * fit, said)
        true = np.stack([each.positives.sum(-1) for each in self.of_class], -1)
        return cells.Margins(np.maximum(true, right), said, right)

    def summed(self, value: Floats, slopes: Sequence[Floats], scale: Scale) -> Expected:
        """A number to which each class adds: its slope (..., k) with one more of that class.

        Of a row only one class is true. Its variance is at most the sum over the classes of
        p (slope - m)^2 for any m; here m is the mean of the slopes.
        """
        pairs = list(zip(self.of_class, slopes, strict=True))
        means = sum((soft.positives * slope).sum(-1) for soft, slope in pairs)
        mean = (means / np.maximum(self.n, 1))[..., None]
        sampling = sum((soft.positives * (slope - mean) ** 2).sum(-1) for soft, slope in pairs)
        apart = [soft.number(value, slope, scale) for soft, slope in pairs]
        alone = sum(each.sampling for each in apart)
        known = sum(each.calibration for each in apart)
        # Chances of the classes come from the same labels, and vary together as those do.
        known = known * sampling / np.maximum(alone, 1e-300)
        return self.number(value, np.asarray(sampling), np.asarray(known), scale)

    def number(
        self, value: Floats, sampling: Floats, calibration: Floats, scale: Scale, *why: Reason
    ) -> Expected:
        """Gather a number."""
        unknown = np.full(self.n.shape, not self.of_class[0].calibration.labelled.any())
        return expected(
            value,
            self.n,
            (unknown, NO_CALIBRATION),
            *why,
            scale=scale,
            sampling=sampling,
            calibration=calibration,
        )


Number = Callable[[Chances], Expected]


def chances(reference: Profile, windows: Profile) -> Chances:
    """What is expected of windows."""
    output = windows.plan.output
    assert isinstance(output, MulticlassOutput)
    found = []
    for i in range(len(output.classes)):
        scores = windows.class_scores(i)
        known = calibration(reference.class_scores(i))
        found.append(Soft(windows, known, scores.edges, scores.rows, scores.sums))
    return Chances(windows, reference, tuple(found))


def _of_cells(number: cells.Number, scale: Scale, of: Chances) -> Expected:
    """A number of the confusion matrix; its variance as if rows of one prediction were alike.

    They are not, so it is too large if anything. Rows that are not predicted right fall on the
    other classes as the true rows of those do.
    """
    margins = of.margins
    found = number(margins)
    share = np.clip(margins.right / np.maximum(margins.said, 1), 0, 1)
    missed = np.maximum(margins.true - margins.right, 1e-12)
    others = np.maximum(missed.sum(-1, keepdims=True) - missed, 1e-12)

    def mean(power: int) -> Floats:
        wrong = missed * found.row**power
        elsewhere = (wrong.sum(-1, keepdims=True) - wrong) / others
        hit = (found.row + found.diagonal) ** power
        return np.asarray(share * hit + (1 - share) * elsewhere)

    variance = np.maximum(mean(2) - mean(1) ** 2, 0)
    before = np.asarray(of.reference.confusion.sum(-2))
    return of.number(
        found.value,
        (margins.said * variance).sum(-1),
        (margins.said**2 * variance / (before + 1)).sum(-1),
        scale,
        (np.full(of.n.shape, not of.chances_known), NO_CHANCES),
    )


def _averaged(sloped: _Sloped, of: Chances, *, weighted: bool = False) -> Expected:
    """The mean over the classes, each as likely to count as it is to have a positive."""
    found = [sloped(soft) for soft in of.of_class]
    positives = np.stack([soft.positives.sum(-1) for soft in of.of_class], -1)
    weight = positives if weighted else -np.expm1(-positives)
    weight = weight / np.maximum(weight.sum(-1, keepdims=True), 1e-300)
    value = (weight * np.stack([value for value, _ in found], -1)).sum(-1)
    slopes = [weight[..., i, None] * slope for i, (_, slope) in enumerate(found)]
    return of.summed(value, slopes, Scale.SHARE)


def _ranked(sloped: _Sloped, soft: Soft) -> Expected:
    value, slope = sloped(soft)
    return soft.number(value, slope, Scale.SHARE)


def _ranked_class(sloped: _Sloped, number: int, of: Chances) -> Expected:
    return _ranked(sloped, of.of_class[number])


def _label_rate(number: int, of: Chances) -> Expected:
    soft = of.of_class[number]
    n = np.maximum(soft.n, 1)
    slope = np.broadcast_to(1 / n[..., None], soft.rows.shape)
    return soft.number(soft.positives.sum(-1) / n, slope, Scale.SHARE)


def _log_loss(of: Chances) -> Expected:
    n = np.maximum(of.n, 1)
    losses = [-np.log(np.clip(soft.score, CLIP, 1.0)) for soft in of.of_class]
    value = sum(
        (soft.positives * loss).sum(-1) for soft, loss in zip(of.of_class, losses, strict=True)
    )
    return of.summed(value / n, [loss / n[..., None] for loss in losses], Scale.POSITIVE)


def _brier_score(of: Chances) -> Expected:
    n = np.maximum(of.n, 1)
    # Summed row by row when the rows were folded.
    value = of.windows.total("expected_loss") / n
    slopes = [(1 - 2 * soft.score) / n[..., None] for soft in of.of_class]
    return of.summed(value, slopes, Scale.POSITIVE)


_CELLS: dict[str, tuple[cells.Number, Scale]] = {
    "f1_macro": (cells.f1_macro, Scale.SHARE),
    "accuracy_score": (cells.accuracy, Scale.SHARE),
    "balanced_accuracy_score": (cells.balanced_accuracy, Scale.SHARE),
    "precision_macro": (cells.precision_macro, Scale.SHARE),
    "recall_macro": (cells.recall_macro, Scale.SHARE),
    "precision_weighted": (cells.precision_weighted, Scale.SHARE),
    "f1_weighted": (cells.f1_weighted, Scale.SHARE),
    "matthews_corrcoef": (cells.matthews, Scale.SIGNED),
    "cohen_kappa_score": (cells.kappa, Scale.SIGNED),
}
_SCORED: dict[str, Number] = {
    "roc_auc_ovr_macro": partial(_averaged, roc_auc),
    "roc_auc_ovr_weighted": partial(_averaged, roc_auc, weighted=True),
    "precision_recall_auc_macro": partial(_averaged, average_precision),
    "log_loss": _log_loss,
    "brier_score": _brier_score,
}
_CELLS_OF_CLASS: dict[str, Callable[[int, cells.Margins], cells.Sloped]] = {
    "recall_score": cells.recall_of,
    "precision_score": cells.precision_of,
    "f1_score": cells.f1_of,
}
_OF_CLASS: dict[str, Callable[[int, Chances], Expected]] = {
    "roc_auc": partial(_ranked_class, roc_auc),
    "precision_recall_auc": partial(_ranked_class, average_precision),
    "label_rate": _label_rate,
}


def number(name: str, classes: tuple[str, ...]) -> Number | None:
    """The expectation of the metric of this name; None where it has none, as top-k accuracy."""
    plain, at, wanted = name.partition("@")
    if not at:
        return partial(_of_cells, *_CELLS[name]) if name in _CELLS else _SCORED.get(name)
    if wanted not in classes:
        return None
    index = classes.index(wanted)
    if plain in _CELLS_OF_CLASS:
        return partial(_of_cells, partial(_CELLS_OF_CLASS[plain], index), Scale.SHARE)
    return partial(_OF_CLASS[plain], index) if plain in _OF_CLASS else None
