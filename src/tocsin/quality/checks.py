"""What is checked of every feature: how its bins show it, and how it is said."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tocsin.profiles import FeatureHistogram, NumericBins

Floats = NDArray[np.float64]

# What lies out of range is far out by so much of the range.
_FAR_OUT = 0.25


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong with a column or with all rows.

    words: said of a column, before the share of its rows that shows it. count: (...,) such rows, by
    the bins; None where the check is about no single feature. share: whether it is a share of rows.
    allowed: points by which a share may exceed that of the reference. points: by which it has to
    exceed what is usual to be a cause. floor: the least deviation of the past that is believed.
    alone: whether far too much of it is wrong before there is a
    past.
    """

    name: str
    title: str
    words: str
    count: Callable[[FeatureHistogram], Floats] | None = None
    share: bool = True
    allowed: float = 0.01
    points: float = 0.02
    floor: float = 0.002
    alone: bool = True


@dataclass(frozen=True)
class Cell:
    """A check of one feature; of all rows where the feature is empty."""

    feature: str
    check: Check

    @property
    def name(self) -> str:
        """What rules and incidents call it.

        >>> Cell("distance", FEATURE_CHECKS["null_rate"]).name
        'distance/null_rate'
        """
        return f"{self.feature}/{self.check.name}" if self.feature else self.check.name


def _in(name: str) -> Callable[[FeatureHistogram], Floats]:
    """Rows in the explicit bin of this name."""

    def count(histogram: FeatureHistogram) -> Floats:
        bins = histogram.bins
        return np.asarray(histogram.n[..., bins.regular + bins.EXPLICIT.index(name)])

    return count


def _unseen(histogram: FeatureHistogram) -> Floats:
    """Rows whose category the reference never had, or that is not among the declared ones."""
    bins = histogram.bins
    assert not isinstance(bins, NumericBins)
    rows = histogram.n[..., bins.regular + bins.EXPLICIT.index("unseen")]
    if bins.allowed is not None:
        wrong = [i for i, level in enumerate(bins.levels) if level not in bins.allowed]
        other = bins.regular + bins.EXPLICIT.index("other")
        rows = rows + histogram.n[..., [*wrong, other]].sum(-1)
    return np.asarray(rows)


def _out_of_range(histogram: FeatureHistogram) -> Floats:
    """Rows outside the range of the reference, or outside the declared one."""
    bins = histogram.bins
    assert isinstance(bins, NumericBins)
    rows = histogram.n[..., bins.regular] + histogram.n[..., bins.regular + 1]
    if bins.allowed is not None:
        low, high = bins.allowed
        # Both are edges of the bins, so that each bin is on one side of them.
        lower, upper = np.array(bins.edges[:-1]), np.array(bins.edges[1:])
        wrong = ((lower < low) & (upper <= low)) | (lower > high)
        rows = rows + histogram.n[..., : bins.regular][..., wrong].sum(-1)
    return np.asarray(rows)


def far_out(histogram: FeatureHistogram) -> NDArray[np.bool_]:
    """(...,) whether what is out of range is far out: by a quarter of the range, in the mean.

    A little beyond it lie the new extremes of anything that drifts, such as summer after a winter.
    """
    bins, at = histogram.bins, histogram.bins.regular
    assert isinstance(bins, NumericBins)
    low, high = bins.edges[0], bins.edges[-1]
    rows, values = histogram.n[..., at : at + 2], histogram.value[..., at : at + 2]
    beyond = (low * rows[..., 0] - values[..., 0]) + (values[..., 1] - high * rows[..., 1])
    # Halved, because the span of two numbers near the largest ones overflows.
    return np.asarray(beyond / 2 > _FAR_OUT * (high / 2 - low / 2) * rows.sum(-1))


def one_value(histogram: FeatureHistogram) -> Floats:
    """(...,) rows that surely have one value, the most frequent: at least so many.

    Each bin of a category is one value. Of numbers only an end of the bin proves that all in it are
    the same, to nine digits, so that a number that is stuck elsewhere is not counted.
    """
    bins, regular = histogram.bins, histogram.bins.regular
    if regular == 0:
        return np.zeros(histogram.n.shape[:-1])
    rows = histogram.n[..., :regular]
    if not isinstance(bins, NumericBins):
        return np.asarray(rows.max(-1))
    edges = np.array(bins.edges)
    at = rows.argmax(-1)
    most = np.take_along_axis(rows, at[..., None], -1)[..., 0]
    total = np.take_along_axis(histogram.value[..., :regular], at[..., None], -1)[..., 0]
    mean = total / np.maximum(most, 1)
    last = (at == regular - 1) & _same(mean, edges[-1])
    same = _same(mean, edges[at]) | last
    return np.asarray(np.where(same, most, 0.0))


