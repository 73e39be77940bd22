"""What a caller logs, copied and checked just enough to leave the serving path at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from tocsin.errors import InvalidInputError
from tocsin.ids import uuid7

PREDICTION_KEYS = frozenset({"prediction_id", "timestamp", "model_version", "inputs", "outputs"})
OUTCOME_KEYS = frozenset({"prediction_id", "timestamp", "actual_outcome"})


@dataclass(frozen=True, slots=True)
class Prediction:
    """One prediction; its inputs and outputs are the caller's values, not yet JSON."""

    kind: ClassVar[str] = "predictions"

    prediction_id: str
    timestamp: datetime | str
    model_version: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What really happened to one prediction."""

    kind: ClassVar[str] = "outcomes"

    prediction_id: str
    timestamp: datetime | str
    actual_outcome: Any


Row = Prediction | Outcome


def prediction(
    record: Mapping[str, Any], prediction_id: str, model_version: str, now: datetime
) -> Prediction:
    """The row of a record; `model_version` and `now` stand in for what the record leaves out.

    Raises: InvalidInputError when the record has other keys than a prediction's, or lacks some.
    """
    _check_keys(record, known=PREDICTION_KEYS, needed=("inputs", "outputs"))
    timestamp = record.get("timestamp")
    return Prediction(
        prediction_id,
        now if timestamp is None else timestamp,
        record.get("model_version") or model_version,
        _copied(record["inputs"], "inputs"),
        _copied(record["outputs"], "outputs"),
    )


def outcome(record: Mapping[str, Any], now: datetime) -> Outcome:
    """The row of a record; `now` stands in for a timestamp that is left out.

    Raises: InvalidInputError when the record has other keys than an outcome's, or lacks some.
    """
    _check_keys(record, known=OUTCOME_KEYS, needed=("prediction_id", "actual_outcome"))
    timestamp = record.get("timestamp")
    return Outcome(
        record["prediction_id"], now if timestamp is None else timestamp, record["actual_outcome"]
    )


def given_or_new_id(record: object) -> str:
    """The record's own prediction id, or a new one where it has none."""
    given = record.get("prediction_id") if isinstance(record, Mapping) else None
    return uuid7() if given is None else given


def _check_keys(record: object, *, known: frozenset[str], needed: tuple[str, ...]) -> None:
    if not isinstance(record, Mapping):
        # The type only: the repr of a host's object may be slow, and may raise.
        raise InvalidInputError(
            f"a {type(record).__name__} is not a record; give a dict with {_list(known)}"
        )
    # A misspelt "timestamp" would otherwise be replaced by the present without a word.
    if unknown := record.keys() - known:
        raise InvalidInputError(f"unknown key {_list(unknown)} in a record; known: {_list(known)}")
    for key in needed:
        if key not in record:
            raise InvalidInputError(f"a record has no {key!r}; it needs {_list(needed)}")


def _copied(values: Any, name: str) -> dict[str, Any]:
    try:
        return dict(values)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{name} is a {type(values).__name__}; give a dict by column name"
        ) from error


def _list(keys: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, keys)))
