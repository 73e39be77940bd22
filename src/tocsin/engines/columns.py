"""Somebody's table in the columns of the lake."""

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.engines.arrow import (
    MICROSECONDS,
    UNKNOWN_VERSION,
    Floats,
    as_text,
    as_times,
    class_labels,
    floats,
    whole,
)
from tocsin.engines.base import Source
from tocsin.engines.checks import check_names
from tocsin.errors import InvalidInputError, SchemaError
from tocsin.schema import Feature, Kind, Schema, Task
from tocsin.values import to_datetime

ID, AT, LABEL, OUTCOME_TIMESTAMP = "prediction_id", "timestamp", "label", "outcome_timestamp"


def lake_columns(source: Source, schema: Schema, names: Collection[str]) -> dict[str, str]:
    """What the columns of the lake are called in a source that has columns `names`.

    With the label, and when it was told, where they stand beside the predictions.
    Raises: InvalidInputError for those that it lacks.
    """
    outputs = _outputs(schema)
    wanted = {feature.column: feature.name for feature in schema.features}
    wanted |= {column: name for column, name in outputs.items() if name is not None}
    if source.until is not None:
        # Older rows of the lake lack the features that came later.
        return {column: column for column in ["timestamp", "model_version", *wanted, *outputs]}
    wanted["timestamp"] = "timestamp"
    found = {column: source.columns.get(column, name) for column, name in wanted.items()}
    missing = [name for name in found.values() if name not in names]
    # Classes may be given beside scores, or follow from them.
    if schema.task is not Task.REGRESSION and (schema.score or schema.scores):
        missing = [name for name in missing if name != found.get("prediction")]
        found = {c: name for c, name in found.items() if c != "prediction" or name in names}
    if missing:
        raise InvalidInputError(
            f"the predictions lack {', '.join(missing)}; they have {', '.join(sorted(names))}"
        )
    found |= _beside(source, names)
    check_names(names, found.values(), "the predictions")
    return found


def _outputs(schema: Schema) -> dict[str, str | None]:
    """The outputs' columns in the lake, and their names."""
    if schema.task is Task.BINARY:
        return {"score": schema.score, "prediction": schema.prediction}
    scores = zip(schema.score_columns(), schema.scores, strict=True)
    return {**dict(scores), "prediction": schema.prediction}


def _beside(source: Source, names: Collection[str]) -> dict[str, str]:
    """The columns that a source may have and need not; a label is told at once if none says when.

    Raises: InvalidInputError when one is in the names of folders only, or ids are needed.
    """
    identity, version = source.name(ID), source.name("model_version")
    in_folders = next(
        (n for n in (identity, version) if n not in names and _is_folder(n, source)), None
    )
    if in_folders is not None:
        raise InvalidInputError(
            f"column {in_folders!r} is in the names of folders and not in the files; write it "
            "into them too"
        )
    if source.outcomes and identity not in names:
        raise InvalidInputError(
            f"the predictions have no column {identity!r}, by which outcomes are joined"
        )
    label, told = source.name(LABEL), source.name(OUTCOME_TIMESTAMP)
    found = {ID: identity, "model_version": version}
    if not source.outcomes and label in names:
        found |= {LABEL: label, OUTCOME_TIMESTAMP: told if told in names else source.name(AT)}
    return {column: name for column, name in found.items() if name in names}


def _is_folder(name: str, source: Source) -> bool:
    return any(f"/{name}=" in file for file in source.predictions)


def outcome_columns(source: Source, names: Collection[str]) -> dict[str, str]:
    """What id, timestamp and label are called in a table of outcomes that has columns `names`.

    Raises: InvalidInputError for those that it lacks.
    """
    found = {column: source.outcome_name(column) for column in (ID, AT, LABEL)}
    missing = [name for name in found.values() if name not in names]
    if missing:
        raise InvalidInputError(
            f"the outcomes lack {', '.join(missing)}; they have {', '.join(sorted(names))}"
        )
    check_names(names, found.values(), "the outcomes")
    return found


def as_lake(schema: Schema, table: pa.Table, columns: Mapping[str, str]) -> pa.Table:
    """Rows in the columns of the lake, with label and outcome timestamp if they are among them.

    columns: what those of the lake are called in the table.
    Raises: InvalidInputError, SchemaError for values that cannot be what they are taken for.
    """
    n = table.num_rows
    found = {column: whole(table[name]) for column, name in columns.items() if column != ID}
    found[AT] = _times(found[AT], columns[AT])
    if OUTCOME_TIMESTAMP in found:
        found[OUTCOME_TIMESTAMP] = found[OUTCOME_TIMESTAMP].cast(MICROSECONDS, safe=False)
    if LABEL in found:
        found[LABEL] = lake_labels(schema, found[LABEL])
    versions = found.get("model_version")
    if versions is None:
        unknown = pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), [UNKNOWN_VERSION])
        found["model_version"] = unknown
    elif not pa.types.is_dictionary(versions.type):
        found["model_version"] = as_text(versions)
    for feature in schema.features:
        found[feature.column] = _feature(feature, found[feature.column])
    return pa.table(found | _read_outputs(schema, found, n))


