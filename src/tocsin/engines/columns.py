"""Somebody's table in the columns of the lake."""

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa

from tocsin.engines.arrow import (
    MICROSECONDS,
    UNKNOWN_VERSION,
    Floats,
    class_labels,
    floats,
    whole,
)
from tocsin.engines.base import Source
from tocsin.errors import InvalidInputError
from tocsin.schema import Schema, Task

LABEL, OUTCOME_TIMESTAMP = "label", "outcome_timestamp"


def lake_columns(source: Source, schema: Schema, names: Collection[str]) -> dict[str, str]:
    """What the columns of the lake are called in a source that has columns `names`.

    Raises: InvalidInputError for those that it lacks.
    """
    wanted = {feature.column: feature.name for feature in schema.features}
    outputs = {
        Task.BINARY: {"score": schema.score, "prediction": schema.prediction},
        Task.MULTICLASS: {
            **dict(zip(schema.score_columns(), schema.scores, strict=True)),
            "prediction": schema.prediction,
        },
        Task.REGRESSION: {"prediction": schema.prediction},
    }[schema.task]
    wanted |= {column: name for column, name in outputs.items() if name is not None}
    if source.until is not None:
        wanted = {column: column for column in [*wanted, *outputs]}
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
    version = source.name("model_version")
    return found | ({"model_version": version} if version in names else {})


def as_lake(schema: Schema, table: pa.Table, columns: Mapping[str, str]) -> pa.Table:
    """Rows in the columns of the lake; labels and outcome timestamps as they are.

    columns: what those of the lake are called in the table.
    Raises: SchemaError for a class that the model does not have.
    """
    n = table.num_rows
    found = {column: whole(table[name]) for column, name in columns.items()}
    found["timestamp"] = found["timestamp"].cast(MICROSECONDS)
    if "model_version" not in found:
        found["model_version"] = pa.DictionaryArray.from_arrays(
            np.zeros(n, np.int32), [UNKNOWN_VERSION]
        )
    if schema.task is Task.BINARY:
        score = floats(found["score"]) if "score" in found else np.full(n, np.nan)
        _check_scores(schema.score, score)
        predicted = np.where(np.isnan(score), np.nan, score >= schema.threshold)
        if "prediction" in found:
            given = class_labels(schema, found["prediction"], f"prediction {schema.prediction!r}")
            predicted = np.where(np.isnan(given), predicted, given)
        found["score"] = pa.array(score, from_pandas=True)
        found["prediction"] = pa.array(predicted, from_pandas=True).cast(pa.int8())
    elif schema.task is Task.MULTICLASS:
        for name, column in zip(schema.scores, schema.score_columns(), strict=True):
            _check_scores(name, floats(found[column]))
        found.setdefault("prediction", pa.nulls(n, pa.string()))
    return pa.table(found)


def _check_scores(name: str | None, scores: Floats) -> None:
    if ((scores < 0) | (scores > 1)).any():
        raise InvalidInputError(
            f"score {name!r} lies between {np.nanmin(scores):g} and {np.nanmax(scores):g}; it has "
            "to be a probability, in [0, 1]"
        )


def lake_labels(schema: Schema, values: pa.Array) -> pa.Array:
    """Labels as the lake has them: 1 for the positive class, the class as text, or the number."""
    if schema.task is not Task.BINARY:
        return values
    return pa.array(class_labels(schema, values, "the label"), from_pandas=True).cast(pa.int8())
