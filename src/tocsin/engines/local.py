"""The kernel in this process, over Arrow tables laid out as in the lake."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tocsin.profiles import (
    CategoryColumn,
    Column,
    NumericColumn,
    Plan,
    Profile,
    Rows,
    fold_labels,
    fold_predictions,
)
from tocsin.schema import Kind, Schema


@dataclass(frozen=True, order=True)
class ProfileKey:
    """Which profile a row belongs to: its model version and the start of its time bucket."""

    version: str
    bucket: int


def profile_predictions(
    plan: Plan, schema: Schema, table: pa.Table, granularity: int
) -> dict[ProfileKey, Profile]:
    """What new predictions add, by version and bucket."""
    if table.num_rows == 0:
        return {}
    keys, index = _keys(table, granularity)
    stack = fold_predictions(plan, _rows(schema, table), index, len(keys))
    return _by_key(stack, keys)


def profile_labels(
    plan: Plan, schema: Schema, table: pa.Table, granularity: int
) -> dict[ProfileKey, Profile]:
    """What outcomes add to predictions that are folded.

    table: predictions with `label` (0 or 1) and `outcome_timestamp`.
    """
    if table.num_rows == 0:
        return {}
    keys, index = _keys(table, granularity)
    labels = _floats(table["label"])
    delays = _micros(table["outcome_timestamp"]) - _micros(table["timestamp"])
    stack = fold_labels(plan, _rows(schema, table), labels, delays, index, len(keys))
    return _by_key(stack, keys)


def reference_rows(schema: Schema, reference: pa.Table) -> tuple[Rows, NDArray[np.float64]]:
    """A reference data set as rows and labels; NaN where there is no label.

    reference: features by their own names, the label, and the score or the prediction.
    """
    renamed = {f.column: reference[f.name] for f in schema.features}
    n = reference.num_rows
    score = _floats(reference[schema.score]) if schema.score else np.full(n, np.nan)
    if schema.prediction and schema.prediction in reference.column_names:
        predicted = _floats(reference[schema.prediction])
    else:
        predicted = np.where(np.isnan(score), np.nan, score >= schema.threshold)
    table = pa.table(
        {
            **renamed,
            "score": pa.array(score, from_pandas=True),
            "prediction": pa.array(predicted, pa.float64(), from_pandas=True).cast(pa.int8()),
        }
    )
    labels = (
        _floats(reference[schema.label])
        if schema.label in reference.column_names
        else np.full(n, np.nan)
    )
    return _rows(schema, table), labels


def _by_key(stack: Profile, keys: list[ProfileKey]) -> dict[ProfileKey, Profile]:
    return {key: Profile(stack.plan, stack.vector[i]) for i, key in enumerate(keys)}


def _keys(table: pa.Table, granularity: int) -> tuple[list[ProfileKey], NDArray[np.int64]]:
    buckets = _micros(table["timestamp"]) // granularity
    versions = table["model_version"].combine_chunks().dictionary_encode()
    names = versions.dictionary.to_pylist()
    codes = versions.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    pairs, index = np.unique(np.stack([codes, buckets]), axis=1, return_inverse=True)
    keys = [ProfileKey(names[code], int(bucket) * granularity) for code, bucket in pairs.T]
    return keys, index.reshape(-1).astype(np.int64)


def _rows(schema: Schema, table: pa.Table) -> Rows:
    predicted = pc.fill_null(table["prediction"], -1)
    return Rows(
        scores=_floats(table["score"]),
        predicted=predicted.to_numpy().astype(np.int8),
        features={f.name: _column(f.kind, table[f.column]) for f in schema.features},
    )


def _column(kind: Kind, values: pa.ChunkedArray) -> Column:
    if kind is Kind.NUMERIC:
        null = values.is_null().to_numpy()
        return NumericColumn(_floats(values), null)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    encoded = values.cast(pa.string()).combine_chunks().dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
    return CategoryColumn(codes, tuple(encoded.dictionary.to_pylist()))


def _floats(values: pa.ChunkedArray) -> NDArray[np.float64]:
    """Float64 with NaN for null."""
    # Not safe: whole numbers beyond 2^53 are rounded, as they are when they come as JSON.
    floats = pc.fill_null(values.cast(pa.float64(), safe=False), float("nan"))
    return np.asarray(floats.to_numpy(), np.float64)


def _micros(values: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(values.cast(pa.int64()).to_numpy(), np.int64)
