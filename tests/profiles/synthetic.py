"""Schemas, rows, plans and profiles as the tests of the pure core need them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tocsin.profiles import (
    NO_NULLS,
    CategoryColumn,
    Column,
    Grouping,
    NumericColumn,
    Plan,
    Profile,
    Rows,
    TextLevels,
    fold_labels,
    fold_predictions,
    plan_from_reference,
)
from tocsin.schema import Feature, Kind, Schema, Task


def numeric(values: Sequence[float | None]) -> NumericColumn:
    null = np.array([value is None for value in values], dtype=bool)
    known = np.array([7.7 if v is None else v for v in values], dtype=float)
    return NumericColumn(known, null if null.any() else NO_NULLS)


def category(values: Sequence[str | None]) -> CategoryColumn:
    levels = tuple(dict.fromkeys(value for value in values if value is not None))
    at = {level: i for i, level in enumerate(levels)}
    codes = [-1 if value is None else at[value] for value in values]
    return CategoryColumn(np.array(codes, dtype=np.int32), TextLevels(levels))


def rows(scores: ArrayLike, *, threshold: float = 0.5, **features: Column) -> Rows:
    """Rows of a binary classifier that gives scores."""
    known = np.asarray(scores, dtype=float)
    predicted = np.where(np.isnan(known), -1, known >= threshold)
    return Rows(known[:, None], predicted.astype(np.int32), features)


def some(whole: Rows, index: np.ndarray) -> Rows:
    """Some rows of them all."""
    features = {name: part(column, index) for name, column in whole.features.items()}
    return Rows(whole.scores[index], whole.predicted[index], features)


def part(column: Column, index: np.ndarray) -> Column:
    """Some rows of a column."""
    if isinstance(column, NumericColumn):
        null = column.null[index] if column.null.size else NO_NULLS
        return NumericColumn(column.values[index], null)
    return CategoryColumn(column.codes[index], column.levels)


def features_of(columns: Mapping[str, Column]) -> tuple[Feature, ...]:
    return tuple(
        Feature(name, Kind.NUMERIC if isinstance(column, NumericColumn) else Kind.CATEGORICAL)
        for name, column in columns.items()
    )


def binary(columns: Mapping[str, Column], **fields: Any) -> Schema:
    return Schema(Task.BINARY, features_of(columns), "p", None, "late", **fields)


def plan_of(
    scores: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    schema: Mapping[str, Any] | None = None,
    threshold: float = 0.5,
    **features: Column,
) -> Plan:
    """The plan of a binary classifier; schema: further fields of its schema."""
    known = np.asarray(scores, dtype=float)
    truth = np.full(len(known), np.nan) if labels is None else np.asarray(labels, dtype=float)
    return plan_from_reference(
        binary(features, threshold=threshold, **(schema or {})),
        rows(known, threshold=threshold, **features),
        truth,
    )


def all_in_one(of: Rows) -> Grouping:
    return Grouping(np.zeros(len(of), dtype=np.int64), 1)


def predicted(plan: Plan, of: Rows) -> Profile:
    """The profile of unlabelled rows."""
    (stack,) = fold_predictions(plan, of, all_in_one(of))
    return stack[0]


def labelled(plan: Plan, of: Rows, labels: ArrayLike, delays: ArrayLike | None = None) -> Profile:
    """What the labels alone add."""
    late = np.zeros(len(of), np.int64) if delays is None else np.asarray(delays, dtype=np.int64)
    (stack,) = fold_labels(plan, of, np.asarray(labels, dtype=float), late, all_in_one(of))
    return stack[0]


def profile(plan: Plan, of: Rows, labels: ArrayLike, delays: ArrayLike | None = None) -> Profile:
    """The profile of rows that all have their label."""
    return predicted(plan, of) + labelled(plan, of, labels, delays)


def stacked(profiles: Sequence[Profile]) -> Profile:
    return Profile(profiles[0].plan, np.stack([each.vector for each in profiles]))


def places(plan: Plan) -> list[str]:
    """What each entry of a vector is: `block[bin].field`."""
    return [
        f"{name}[{at}].{field}"
        for name, block in plan.layout.blocks.items()
        for at in range(block.bins)
        for field in block.fields
    ]
