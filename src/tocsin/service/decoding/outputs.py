"""What a model gave, by its task."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tocsin.schema import Schema, Task
from tocsin.service.decoding.given import Given
from tocsin.service.decoding.values import Values, classes, finite, probabilities

Arrays = dict[str, pa.Array]
Floats = NDArray[np.float64]
Codes = NDArray[np.int32]


def outputs(given: Given, schema: Schema) -> Arrays:
    """The outputs in the lake's columns; classes follow from scores where none are given."""
    if schema.task is Task.REGRESSION:
        values = given.part("outputs", schema.output)
        absent: Values = [None] * len(given)
        place = f"outputs.{schema.output}"
        return {"prediction": finite(absent if values is None else values, place, given.misfits)}
    predicted = _predicted(given, schema)
    names = schema.scores if schema.task is Task.MULTICLASS else (schema.score,)
    scores = [_scores(given, name) for name in names if name is not None]
    matrix = np.array([s.to_numpy(zero_copy_only=False) for s in scores], float)
    matrix = matrix.reshape(len(scores), len(given))
    # Without all of them there are none.
    scored = ~np.isnan(matrix).any(axis=0) if scores else np.zeros(len(given), np.bool_)
    wanted = " or ".join(f"outputs.{name}" for name in (*names, schema.prediction) if name)
    given.misfits.of(np.flatnonzero((predicted < 0) & ~scored), lambda _: f"{wanted} is missing")
    if scores:
        by_score = _by_score(matrix, scored, schema)
        predicted = np.where((predicted < 0) & scored, by_score, predicted)
    classes_given = pa.array(predicted.astype(np.int32), mask=predicted < 0)
    if schema.task is Task.BINARY:
        score = scores[0] if scores else pa.nulls(len(given), pa.float64())
        return {"score": score, "prediction": classes_given.cast(pa.int8())}
    unknown = pa.scalar(None, pa.float64())
    found = {
        column: pc.if_else(pa.array(scored), score, unknown)
        for column, score in zip(schema.score_columns(), scores, strict=True)
    }
    return found | {"prediction": class_texts(classes_given, schema)}


def class_texts(classes_given: pa.Array, schema: Schema) -> pa.Array:
    """Classes by number as they are written."""
    return pa.array(schema.classes, pa.string()).take(classes_given)


def _predicted(given: Given, schema: Schema) -> Codes:
    """(n,) the classes that were given, -1 where none was."""
    values = None if schema.prediction is None else given.part("outputs", schema.prediction)
    if values is None:
        return np.full(len(given), -1, np.int32)
    found = classes(values, schema, f"outputs.{schema.prediction}", given.misfits)
    return np.asarray(found.fill_null(-1).to_numpy(), np.int32)


def _by_score(scores: Floats, scored: NDArray[np.bool_], schema: Schema) -> Codes:
    """(n,) the classes by their scores, of which there is a row for each."""
    if schema.task is Task.BINARY:
        return np.asarray(scores[0] >= schema.threshold, np.int32)
    return np.asarray(np.argmax(np.where(scored, scores, 0), axis=0), np.int32)


def _scores(given: Given, name: str) -> pa.Array:
    values = given.part("outputs", name)
    if values is None:
        return pa.nulls(len(given), pa.float64())
    return probabilities(values, f"outputs.{name}", given.misfits)
