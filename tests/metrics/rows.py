"""Rows, plans and profiles as the tests of the metrics need them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tocsin.profiles import (
    Grouping,
    NumericColumn,
    Plan,
    Profile,
    Rows,
    fold_labels,
    fold_predictions,
    plan_from_reference,
)
from tocsin.schema import Feature, Kind, Ratio, Schema, Task

Array = np.ndarray[Any, Any]


def binary(*thresholds: float, threshold: float = 0.5) -> Schema:
    return Schema(Task.BINARY, (), "p", None, "y", threshold=threshold, thresholds=thresholds)


def multiclass(*classes: str) -> Schema:
    scores = tuple(f"p_{name}" for name in classes)
    return Schema(Task.MULTICLASS, (), None, "said", "y", classes=classes, scores=scores)


def regression(*ratios: Ratio, features: Sequence[str] = ()) -> Schema:
    columns = tuple(Feature(name, Kind.NUMERIC) for name in features)
    return Schema(Task.REGRESSION, columns, None, "guess", "y", ratios=ratios)


def rows(scores: ArrayLike, *, threshold: float = 0.5, **features: ArrayLike) -> Rows:
    """Of a binary classifier (n,), of several classes (n, c), or of a regression (n,)."""
    given = np.asarray(scores, dtype=float)
    columns = {name: numeric(values) for name, values in features.items()}
    if given.ndim == 2:
        known = np.isfinite(given).all(1)
        said = np.where(known, np.nan_to_num(given).argmax(1), -1)
        return Rows(given, said.astype(np.int32), columns)
    said = np.where(np.isfinite(given), given >= threshold, -1)
    return Rows(given[:, None].copy(), said.astype(np.int32), columns)


def decided(classes: ArrayLike) -> Rows:
    """Of a model that gives classes only."""
    said = np.asarray(classes, dtype=np.int32)
    return Rows(np.full((len(said), 1), np.nan), said, {})


def numeric(values: ArrayLike) -> NumericColumn:
    found = np.asarray(values, dtype=float)
    return NumericColumn(found, np.isnan(found))


def plan_of(
    scores: ArrayLike, labels: ArrayLike | None = None, *, schema: Schema | None = None,
    **features: ArrayLike,
) -> Plan:  # fmt: skip
    """The plan of a reference; of a binary classifier unless the schema says otherwise."""
    schema = schema or binary()
    some = rows(scores, threshold=schema.threshold, **features)
    known = np.full(len(some), np.nan) if labels is None else np.asarray(labels, dtype=float)
    return plan_from_reference(schema, some, known)


def predicted(plan: Plan, of: Rows) -> Profile:
    """The profile of unlabelled rows."""
    return fold_predictions(plan, of, Grouping(np.zeros(len(of), np.int64), 1))[0][0]


def labelled(plan: Plan, of: Rows, labels: ArrayLike) -> Profile:
    """What the labels alone add."""
    zeros = np.zeros(len(of), np.int64)
    truth = np.asarray(labels, dtype=float)
    return fold_labels(plan, of, truth, zeros, Grouping(zeros, 1))[0][0]


def profile(plan: Plan, of: Rows, labels: ArrayLike) -> Profile:
    """The profile of rows that all have their label."""
    return predicted(plan, of) + labelled(plan, of, labels)


def windows(plan: Plan, of: Rows, labels: ArrayLike, count: int) -> Profile:
    """A stack of so many windows of equally many rows that follow each other, all labelled."""
    index = np.repeat(np.arange(count), len(of) // count)
    truth, zeros = np.asarray(labels, dtype=float), np.zeros(len(of), np.int64)
    grouping = Grouping(index, count)
    return (
        fold_predictions(plan, of, grouping)[0] + fold_labels(plan, of, truth, zeros, grouping)[0]
    )


def stacked(profiles: Sequence[Profile]) -> Profile:
    return Profile(profiles[0].plan, np.stack([each.vector for each in profiles]))
