"""A reference data set as rows and labels, whatever the types of its columns are."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tocsin.engines.arrow import (
    MICROSECONDS,
    Codes,
    Floats,
    as_times,
    class_labels,
    classes_by_score,
    column,
    floats,
    score_matrix,
    whole,
)
from tocsin.errors import SchemaError
from tocsin.profiles import CategoryColumn, Column, NumericColumn, Rows
from tocsin.schema import Feature, Kind, Schema, Task

# More levels than this look like the names of things, not like categories.
_MANY_LEVELS = 10_000


@dataclass(frozen=True, eq=False)
class Reference:
    """Rows that show how a model is when it is well.

    labels: (n,) classes by number, or numbers; NaN where unknown. notes: what surprised.
    """

    rows: Rows
    labels: Floats
    notes: tuple[str, ...] = field(default=())


def reference_rows(schema: Schema, table: pa.Table) -> Reference:
    """A reference as the kernel reads it.

    table: features by their own names, the label, and the scores or the prediction.
    Raises: SchemaError that names what it lacks, or what cannot be a score, prediction or label.
    """
    _check_columns(schema, table)
    table = table.combine_chunks()
    notes: list[str] = []
    timestamps = _timestamps(schema, table, notes)
    features = {}
    for feature in schema.features:
        features[feature.name] = _feature(feature, whole(table[feature.name]), timestamps, notes)
    scores, predicted = _outputs(schema, table)
    labels = np.full(table.num_rows, np.nan)
    if schema.label in table.column_names:
        values = whole(table[schema.label])
        labels = (
            _numbers(table, schema.label)
            if schema.task is Task.REGRESSION
            else class_labels(schema, values, _named(schema.label))
        )
    else:
        notes.append(
            f"The reference has no label {schema.label!r}: drift is measured, but performance has "
            "nothing to be compared with; PUT a reference with the label to have that."
        )
    return Reference(Rows(scores, predicted, features), labels, tuple(notes))


def _check_columns(schema: Schema, table: pa.Table) -> None:
    if table.num_rows == 0:
        raise SchemaError("the reference has no rows; give at least a few hundred")
    outputs = schema.scores or (schema.output,)
    wanted = [*(feature.name for feature in schema.features), *outputs]
    twice = sorted(name for name in {*wanted, schema.label} if table.column_names.count(name) > 1)
    if twice:
        raise SchemaError(
            f"the reference has {', '.join(twice)} more than once; rename or drop the others"
        )
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise SchemaError(
            f"the reference lacks {', '.join(missing)}; it has {', '.join(table.column_names)}"
        )


def _timestamps(schema: Schema, table: pa.Table, notes: list[str]) -> pa.Array | None:
    moments = [feature.name for feature in schema.features if feature.kind is Kind.DATETIME]
    if not moments:
        return None
    if "timestamp" in table.column_names and "timestamp" not in moments:
        try:
            return _cast(whole(table["timestamp"]), MICROSECONDS)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            notes.append("The column `timestamp` of the reference cannot be read as times.")
    notes.append(
        f"The reference has no `timestamp`: {', '.join(moments)} is told by its hours before the "
        "newest of its values, which is taken for the time of all predictions."
    )
    return None


def _feature(
    feature: Feature, values: pa.Array, timestamps: pa.Array | None, notes: list[str]
) -> Column:
    """A feature of the reference, and what is odd about it."""
    readable = values
    if feature.kind in (Kind.NUMERIC, Kind.DATETIME):
        readable = _read_as(feature, values, notes)
    if feature.kind in (Kind.CATEGORICAL, Kind.BOOLEAN):
        _note_type(feature, values.type, notes)
    found = column(feature, readable, timestamps)
    _note_oddities(feature, found, notes)
    return found


def _read_as(feature: Feature, values: pa.Array, notes: list[str]) -> pa.Array:
    """The values as numbers or times, null where they cannot be read so."""
    wanted = pa.float64() if feature.kind is Kind.NUMERIC else MICROSECONDS
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        return _cast(values, wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    read = [_one(value, wanted) for value in values.to_pylist()]
    parsed = pa.array(read, wanted)
    lost = parsed.null_count - values.null_count
    notes.append(
        f"Feature {feature.name!r} is declared {feature.kind}, but the reference holds "
        f"{values.type}; {lost:,} of {len(values):,} rows cannot be read so and count as null."
    )
    return parsed


def _cast(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    """The values as numbers or times; a time without a zone is in UTC.

    Raises: ArrowInvalid, ArrowNotImplementedError where one of them cannot be read so.
    """
    return as_times(values) if wanted == MICROSECONDS else values.cast(wanted, safe=False)


def _one(value: object, wanted: pa.DataType) -> object:
    try:
        return _cast(pa.array([str(value)]), wanted)[0].as_py() if value is not None else None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _note_type(feature: Feature, kind: pa.DataType, notes: list[str]) -> None:
    """Note what is no category by its type."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if numbers and feature.kind is Kind.CATEGORICAL:
        found = "each number is a category of its own."
    elif pa.types.is_nested(kind) or pa.types.is_binary(kind):
        found = "it is read as text."
    else:
        return
    notes.append(
        f"Feature {feature.name!r} is declared {feature.kind}, but the reference holds {kind}; "
        f"{found}"
    )


