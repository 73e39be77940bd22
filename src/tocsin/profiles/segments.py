"""Dimensions along which rows are told apart, each with a profile of its own per value."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tocsin.profiles.bins import padded, quantile_edges, top_levels
from tocsin.profiles.columns import (
    CategoryColumn,
    Codes,
    Column,
    NumericColumn,
)
from tocsin.profiles.expression import parsed
from tocsin.profiles.kernel import searched
from tocsin.schema import Segment

# Each value has whole profiles: what is rarer than these is told apart as `other`.
TOP_VALUES = 20
UNKNOWN, OTHER = "unknown", "other"


@dataclass(frozen=True)
class SegmentValues:
    """The values that a segment can have, frozen from the reference.

    values: what each is called; the last is `unknown`, for nulls.
    levels: of a category, in the order of `values`; the rest is `other`.
    cuts: of a number; value i is [cuts[i - 1], cuts[i]).
    """

    name: str
    values: tuple[str, ...]
    column: str | None = None
    levels: tuple[str, ...] = ()
    cuts: tuple[float, ...] = ()
    where: str | None = None
    protected: bool = False

    def of(self, columns: Mapping[str, Column], rows: int) -> Codes:
        """(n,) which of `values` each row has."""
        unknown = len(self.values) - 1
        if self.where is not None:
            truth = parsed(self.where).over(columns, rows)
            known = np.where(np.isnan(truth), unknown, truth != 0)
            return known.astype(np.int32)
        column = columns[self.column or ""]
        if isinstance(column, CategoryColumn):
            places = column.levels.places(self.levels)
            table = np.append(np.where(places < 0, len(self.levels), places), unknown)
            return table.astype(np.int32)[column.codes]
        values = column.known
        found = searched(values, padded(np.array(self.cuts)))
        return np.where(np.isfinite(values), found, unknown).astype(np.int32)

    def keys(self) -> tuple[str, ...]:
        """How profiles of its values are named: `country=DE`."""
        return tuple(f"{self.name}={value}" for value in self.values)


def segment_values(segment: Segment, columns: Mapping[str, Column]) -> SegmentValues:
    """The values of a segment after the reference."""
    if segment.where is not None:
        return SegmentValues(
            segment.name,
            ("false", "true", UNKNOWN),
            where=segment.where,
            protected=segment.protected,
        )
    column = columns[segment.column or ""]
    if isinstance(column, NumericColumn):
        cuts = segment.cuts or _quartiles(column)
        ends = _told_apart(cuts)
        inner = [f"{low} to {high}" for low, high in pairwise(ends)]
        named = (f"below {ends[0]}", *inner, f"from {ends[-1]}") if ends else ("all",)
        return SegmentValues(
            segment.name,
            (*named, UNKNOWN),
            column=segment.column,
            cuts=cuts,
            protected=segment.protected,
        )
    levels = tuple(top_levels(column, TOP_VALUES)[0])
    # A level may be called what we call the rest.
    rest = tuple(_unlike(word, levels) for word in (OTHER, UNKNOWN))
    return SegmentValues(
        segment.name,
        (*levels, *rest),
        column=segment.column,
        levels=levels,
        protected=segment.protected,
    )


def _unlike(word: str, levels: tuple[str, ...]) -> str:
    return _unlike(f"({word})", levels) if word in levels else word


def _told_apart(cuts: tuple[float, ...]) -> list[str]:
    """Cuts as text, with as many digits as it takes to tell them apart."""
    for digits in range(6, 17):
        ends = [f"{cut:.{digits}g}" for cut in cuts]
        if len(set(ends)) == len(cuts):
            return ends
    return [repr(cut) for cut in cuts]


def _quartiles(column: NumericColumn) -> tuple[float, ...]:
    values = column.known
    edges = quantile_edges(values[np.isfinite(values)], 4)
    return tuple(sorted(set(edges[1:-1].tolist())))
