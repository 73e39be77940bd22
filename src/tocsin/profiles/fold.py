"""Rows in, one profile per group out: the only code that looks at rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tocsin.profiles import kernel
from tocsin.profiles.bins import CategoryBins
from tocsin.profiles.columns import (
    CategoryColumn,
    Codes,
    Column,
    Floats,
    Ints,
    RememberedLevels,
    Rows,
)
from tocsin.profiles.expression import parsed
from tocsin.profiles.kernel import LARGEST
from tocsin.profiles.layout import DELAY_EDGES, DELAYS, RATIO_FIELDS, TOTALS
from tocsin.profiles.outputs import MulticlassOutput
from tocsin.profiles.outputs.added import Added, Deposit
from tocsin.profiles.plan import Plan, output_columns
from tocsin.profiles.profile import Profile
from tocsin.schema import Ratio

# Rows that are worked on at once: what stays in the cache of one core.
_TILE = 16_384
_Out = list[tuple[Ints, Floats]]


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which profile each row belongs to.

    index: (n,) from 0 to `count` - 1.
    """

    index: Ints
    count: int


def fold_predictions(plan: Plan, rows: Rows, *groupings: Grouping) -> list[Profile]:
    """The profiles of unlabelled rows, in one pass over them.

    Returns: for each grouping a stack of `count` profiles.
    """
    done = _Folding(plan, rows, groupings)
    for tile, out in done.tiles():
        part = rows[tile]
        added = plan.output.unlabelled(part)
        done.totals(out, {"n": np.ones(len(part)), **added.totals})
        done.deposits(out, added.deposits)
        done.ratios(out, part, None)
        done.features(out, part, added, labelled=False)
    return done.profiles()


def fold_labels(
    plan: Plan, rows: Rows, labels: Floats, delays: Ints, *groupings: Grouping
) -> list[Profile]:
    """The profiles of what the truth adds to rows that were folded before.

    labels: (n,) classes by number, or numbers.
    delays: (n,) microseconds from prediction to outcome.
    Returns: for each grouping a stack of `count` profiles; subtract it to retract the same labels.
    """
    done = _Folding(plan, rows, groupings)
    for tile, out in done.tiles():
        part = rows[tile]
        added = plan.output.labelled(part, labels[tile])
        done.totals(out, {"labelled": np.ones(len(part)), **added.totals})
        delay_bins = np.searchsorted(DELAY_EDGES, delays[tile], side="left")
        done.deposits(out, (*added.deposits, Deposit(DELAYS, delay_bins)))
        done.ratios(out, part, labels[tile])
        done.features(out, part, added, labelled=True)
    return done.profiles()


def fold_known_labels(
    plan: Plan, rows: Rows, labels: Floats, delays: Ints, *groupings: Grouping
) -> list[Profile]:
    """The same, where a row whose label is NaN adds nothing."""
    unknown = np.isnan(labels)
    if not unknown.any():
        return fold_labels(plan, rows, labels, delays, *groupings)
    # They go to a profile beyond the others, which nobody looks at.
    wider = [Grouping(np.where(unknown, g.count, g.index), g.count + 1) for g in groupings]
    found = fold_labels(plan, rows, np.where(unknown, 0.0, labels), delays, *wider)
    return [Profile(plan, profile.vector[:-1]) for profile in found]


class _Folding:
    """The sums that come together."""

    def __init__(self, plan: Plan, rows: Rows, groupings: tuple[Grouping, ...]) -> None:
        self._plan = plan
        self._rows = len(rows)
        # Levels are looked up once for all tiles: there may be as many as rows.
        self._levels = {
            name: RememberedLevels(column.levels)
            for name, column in rows.features.items()
            if isinstance(column, CategoryColumn)
        }
        self._groupings = groupings
        self._out = [np.zeros((grouping.count, plan.layout.size)) for grouping in groupings]
        self._tables: dict[str, Codes] = {
            bins.name: bins.table(column.levels)
            for bins in plan.features
            if isinstance(bins, CategoryBins)
            and isinstance(column := rows.features[bins.name], CategoryColumn)
        }

    def profiles(self) -> list[Profile]:
        return [Profile(self._plan, out) for out in self._out]

    def tiles(self) -> Iterator[tuple[slice, _Out]]:
        for start in range(0, self._rows, _TILE):
            tile = slice(start, min(start + _TILE, self._rows))
            yield (
                tile,
                [(g.index[tile], out) for g, out in zip(self._groupings, self._out, strict=True)],
            )

    def totals(self, out: _Out, amounts: dict[str, Floats]) -> None:
        start = self._plan.layout.blocks[TOTALS].start
        at = np.array([start + self._plan.totals.index(name) for name in amounts])
        stacked = np.stack(list(amounts.values()))
        for group, target in out:
            kernel.add(target, at, group, stacked)

    def deposits(self, out: _Out, deposits: tuple[Deposit, ...]) -> None:
        for deposit in deposits:
            block = self._plan.layout.blocks[deposit.block]
            start, stride = block.start + deposit.field, len(block.fields)
            bins = deposit.bins.astype(np.int32, copy=False)
            for group, target in out:
                place = (target, start, stride, group, bins)
                if len(deposit.amounts) == 3:
                    kernel.deposit(*place, *deposit.amounts)
                elif deposit.amounts:
                    kernel.count_and_add(*place, *deposit.amounts)
                else:
                    kernel.count(*place)

    def features(self, out: _Out, rows: Rows, added: Added, *, labelled: bool) -> None:
        for bins in self._plan.features:
            column = rows.features[bins.name]
            if isinstance(bins, CategoryBins):
                found, value = bins.of(column, self._tables.get(bins.name, np.empty(0, np.int32)))
            else:
                found, value = bins.of(column)
            block = self._plan.layout.blocks[f"feature/{bins.name}"]
            start = block.start + (4 if labelled else 0)
            amounts = added.joint if labelled else (value, *added.joint)
            for group, target in out:
                kernel.deposit(target, start, len(block.fields), group, found, *amounts)

    def ratios(self, out: _Out, rows: Rows, labels: Floats | None) -> None:
        for ratio in self._plan.ratios:
            if needs_label(ratio) != (labels is not None):
                continue
            output = self._plan.output
            classes = output.classes if isinstance(output, MulticlassOutput) else ()
            features = {name: self._remembered(name, c) for name, c in rows.features.items()}
            columns = {**features, **output_columns(output.task, classes, rows, labels)}
            top = parsed(ratio.sum).over(columns, len(rows))
            per = parsed(ratio.per or "1").over(columns, len(rows))
            known = (np.abs(top) <= LARGEST) & (np.abs(per) <= LARGEST)
            top, per = np.where(known, top, 0.0), np.where(known, per, 0.0)
            start = self._plan.layout.blocks[f"ratio/{ratio.name}"].start
            at = np.arange(start, start + len(RATIO_FIELDS))
            amounts = np.stack([known.astype(float), top, per, top * top, per * per, top * per])
            for group, target in out:
                kernel.add(target, at, group, amounts)

    def _remembered(self, name: str, column: Column) -> Column:
        if isinstance(column, CategoryColumn):
            return CategoryColumn(column.codes, self._levels[name])
        return column


def needs_label(ratio: Ratio) -> bool:
    """Whether a ratio can only be summed over labelled rows."""
    return parsed(ratio.sum).needs_label or (
        ratio.per is not None and parsed(ratio.per).needs_label
    )