def _same(mean: Floats, edge: Floats) -> NDArray[np.bool_]:
    """Whether numbers differ by no more than the rounding of a sum."""
    return np.asarray(np.abs(mean - edge) <= 1e-9 * np.abs(edge) + 1e-12)


def distinct(histogram: FeatureHistogram) -> Floats:
    """(...,) how many of the known categories were seen."""
    return np.asarray((histogram.n[..., : histogram.bins.regular] > 0).sum(-1), np.float64)


NULL = Check("null_rate", "Nulls", "has no value in", _in("null"))
NON_FINITE = Check("non_finite_rate", "Not finite", "is not finite in", _in("non-finite"))
OUT_OF_RANGE = Check(
    "out_of_range_rate", "Out of range", "is out of range in", _out_of_range, points=0.05
)  # fmt: skip
UNSEEN = Check("unseen_rate", "Unseen values", "has unseen values in", _unseen, points=0.05)
TOP = Check(
    "top_share", "Most frequent value", "has one and the same value in", one_value,
    allowed=0.15, points=0.15, floor=0.01, alone=False,
)  # fmt: skip
# Of a number that comes in bursts, as weather does, much less is natural.
STUCK = replace(TOP, allowed=0.9)
CARDINALITY = Check(
    "cardinality", "Known values seen", "has values in", distinct,
    share=False, floor=0.5, alone=False,
)  # fmt: skip
NUMERIC_CHECKS = (NULL, NON_FINITE, OUT_OF_RANGE, STUCK)
CATEGORY_CHECKS = (NULL, UNSEEN, TOP, CARDINALITY)
FEATURE_CHECKS = {check.name: check for check in dict.fromkeys(NUMERIC_CHECKS + CATEGORY_CHECKS)}

MISSING_SCORE = Check(
    "missing_score_rate", "Predictions that cannot be used",
    "the prediction is missing, not finite or too large in",
)  # fmt: skip
UNCOUNTED_LABEL = Check(
    "uncounted_label_rate", "Outcomes that no metric counts",
    "outcome or prediction cannot be compared, being missing, not finite or too large, in",
)  # fmt: skip
DUPLICATE = Check(
    "duplicate_rate", "Repeated predictions", "the prediction id is a repeat in",
    allowed=0.05, alone=False,
)  # fmt: skip
QUARANTINE = Check("quarantine_rate", "Rows in quarantine", "the row does not fit the schema in")
UNKNOWN_FIELD = Check(
    "unknown_field_rate", "Fields that the schema does not know",
    "there are fields that the schema does not know in", allowed=0.05, alone=False,
)  # fmt: skip
MODEL_CHECKS = {
    check.name: check
    for check in (MISSING_SCORE, UNCOUNTED_LABEL, DUPLICATE, QUARANTINE, UNKNOWN_FIELD)
}
VOLUME = "volume"


@cache
def cells_of(features: tuple[tuple[str, bool], ...]) -> tuple[Cell, ...]:
    """All cells of some features, in the order in which their counts are stored.

    features: (name, whether it is a number). The checks of all rows come last.
    """
    of_features = (
        Cell(name, check)
        for name, numeric in features
        for check in (NUMERIC_CHECKS if numeric else CATEGORY_CHECKS)
    )
    return (*of_features, *(Cell("", check) for check in MODEL_CHECKS.values()))


def feature_counts(histograms: Sequence[FeatureHistogram]) -> Floats:
    """(..., c) what each cell of the features counts, in the order of `cells_of`."""
    found = [
        check.count(histogram)
        for histogram in histograms
        for check in (
            NUMERIC_CHECKS if isinstance(histogram.bins, NumericBins) else CATEGORY_CHECKS
        )
        if check.count is not None
    ]
    return np.stack(found, axis=-1)
