"""How the values of a column are told apart: bins frozen from the reference."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tocsin.profiles import kernel
from tocsin.profiles.columns import (
    CategoryColumn,
    Codes,
    Column,
    Floats,
    Ints,
    Levels,
    NumericColumn,
)

NUMERIC_QUANTILES = 20
TOP_LEVELS = 50
KNOWN_LEVELS = 1_000


@dataclass(frozen=True)
class NumericBins:
    """Bins of a number: [e0, e1), [e1, e2), ..., the last one closed; then the explicit ones.

    edges: ascending, at least two; a constant reference has both the same. allowed: the declared
    range, whose ends are edges; None for that of the reference.
    """

    name: str
    edges: tuple[float, ...]
    allowed: tuple[float, float] | None = None

    EXPLICIT = ("below", "above", "non-finite", "null")

    @property
    def regular(self) -> int:
        """How many bins hold values inside the range of the reference."""
        return len(self.edges) - 1

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin is called, in the order of the profile."""
        pairs = zip(self.edges, self.edges[1:], strict=False)
        return (*(f"{low:.4g} to {high:.4g}" for low, high in pairs), *self.EXPLICIT)

    @cached_property
    def padded(self) -> Floats:
        """The edges as the kernel wants them."""
        return padded(np.array(self.edges))

    def of(self, column: Column) -> tuple[Codes, Floats]:
        """(n,) the bin of each row, and its value, 0 where there is none."""
        if not isinstance(column, NumericColumn):
            raise TypeError(f"feature {self.name!r} is numeric, but its rows are categories")
        finite = np.empty(len(column.values))
        found: Codes = kernel.numeric_bins(
            column.values, column.null, self.padded, len(self.edges), finite
        )
        return found, finite


@dataclass(frozen=True)
class CategoryBins:
    """Bins of a category: the frequent levels of the reference, then the explicit ones.

    levels: most frequent first.
    others: further levels that the reference had; they share the bin `other`.
    all_known: False when the reference had too many levels to remember; then a level that is not
        listed counts as `other`, never as `unseen`.
    allowed: the declared levels, all of them listed; None for those of the reference.
    """

    name: str
    levels: tuple[str, ...]
    others: tuple[str, ...] = ()
    all_known: bool = True
    allowed: tuple[str, ...] | None = None

    EXPLICIT = ("other", "unseen", "null")

    @property
    def regular(self) -> int:
        """How many levels have a bin of their own."""
        return len(self.levels)

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin is called, in the order of the profile."""
        return (*self.levels, *self.EXPLICIT)

    def table(self, levels: Levels) -> Codes:
        """(l + 1,) the bin of each level of a column, and last that of null."""
        other, unseen, null = range(self.regular, self.regular + 3)
        places = levels.places((*self.levels, *self.others))
        found = np.where(places < self.regular, places, other)
        found[places < 0] = unseen if self.all_known else other
        return np.append(found, null).astype(np.int32)

    def of(self, column: Column, table: Codes) -> tuple[Codes, Floats]:
        """(n,) the bin of each row by `table`, and the value 0."""
        if not isinstance(column, CategoryColumn):
            raise TypeError(f"feature {self.name!r} is categorical, but its rows are numbers")
        found: Codes = kernel.looked_up(column.codes, table)
        return found, np.zeros(len(found))


FeatureBins = NumericBins | CategoryBins


def feature_bins(name: str, column: Column) -> FeatureBins:
    """Bins of one feature after its values in the reference."""
    if isinstance(column, CategoryColumn):
        return _category_bins(name, column)
    return numeric_bins(name, column.known, NUMERIC_QUANTILES)


def allowing(
    bins: FeatureBins, values_range: tuple[float, float] | None, values: tuple[str, ...] | None
) -> FeatureBins:
    """The bins, cut so that they tell exactly what is declared from all else.

    values_range: both ends are allowed; values: the allowed levels.
    """
    if isinstance(bins, NumericBins) and values_range is not None:
        return _allowing_range(bins, *values_range)
    if isinstance(bins, CategoryBins) and values is not None:
        levels = (*bins.levels, *(value for value in values if value not in bins.levels))
        others = tuple(level for level in bins.others if level not in levels)
        return replace(bins, levels=levels, others=others, allowed=values)
    return bins


def _allowing_range(bins: NumericBins, low: float, high: float) -> NumericBins:
    # Bins begin with their lower edge: what is allowed ends just before the next number.
    end = high if low < high >= bins.edges[-1] else float(np.nextafter(high, np.inf))
    edges = sorted({*bins.edges, low, end})
    if len(edges) == 1:
        edges *= 2
    return NumericBins(bins.name, tuple(edges), (low, high))


def numeric_bins(name: str, values: Floats, quantiles: int) -> NumericBins:
    """Bins of a number between so many quantiles of its values; of none around 0."""
    edges = quantile_edges(values[np.isfinite(values)], quantiles)
    return NumericBins(name, tuple(edges.tolist()))


def quantile_edges(values: Floats, quantiles: int) -> Floats:
    """Ascending edges, at least two; both the same when all values are."""
    if len(values) == 0:
        return np.zeros(2)
    # Halved, because the span of two numbers near the largest ones overflows.
    edges = 2 * np.unique(np.quantile(values / 2, np.linspace(0, 1, quantiles + 1)))
    return np.repeat(edges, 2) if len(edges) == 1 else edges


def padded(edges: Floats) -> Floats:
    """Edges filled up with infinity to a power of two, as the kernel searches them."""
    size = max(32, 1 << (len(edges)).bit_length())
    if 32 < size < 256:
        size = 256
    full = np.full(size, np.inf)
    full[: len(edges)] = edges
    return full


def score_bins(scores: Floats, edges: Floats) -> Ints:
    """(n,) the bin of scores in [edges[0], edges[-1]]; -1 for NaN."""
    found: Codes = kernel.searched(scores, padded(edges))
    return np.minimum(found.astype(np.int64), len(edges) - 1) - 1


def top_levels(column: CategoryColumn, most: int) -> tuple[list[str], bool]:
    """The `most` frequent levels of a column, the most frequent first, and whether that is all."""
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))
    present = np.flatnonzero(counts)
    complete = len(present) <= most
    if not complete:
        # Ties at the end are decided by name below, so all of them stay.
        least = np.partition(counts[present], -most)[-most]
        present = present[counts[present] >= least]
    texts = column.levels.texts(present)
    ranked = sorted((-int(count), text) for count, text in zip(counts[present], texts, strict=True))
    return [text for _, text in ranked[:most]], complete


def _category_bins(name: str, column: CategoryColumn) -> CategoryBins:
    ranked, complete = top_levels(column, TOP_LEVELS + KNOWN_LEVELS)
    others = tuple(sorted(ranked[TOP_LEVELS:])) if complete else ()
    return CategoryBins(name, tuple(ranked[:TOP_LEVELS]), others, complete)
