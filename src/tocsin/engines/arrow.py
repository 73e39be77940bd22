"""Arrow columns as the kernel reads them, without copies where the types allow it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tocsin.errors import SchemaError
from tocsin.profiles import NO_NULLS, CategoryColumn, Column, NumericColumn, Rows
from tocsin.schema import Feature, Kind, Schema, Task
from tocsin.values import HOUR

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Mask = NDArray[np.bool_]
# The version of rows that name none.
UNKNOWN_VERSION = "unknown"
MICROSECONDS = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, eq=False)
class ArrowLevels:
    """Levels of a dictionary, looked up without becoming Python text."""

    values: pa.Array

    def __len__(self) -> int:
        return len(self.values)

    def places(self, known: Sequence[str]) -> Codes:
        """(l,) where each level stands among `known`, -1 for those that do not."""
        found = pc.index_in(self.values, value_set=pa.array(known, self.values.type))
        return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int32)

    def texts(self, which: Ints) -> list[str]:
        """Some of the levels as text."""
        texts: list[str] = self.values.take(pa.array(which)).to_pylist()
        return texts


def rows_of(schema: Schema, table: pa.Table) -> Rows:
    """Predictions in the columns of the lake."""
    table = table.combine_chunks()
    timestamps = whole(table["timestamp"]) if "timestamp" in table.column_names else None
    predicted = np.full(table.num_rows, -1, np.int32)
    if schema.task is Task.REGRESSION:
        scores = floats(whole(table["prediction"]))[:, None]
    elif schema.task is Task.MULTICLASS:
        scores = score_matrix(table, schema.score_columns(), len(schema.classes))
        predicted = classes_by_score(class_numbers(schema, whole(table["prediction"])), scores)
    else:
        scores = floats(whole(table["score"]))[:, None]
        given = pc.fill_null(whole(table["prediction"]), -1)
        predicted = given.to_numpy(zero_copy_only=False).astype(np.int32)
    features = {f.name: column(f, whole(table[f.column]), timestamps) for f in schema.features}
    return Rows(scores, predicted, features)


def labels_of(schema: Schema, values: pa.ChunkedArray) -> Floats:
    """(n,) labels of the lake: classes by number, or numbers; NaN where unknown."""
    if schema.task is not Task.MULTICLASS:
        return floats(whole(values))
    numbers = class_numbers(schema, whole(values)).astype(np.float64)
    return np.where(numbers < 0, np.nan, numbers)


def score_matrix(table: pa.Table, names: Sequence[str], classes: int) -> Floats:
    """(n, classes) scores of a multiclass model, NaN where there are none."""
    if not names:
        return np.full((table.num_rows, classes), np.nan)
    return np.column_stack([floats(whole(table[name])) for name in names])


def classes_by_score(predicted: Codes, scores: Floats) -> Codes:
    """(n,) the predicted classes, by the largest score where only scores were given."""
    open_rows = predicted < 0
    if not open_rows.any():
        return predicted
    known = np.isfinite(scores).all(1)
    best = np.argmax(np.where(np.isnan(scores), -np.inf, scores), axis=1)
    return np.where(open_rows & known, best, predicted).astype(np.int32)


def class_numbers(schema: Schema, values: pa.Array) -> Codes:
    """(n,) the numbers of classes that are written as text, -1 where unknown."""
    found = categories(values)
    places = found.levels.places(schema.labels)
    return np.append(places, np.int32(-1)).astype(np.int32)[found.codes]


def _truths(column: CategoryColumn) -> CategoryColumn:
    """Booleans as `true` and `false`, however they are written."""
    texts = column.levels.texts(np.arange(len(column.levels)))
    known = {"0": "false", "1": "true", "False": "false", "True": "true"}
    named = [known.get(text, text) for text in texts]
    distinct = list(dict.fromkeys(named))
    places = np.array([*(distinct.index(name) for name in named), -1], np.int32)
    return CategoryColumn(places[column.codes], ArrowLevels(pa.array(distinct, pa.string())))


def class_labels(schema: Schema, values: pa.Array, what: str) -> Floats:
    """(n,) the numbers of classes however they are written, NaN where unknown.

    Raises: SchemaError for one that the model does not have; `what` says whose it is.
    """
    found = categories(values)
    # A dictionary can have values that no row has.
    present = np.unique(found.codes[found.codes >= 0]).astype(np.int64)
    texts = found.levels.texts(present)
    numbers = [_class_of(schema, text) for text in texts]
    odd = next((text for text, number in zip(texts, numbers, strict=True) if number is None), None)
    if odd is not None:
        remedy = (
            "name the classes with `positive` and `negative`"
            if schema.task is Task.BINARY
            else "list it in `classes`"
        )
        raise SchemaError(
            f"{what} holds {odd!r}, which is none of {', '.join(schema.labels)}; {remedy}"
        )
    table = np.full(len(found.levels) + 1, np.nan)
    table[present] = numbers
    return table[found.codes]


def _class_of(schema: Schema, text: str) -> int | None:
    """The class that is written so; numbers with a fraction of zero are whole: 1.0 is class 1."""
    found = schema.class_of(text)
    if found is not None:
        return found
    try:
        return schema.class_of(float(text))
    except ValueError:
        return None


def whole(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    """One array, without a copy when there is one chunk."""
    if isinstance(values, pa.Array):
        return values
    if values.num_chunks == 1:
        return values.chunk(0)
    return values.combine_chunks()


def column(feature: Feature, values: pa.Array, timestamps: pa.Array | None) -> Column:
    """One feature; a datetime is the hours from it to the prediction."""
    if feature.kind is Kind.NUMERIC:
        return numbers(values)
    if feature.kind is Kind.DATETIME:
        return ages(values, timestamps)
    found = categories(values)
    return found if feature.kind is Kind.CATEGORICAL else _truths(found)


def numbers(values: pa.Array) -> NumericColumn:
    """Numbers and which of them are null; float64 is not copied."""
    # Not safe: whole numbers beyond 2^53 are rounded, as they are when they come as JSON.
    values = _plain(values).cast(pa.float64(), safe=False)
    if values.null_count == 0:
        return NumericColumn(values.to_numpy(), NO_NULLS)
    null = np.asarray(values.is_null().to_numpy(zero_copy_only=False), np.bool_)
    buffer = values.buffers()[1]
    if buffer is None:
        return NumericColumn(np.zeros(len(values)), null)
    stored = np.frombuffer(buffer, np.float64)[values.offset : values.offset + len(values)]
    return NumericColumn(stored, null)


def floats(values: pa.Array) -> Floats:
    """(n,) float64 with NaN for null."""
    return numbers(values).known


def ages(values: pa.Array, timestamps: pa.Array | None) -> NumericColumn:
    """Hours from each moment to its prediction, or to the last of them all where none is told."""
    moments = _plain(values).cast(MICROSECONDS, safe=False)
    null, at = _moments(moments)
    if timestamps is None:
        known = at[~null]
        return NumericColumn(((known.max() if known.size else 0) - at) / HOUR, null)
    unknown, now = _moments(timestamps)
    return NumericColumn((now - at) / HOUR, null | unknown)


def _moments(values: pa.Array) -> tuple[Mask, Ints]:
    """(n,) which are null, and all of them, where those that are null are 0."""
    null = np.asarray(values.is_null().to_numpy(zero_copy_only=False), np.bool_)
    return null, micros(pc.fill_null(values, pa.scalar(0, values.type)))


def categories(values: pa.Array) -> CategoryColumn:
    """Codes into the distinct values as text; NaN is null."""
    if not _is_text_dictionary(values):
        values = as_text(_plain(values)).dictionary_encode()
    levels = values.dictionary
    if not pa.types.is_string(levels.type):
        levels = levels.cast(pa.string())
    indices = values.indices.cast(pa.int32())
    codes = pc.fill_null(indices, -1).to_numpy(zero_copy_only=False)
    return CategoryColumn(codes, ArrowLevels(levels))


def _is_text_dictionary(values: pa.Array) -> bool:
    if not pa.types.is_dictionary(values.type):
        return False
    kind = values.type.value_type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    # A dictionary can hold null as one of its values.
    return bool(text and values.dictionary.null_count == 0)


def as_text(values: pa.Array) -> pa.Array:
    """Whatever they are as text; NaN is null."""
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = [None if value is None else str(value) for value in values.to_pylist()]
        return pa.array(texts, pa.string())


def micros(values: pa.Array | pa.ChunkedArray) -> Ints:
    """(n,) event times."""
    return np.asarray(whole(values).cast(MICROSECONDS).cast(pa.int64()).to_numpy(), np.int64)


def as_times(values: pa.Array) -> pa.Array:
    """Text as times; a time without a zone is in UTC. Raises: ArrowInvalid."""
    try:
        return values.cast(MICROSECONDS, safe=False)
    except pa.ArrowInvalid:
        return values.cast(pa.timestamp("us"), safe=False).cast(MICROSECONDS)


def _plain(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
