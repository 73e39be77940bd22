"""Rows, plans and profiles as the tests of the pure core need them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tocsin.profiles import (
    CategoryColumn,
    Column,
    NumericColumn,
    Plan,
    Profile,
    Rows,
    fold_labels,
    fold_predictions,
    plan_from_reference,
)


def numeric(values: Sequence[float | None]) -> NumericColumn:
    null = np.array([value is None for value in values], dtype=bool)
    return NumericColumn(np.array([7.7 if v is None else v for v in values], dtype=float), null)


def category(values: Sequence[str | None]) -> CategoryColumn:
    levels = tuple(dict.fromkeys(value for value in values if value is not None))
    codes = [-1 if value is None else levels.index(value) for value in values]
    return CategoryColumn(np.array(codes, dtype=np.int32), levels)


def rows(scores: ArrayLike, *, threshold: float = 0.5, **features: Column) -> Rows:
    scores = np.asarray(scores, dtype=float)
    return Rows(scores, (scores >= threshold).astype(np.int8), features)


def part(column: Column, index: np.ndarray) -> Column:
    """Some rows of a column."""
    if isinstance(column, NumericColumn):
        return NumericColumn(column.values[index], column.null[index])
    return CategoryColumn(column.codes[index], column.levels)


def some(whole: Rows, index: np.ndarray) -> Rows:
    """Some rows of them all."""
    features = {name: part(column, index) for name, column in whole.features.items()}
    return Rows(whole.scores[index], whole.predicted[index], features)


def plan_of(scores: ArrayLike, labels: ArrayLike | None = None, *, threshold: float = 0.5,
            **features: Column) -> Plan:  # fmt: skip
    scores = np.asarray(scores, dtype=float)
    known = np.full(len(scores), np.nan) if labels is None else np.asarray(labels, dtype=float)
    return plan_from_reference(scores, known, features, threshold=threshold)


def predicted(plan: Plan, of: Rows) -> Profile:
    """The profile of unlabelled rows."""
    stack = fold_predictions(plan, of, np.zeros(len(of), dtype=np.int64), 1)
    return Profile(plan, stack.vector[0])


def labelled(plan: Plan, of: Rows, labels: ArrayLike, delays: ArrayLike | None = None) -> Profile:
    """What the labels alone add."""
    zeros = np.zeros(len(of), dtype=np.int64)
    delays = zeros if delays is None else np.asarray(delays, dtype=np.int64)
    stack = fold_labels(plan, of, np.asarray(labels, dtype=float), delays, zeros, 1)
    return Profile(plan, stack.vector[0])


def profile(plan: Plan, of: Rows, labels: ArrayLike) -> Profile:
    """The profile of rows that all have their label."""
    return predicted(plan, of) + labelled(plan, of, labels)


def stacked(profiles: Sequence[Profile]) -> Profile:
    return Profile(profiles[0].plan, np.stack([each.vector for each in profiles]))