def _times(values: pa.Array, name: str) -> pa.Array:
    """The times of predictions, all of them in the calendar.

    Raises: InvalidInputError for one that is null, or beyond the calendar.
    """
    if values.null_count:
        raise InvalidInputError(
            f"{values.null_count:,} predictions have no {name!r}, by which they belong to a day; "
            "fill it, or leave them out"
        )
    try:
        found = values.cast(MICROSECONDS, safe=False)
        ends = pc.min_max(found.cast(pa.int64())).as_py() if len(found) else {}
        for end in ends.values():
            to_datetime(end)
    except (OverflowError, pa.ArrowInvalid) as error:
        raise InvalidInputError(
            f"{name!r} has times beyond the year 9999; correct them, or leave them out"
        ) from error
    return found


def _read_outputs(schema: Schema, found: Mapping[str, pa.Array], n: int) -> dict[str, pa.Array]:
    """Scores as numbers, classes as the lake has them."""
    said = f"prediction {schema.prediction!r}"
    if schema.task is Task.REGRESSION:
        return {"prediction": _numbers(found["prediction"], said)}
    named = {"score": schema.score} if schema.score else {}
    named |= dict(zip(schema.score_columns(), schema.scores, strict=True))
    outputs = {c: _numbers(found[c], f"score {name!r}") for c, name in named.items()}
    for column, name in named.items():
        _check_scores(name, floats(outputs[column]))
    given = np.full(n, np.nan)
    if "prediction" in found:
        given = class_labels(schema, found["prediction"], said)
    if schema.task is Task.MULTICLASS:
        return outputs | {"prediction": _classes(schema, given)}
    score = floats(outputs["score"]) if schema.score else np.full(n, np.nan)
    by_score = np.where(np.isnan(score), np.nan, score >= schema.threshold)
    predicted = np.where(np.isnan(given), by_score, given)
    return {
        "score": pa.array(score, from_pandas=True),
        "prediction": pa.array(predicted, from_pandas=True).cast(pa.int8()),
    }


def _check_scores(name: str | None, scores: Floats) -> None:
    if ((scores < 0) | (scores > 1)).any():
        raise InvalidInputError(
            f"score {name!r} lies between {np.nanmin(scores):g} and {np.nanmax(scores):g}; it has "
            "to be a probability, in [0, 1]"
        )


def lake_labels(schema: Schema, values: pa.Array) -> pa.Array:
    """Labels as the lake has them: 1 for the positive class, the class as text, or the number.

    Raises: SchemaError for one that is no class of the model, or no number.
    """
    if schema.task is Task.REGRESSION:
        return _numbers(values, "the label")
    numbers = class_labels(schema, values, "the label")
    if schema.task is Task.MULTICLASS:
        return _classes(schema, numbers)
    return pa.array(numbers, from_pandas=True).cast(pa.int8())


def _classes(schema: Schema, numbers: Floats) -> pa.Array:
    """Classes by number as text."""
    codes = pa.array(numbers, from_pandas=True).cast(pa.int32())
    return pa.DictionaryArray.from_arrays(codes, pa.array(schema.classes, pa.string()))


def _feature(feature: Feature, values: pa.Array) -> pa.Array:
    """Text as numbers or times where such are needed."""
    name = f"feature {feature.name!r}"
    if feature.kind is Kind.NUMERIC:
        return _numbers(values, name)
    if feature.kind is not Kind.DATETIME or not _is_text(values):
        return values
    try:
        return as_times(_plain(values))
    except pa.ArrowInvalid as error:
        raise SchemaError(f"{name} is text, and not all of it are times: {error}") from error


def _numbers(values: pa.Array, name: str) -> pa.Array:
    """Text as numbers, others as they are. Raises: SchemaError for text that is none."""
    if not _is_text(values):
        return values
    try:
        return _plain(values).cast(pa.float64())
    except pa.ArrowInvalid as error:
        raise SchemaError(f"{name} is text, and not all of it are numbers: {error}") from error


def _plain(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _is_text(values: pa.Array) -> bool:
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