def _note_oddities(feature: Feature, found: Column, notes: list[str]) -> None:
    if isinstance(found, NumericColumn):
        known = found.known[np.isfinite(found.known)]
        if len(known) == 0:
            notes.append(
                f"Feature {feature.name!r} is empty in the reference: every value counts as out of "
                "its range."
            )
        elif known.min() == known.max():
            notes.append(
                f"Feature {feature.name!r} is always {known[0]:g} in the reference: every other "
                "value counts as out of its range."
            )
        return
    assert isinstance(found, CategoryColumn)
    present = np.unique(found.codes[found.codes >= 0]).astype(np.int64)
    used = len(present)
    if used == 1:
        notes.append(
            f"Feature {feature.name!r} is always {found.levels.texts(present)[0]!r} in the "
            "reference: every other value counts as unseen."
        )
    elif used == 0:
        notes.append(
            f"Feature {feature.name!r} is empty in the reference: every value counts as unseen."
        )
    elif used > _MANY_LEVELS:
        notes.append(
            f"Feature {feature.name!r} has {used:,} different values in the reference, as names of "
            "things have: the frequent ones are told apart, the others count as `other`."
        )


def _outputs(schema: Schema, table: pa.Table) -> tuple[Floats, Codes]:
    n = table.num_rows
    given = schema.prediction is not None and schema.prediction in table.column_names
    if schema.task is Task.REGRESSION:
        predicted = _numbers(table, schema.output)
        if not np.isfinite(predicted).any():
            raise SchemaError(f"prediction {schema.output!r} of the reference holds no number")
        return predicted[:, None], np.full(n, -1, np.int32)
    classes = np.full(n, -1, np.int32)
    if given:
        numbers = class_labels(
            schema, whole(table[schema.prediction]), _named(schema.prediction or "")
        )
        classes = np.where(np.isnan(numbers), -1, numbers).astype(np.int32)
    if schema.task is Task.MULTICLASS:
        for name in schema.scores:
            _check_scores(name, _numbers(table, name))
        scores = score_matrix(table, schema.scores, len(schema.classes))
        return scores, classes_by_score(classes, scores)
    score = np.full(n, np.nan)
    if schema.score is not None:
        score = _numbers(table, schema.score)
        _check_scores(schema.score, score)
    by_score = np.where(np.isnan(score), -1, score >= schema.threshold)
    return score[:, None], np.where(classes < 0, by_score, classes).astype(np.int32)


def _numbers(table: pa.Table, name: str) -> Floats:
    try:
        return floats(whole(table[name]))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(
            f"{name!r} of the reference holds {table[name].type}, where numbers are needed"
        ) from error


def _check_scores(name: str, scores: Floats) -> None:
    known = scores[~np.isnan(scores)]
    if len(known) and not 0 <= known.min() <= known.max() <= 1:
        raise SchemaError(
            f"score {name!r} of the reference lies between {known.min():g} and {known.max():g}; it "
            "has to be a probability, in [0, 1]"
        )


def _named(column: str) -> str:
    return f"{column!r} of the reference"
