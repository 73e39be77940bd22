"""Request bodies to Arrow rows, and the rows that do not fit, with their reasons."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

import msgspec
import pyarrow as pa

from tocsin.errors import MalformedBodyError
from tocsin.ids import MAX_ID_LENGTH, uuid7
from tocsin.lake import outcomes_schema, predictions_schema, quarantine_schema
from tocsin.schema import Feature, Kind, Schema, Task, column_of
from tocsin.values import DAY, from_datetime

_ID_NAMES = ("prediction_id", "request_id", "inferenceId", "inference_id")
_SHOWN = 80
_SHOWN_CLASSES = 10
# How far a client's clock may be ahead.
FUTURE = DAY

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Decoded:
    """A body's rows.

    rows: those that fit, in the lake's columns. quarantine: the others. reasons: (row, reason).
    assigned: ids made here for rows that had none, by row.
    """

    rows: pa.Table
    quarantine: pa.Table
    reasons: tuple[tuple[int, str], ...]
    assigned: tuple[tuple[int, str], ...] = ()


class _MisfitError(Exception):
    """A row that does not fit; the message is the reason."""


def decode_predictions(body: bytes, schema: Schema, *, version: str, now: int) -> Decoded:
    """The predictions of a JSON body: one record, or an array of records.

    version: for rows that name none; now: the timestamp of rows that have none.
    Raises: MalformedBodyError when the body is not such JSON, with the position.
    """
    return _decode(
        body,
        predictions_schema(schema),
        lambda row: _prediction(row, schema, version=version, now=now),
        kind="predictions",
        now=now,
    )


def decode_outcomes(body: bytes, schema: Schema, *, now: int) -> Decoded:
    """The outcomes of a JSON body: one record, or an array of records.

    Raises: MalformedBodyError when the body is not such JSON, with the position.
    """
    return _decode(
        body,
        outcomes_schema(schema),
        lambda row: _outcome(row, schema, now=now),
        kind="outcomes",
        now=now,
    )


def _decode(
    body: bytes, columns: pa.Schema, parse: Callable[[Row], Row], *, kind: str, now: int
) -> Decoded:
    good: list[Row] = []
    bad: list[Row] = []
    reasons: list[tuple[int, str]] = []
    assigned: list[tuple[int, str]] = []
    for index, record in enumerate(_records(body)):
        try:
            row = parse(record)
        except _MisfitError as misfit:
            reasons.append((index, str(misfit)))
            raw = msgspec.json.encode(record).decode()
            bad.append({"timestamp": now, "kind": kind, "row": raw, "reason": str(misfit)})
            continue
        if row.pop("assigned", False):
            assigned.append((index, row["prediction_id"]))
        good.append(row)
    return Decoded(
        pa.Table.from_pylist(good, schema=columns),
        pa.Table.from_pylist(bad, schema=quarantine_schema()),
        tuple(reasons),
        tuple(assigned),
    )


def _records(body: bytes) -> list[Any]:
    if not body.strip():
        raise MalformedBodyError("the body is empty; send a JSON record or an array of them", 0)
    try:
        parsed = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise MalformedBodyError(
            f"the body is not JSON: {error}", _position(error, body)
        ) from error
    except RecursionError as error:
        raise MalformedBodyError("the body is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise MalformedBodyError(
            f"the body is not UTF-8 at byte {error.start}", error.start
        ) from error
    if isinstance(parsed, dict):
        return [parsed]
    if isinstance(parsed, list):
        return parsed
    raise MalformedBodyError(
        f"the body is a JSON {type(parsed).__name__}; send a record or an array of records", 0
    )


def _position(error: msgspec.DecodeError, body: bytes) -> int:
    """Where the parser stopped; at the end, when the body was cut short."""
    found = re.search(r"\(byte (\d+)\)", str(error))
    return int(found[1]) if found else len(body)


def _prediction(record: Any, schema: Schema, *, version: str, now: int) -> Row:
    record = _object(record, "a prediction")
    inputs = _object(record.get("inputs"), "inputs")
    outputs = _object(record.get("outputs"), "outputs")
    row: Row = {
        **_identity(record),
        "timestamp": _timestamp(record.get("timestamp"), now),
        "model_version": _version(record.get("model_version"), version),
    }
    known = set()
    for feature in schema.features:
        known.add(feature.name)
        row[feature.column] = _feature(inputs.get(feature.name), feature)
    row.update(_outputs(outputs, schema))
    extra = {name: value for name, value in inputs.items() if name not in known}
    row["extra"] = msgspec.json.encode(extra).decode() if extra else None
    return row


def _feature(value: Any, feature: Feature) -> Any:
    place = f"inputs.{feature.name}"
    if feature.kind is Kind.NUMERIC:
        return _number(value, place)
    if feature.kind is Kind.DATETIME:
        return None if value is None else _moment(value, place)
    return _category(value, feature.kind, place)


def _outputs(outputs: Row, schema: Schema) -> Row:
    if schema.task is Task.REGRESSION:
        return {"prediction": _finite(outputs.get(schema.output), f"outputs.{schema.output}")}
    predicted = None
    if schema.prediction is not None and outputs.get(schema.prediction) is not None:
        predicted = _class(outputs[schema.prediction], schema, f"outputs.{schema.prediction}")
    names = schema.scores if schema.task is Task.MULTICLASS else (schema.score,)
    scores = [None if name is None else _probability(outputs, name) for name in names]
    if predicted is None and (not scores or None in scores):
        wanted = " or ".join(f"outputs.{n}" for n in (*names, schema.prediction) if n)
        raise _MisfitError(f"{wanted} is missing")
    if schema.task is Task.MULTICLASS:
        # Without all of them there are none.
        columns = [column_of("output_", name) for name in schema.scores]
        known = scores if None not in scores else [None] * len(scores)
        if predicted is None:
            predicted = max(range(len(scores)), key=lambda i: known[i] or 0.0)
        written = schema.classes[predicted]
        return {**dict(zip(columns, known, strict=True)), "prediction": written}
    if predicted is None and scores[0] is not None:
        predicted = int(scores[0] >= schema.threshold)
    return {"score": scores[0], "prediction": predicted}


def _probability(outputs: Row, name: str) -> float | None:
    score = _number(outputs.get(name), f"outputs.{name}")
    if score is not None and not 0 <= score <= 1:
        raise _MisfitError(f"outputs.{name}: {score!r} is not a probability in [0, 1]")
    return score


def _finite(value: Any, place: str) -> float:
    number = _number(value, place)
    if number is None:
        raise _MisfitError(f"{place} is missing")
    if not isfinite(number):
        raise _MisfitError(f"{place}: {number} is not finite")
    return number


def _outcome(record: Any, schema: Schema, *, now: int) -> Row:
    record = _object(record, "an outcome")
    identity = _identity(record)
    if identity.get("assigned"):
        raise _MisfitError("prediction_id is missing: an outcome has to say whose it is")
    names = ("actual_outcome", "label", schema.label)
    name = next((n for n in names if record.get(n) is not None), None)
    if name is None:
        raise _MisfitError("actual_outcome is missing")
    return {
        **identity,
        "timestamp": _timestamp(record.get("timestamp"), now),
        "label": _label(record[name], schema, name),
    }


def _label(value: Any, schema: Schema, place: str) -> int | str | float:
    if schema.task is Task.REGRESSION:
        return _finite(value, place)
    number = _class(value, schema, place)
    return number if schema.task is Task.BINARY else schema.classes[number]


def _object(value: Any, what: str) -> Row:
    if not isinstance(value, dict):
        raise _MisfitError(f"{what} has to be an object, not {_shown(value)}")
    return value


def _identity(record: Row) -> Row:
    value = next((record[name] for name in _ID_NAMES if record.get(name) is not None), None)
    if value is None:
        return {"prediction_id": uuid7(), "assigned": True}
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        raise _MisfitError(f"prediction_id has to be text, not {_shown(value)}")
    if len(value) > MAX_ID_LENGTH:
        raise _MisfitError(f"prediction_id has {len(value)} characters, at most {MAX_ID_LENGTH}")
    return {"prediction_id": value}


def _timestamp(value: Any, now: int) -> int:
    if value is None:
        return now
    timestamp = _moment(value, "timestamp")
    if timestamp < 0:
        raise _MisfitError(f"timestamp {_shown(value)} is before 1970")
    if timestamp > now + FUTURE:
        # One such row would close all windows up to it.
        raise _MisfitError(f"timestamp {_shown(value)} is more than a day in the future")
    return timestamp


def _moment(value: Any, place: str) -> int:
    """Microseconds of ISO 8601 text."""
    if not isinstance(value, str):
        raise _MisfitError(f"{place} has to be ISO 8601 text, not {_shown(value)}")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _MisfitError(f"{place} {_shown(value)} is not ISO 8601") from None
    if moment.tzinfo is None:
        raise _MisfitError(f"{place} {_shown(value)} has no time zone; end it with Z or +00:00")
    try:
        return from_datetime(moment)
    except OverflowError:
        raise _MisfitError(f"{place} {_shown(value)} is out of range") from None


def _version(value: Any, default: str) -> str:
    if value is None:
        return default
    if isinstance(value, str | int) and not isinstance(value, bool) and str(value):
        return str(value)
    raise _MisfitError(f"model_version has to be text, not {_shown(value)}")


def _number(value: Any, place: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _MisfitError(f"{place}: expected a number, not {_shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise _MisfitError(f"{place}: {_shown(value)} is too large") from None


def _category(value: Any, kind: Kind, place: str) -> str | None:
    """A category as a reference would be written: 1.0 is 1, and of a boolean 1 is true."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or (kind is Kind.BOOLEAN and value in (0, 1)):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    raise _MisfitError(f"{place}: expected text, not {_shown(value)}")


def _class(value: Any, schema: Schema, place: str) -> int:
    found = None if isinstance(value, dict | list) else schema.class_of(value)
    if found is None:
        known = ", ".join(schema.labels[:_SHOWN_CLASSES])
        raise _MisfitError(f"{place}: {_shown(value)} is none of the classes {known}")
    return found


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def first_reasons(reasons: Iterable[tuple[int, str]], limit: int = 10) -> list[Row]:
    """The first reasons, as the answer to a request shows them."""
    shown: list[Row] = []
    for row, reason in reasons:
        if len(shown) == limit:
            break
        shown.append({"row": row, "reason": reason})
    return shown
