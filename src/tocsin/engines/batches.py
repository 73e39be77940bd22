"""The kernel over Arrow tables laid out as in the lake: what some rows add, by key."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tocsin.engines.arrow import MICROSECONDS, UNKNOWN_VERSION, labels_of, micros, rows_of, whole
from tocsin.profiles import (
    Grouping,
    Plan,
    Profile,
    ProfileKey,
    Rows,
    fold_known_labels,
    fold_predictions,
)
from tocsin.schema import Schema

Ints = NDArray[np.int64]
# Sums that are in memory at once, 8 bytes each.
_MOST_SUMS = 16_000_000
# Up to so many possible keys are found by counting, more by sorting.
_MOST_COUNTED = 1_000_000


def profile_predictions(
    plan: Plan, schema: Schema, table: pa.Table, granularity: int
) -> dict[ProfileKey, Profile]:
    """What new predictions add, by version, bucket and segment."""

    def fold(rows: Rows, _: pa.Table, groupings: list[Grouping]) -> list[Profile]:
        return fold_predictions(plan, rows, *groupings)

    return _folded(plan, schema, table, granularity, fold)


def profile_labels(
    plan: Plan, schema: Schema, table: pa.Table, granularity: int
) -> dict[ProfileKey, Profile]:
    """What outcomes add to predictions that are folded.

    table: predictions with `label` and `outcome_timestamp`; a label that is null, or no class of
        the schema, adds nothing.
    """

    def fold(rows: Rows, part: pa.Table, groupings: list[Grouping]) -> list[Profile]:
        return _fold_labels(plan, schema, rows, part, groupings)

    return _folded(plan, schema, table, granularity, fold)


def profile_joined(
    plan: Plan, schema: Schema, table: pa.Table, granularity: int
) -> dict[ProfileKey, Profile]:
    """What predictions and their outcomes add, in one pass.

    table: predictions with `label` and `outcome_timestamp`, null where there is no outcome.
    """

    def fold(rows: Rows, part: pa.Table, groupings: list[Grouping]) -> list[Profile]:
        found = fold_predictions(plan, rows, *groupings)
        if part["label"].null_count < part.num_rows:
            truths = _fold_labels(plan, schema, rows, part, groupings)
            for profile, truth in zip(found, truths, strict=True):
                np.add(profile.vector, truth.vector, out=profile.vector)
        return found

    return _folded(plan, schema, table, granularity, fold)


def _fold_labels(
    plan: Plan, schema: Schema, rows: Rows, table: pa.Table, groupings: list[Grouping]
) -> list[Profile]:
    labels = labels_of(schema, table["label"])
    told = micros(pc.fill_null(whole(table["outcome_timestamp"]), pa.scalar(0, MICROSECONDS)))
    return fold_known_labels(plan, rows, labels, told - micros(table["timestamp"]), *groupings)


def merged(*parts: Iterable[tuple[ProfileKey, Profile]]) -> dict[ProfileKey, Profile]:
    """The sum of profiles by key."""
    total: dict[ProfileKey, Profile] = {}
    for part in parts:
        for key, profile in part:
            total[key] = total[key] + profile if key in total else profile
    return total


def _folded(
    plan: Plan,
    schema: Schema,
    table: pa.Table,
    granularity: int,
    fold: Callable[[Rows, pa.Table, list[Grouping]], list[Profile]],
) -> dict[ProfileKey, Profile]:
    if table.num_rows == 0:
        return {}
    keys = _keys(table, granularity)
    found: dict[ProfileKey, Profile] = {}
    values = 1 + sum(len(segment.values) for segment in plan.segments)
    most = max(1, _MOST_SUMS // (values * plan.layout.size))
    for part, own in keys.parts(most):
        rows_table = table if part is None else table.take(pa.array(part))
        rows = rows_of(schema, rows_table)
        groupings = [Grouping(own.index, len(own.names))]
        named = [[ProfileKey(*name) for name in own.names]]
        for segment in plan.segments:
            count = len(segment.values)
            of_row = segment.of(rows.features, len(rows))
            groupings.append(Grouping(own.index * count + of_row, len(own.names) * count))
            keyed = segment.keys()
            named.append([ProfileKey(*name, key) for name in own.names for key in keyed])
        for names, stack in zip(named, fold(rows, rows_table, groupings), strict=True):
            filled = np.any(stack.vector, axis=1).tolist()
            found.update(
                (key, Profile(plan, stack.vector[i])) for i, key in enumerate(names) if filled[i]
            )
    return found


@dataclass(frozen=True, eq=False)
class _Keys:
    """The (version, bucket) of each row, as an index into their names."""

    index: Ints
    names: list[tuple[str, int]]

    def parts(self, most: int) -> Iterator[tuple[Ints | None, "_Keys"]]:
        """Rows of at most `most` names at a time; None for all rows."""
        if len(self.names) <= most:
            yield None, self
            return
        order = np.argsort(self.index, kind="stable")
        ordered = self.index[order]
        for first in range(0, len(self.names), most):
            begin, end = np.searchsorted(ordered, [first, first + most])
            names = self.names[first : first + most]
            yield order[begin:end], _Keys(ordered[begin:end] - first, names)


def _keys(table: pa.Table, granularity: int) -> _Keys:
    buckets = micros(table["timestamp"]) // granularity
    versions = whole(table["model_version"])
    if not pa.types.is_dictionary(versions.type):
        versions = versions.dictionary_encode()
    texts = versions.dictionary.to_pylist()
    if versions.null_count and UNKNOWN_VERSION not in texts:
        texts.append(UNKNOWN_VERSION)
    unknown = texts.index(UNKNOWN_VERSION) if versions.null_count else 0
    codes = pc.fill_null(versions.indices, unknown).to_numpy(zero_copy_only=False).astype(np.int64)
    first, span = int(buckets.min()), int(buckets.max() - buckets.min()) + 1
    combined = (buckets - first) * len(texts) + codes
    if span * len(texts) <= _MOST_COUNTED:
        present = np.bincount(combined, minlength=span * len(texts)) > 0
        distinct = np.flatnonzero(present)
        index = (np.cumsum(present) - 1)[combined]
    else:
        distinct, index = np.unique(combined, return_inverse=True)
    names = [
        (texts[key % len(texts)], (first + int(key) // len(texts)) * granularity)
        for key in distinct.tolist()
    ]
    return _Keys(index.astype(np.int64), names)
