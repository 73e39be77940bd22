"""What a model gave, under the names by which its monitor knows it."""

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.capture.exchange import UnreadableError
from tocsin.schema import Schema, Task

Outputs = dict[str, Any]
# What a predicted class or number is called where the monitor has no name for it.
PREDICTION = "prediction"


def predictions_of(answer: Any) -> list[Any]:
    """What was predicted, by row: of a list, an array, a data frame or a dict of columns.

    A row whose values have no names but their numbers, as those of a data frame of PyTorch's, is a
    list, and a single value is by itself.
    Raises: UnreadableError for a single text, a stream and the like.

    >>> predictions_of([{"0": 0.3, "1": 0.7}]), predictions_of([{"0": 0.3}])
    ([[0.3, 0.7]], [0.3])
    """
    return [_unnumbered(row) for row in _rows(answer)]


def _unnumbered(row: Any) -> Any:
    if not isinstance(row, Mapping) or not row:
        return row
    if any(str(key) != str(number) for number, key in enumerate(row)):
        return row
    values = list(row.values())
    return values[0] if len(values) == 1 else values


def _rows(answer: Any) -> list[Any]:
    if hasattr(answer, "to_pylist"):
        return list(answer.to_pylist())
    if hasattr(answer, "to_dict") and hasattr(answer, "columns"):
        names = [str(name) for name in answer.columns]
        columns = [answer.iloc[:, i].tolist() for i in range(len(names))]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    if hasattr(answer, "tolist"):
        answer = answer.tolist()
    if isinstance(answer, Mapping):
        columns = [
            value.tolist() if hasattr(value, "tolist") else value for value in answer.values()
        ]
        if not all(isinstance(column, list) for column in columns):
            return [dict(answer)]
        return [dict(zip(answer, row, strict=True)) for row in zip(*columns, strict=True)]
    if isinstance(answer, list | tuple):
        return list(answer)
    if isinstance(answer, int | float):
        return [answer]
    raise UnreadableError(f"an answer of type {type(answer).__name__} has no rows")


def outputs_of(
    prediction: Any,
    schema: Schema,
    classes: Sequence[Any] | None = None,
    probabilities: Sequence[float] | None = None,
) -> Outputs:
    """The outputs of one row.

    prediction: as the model gave it: a class or a number, the probabilities of all classes, or a
    dict by name, which is left as it is. classes: in the order of the probabilities; None where the
    model does not tell, which is then that of the monitor. probabilities: computed beside.
    """
    if isinstance(prediction, Mapping):
        named: Outputs = dict(prediction)
    elif isinstance(prediction, list | tuple):
        if schema.task is Task.REGRESSION:
            return {schema.prediction or PREDICTION: prediction[0] if prediction else None}
        named = _scores(prediction, schema, classes)
    else:
        named = _single(prediction, schema, classes)
    return named if probabilities is None else {**_scores(probabilities, schema, classes), **named}


def wants_scores(schema: Schema) -> bool:
    """Whether the monitor has use for the probabilities of classes."""
    return schema.score is not None or bool(schema.scores)


def _single(value: Any, schema: Schema, classes: Sequence[Any] | None) -> Outputs:
    if schema.task is not Task.BINARY or classes is not None or schema.score is None:
        return {schema.prediction or PREDICTION: value}
    # Nothing is known of the model: a number that is no class is the score.
    if schema.prediction is not None and schema.class_of(value) is not None:
        return {schema.prediction: value}
    return {schema.score: value}


def _scores(values: Sequence[Any], schema: Schema, classes: Sequence[Any] | None) -> Outputs:
    if len(values) == 1 and schema.task is Task.BINARY:
        return _single(values[0], schema, None)
    known = schema.labels if classes is None else classes
    if len(known) != len(values):
        raise UnreadableError(f"{len(values)} probabilities for {len(known)} classes")
    numbers = [schema.class_of(name) for name in known]
    unnamed: tuple[str | None, ...] = (None,) * len(schema.labels)
    names = (None, schema.score) if schema.task is Task.BINARY else schema.scores or unnamed
    return {
        name: value
        for number, value in zip(numbers, values, strict=True)
        if number is not None and (name := names[number]) is not None
    }
