"""What a caller logs, copied and checked just enough to leave the serving path at once."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol, Self

from tocsin.errors import InvalidInputError
from tocsin.ids import ID_NAMES, uuid7

PREDICTION_KEYS = frozenset({"prediction_id", "timestamp", "model_version", "inputs", "outputs"})
# What outcomes may call their fields, as the server reads them; of several the first that is there.
OUTCOME_NAMES = {
    "prediction_id": ID_NAMES,
    "actual_outcome": ("actual_outcome", "label"),
    "timestamp": ("outcome_timestamp", "timestamp"),
}
OUTCOME_KEYS = frozenset(name for names in OUTCOME_NAMES.values() for name in names)

Kind = Literal["predictions", "outcomes"]
Encoded = bytes | Exception


# Named tuples, because a frozen dataclass takes four times as long to make.
class Prediction(NamedTuple):
    """One prediction; its inputs and outputs are the caller's values, not yet JSON."""

    prediction_id: str
    timestamp: datetime | str
    model_version: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]

    @property
    def kind(self) -> Kind:
        """Where it is posted to."""
        return "predictions"


class Outcome(NamedTuple):
    """What really happened to one prediction."""

    prediction_id: str
    timestamp: datetime | str
    actual_outcome: Any

    @property
    def kind(self) -> Kind:
        """Where it is posted to."""
        return "outcomes"


class TableRows(Protocol):
    """Consecutive rows of a table, as one object until they are sent."""

    @property
    def kind(self) -> Kind:
        """Where they are posted to."""
        ...

    @property
    def rows(self) -> int:
        """How many."""
        ...

    def parted(self, rows: int) -> tuple[Self, Self]:
        """The first so many rows, and the others."""
        ...

    def encoded(self) -> Iterable[Encoded]:
        """Each row as JSON, or why it cannot be sent."""
        ...


Row = Prediction | Outcome
Logged = Row | TableRows


def prediction(
    record: Mapping[str, Any], prediction_id: str, model_version: str | None, now: datetime
) -> Prediction:
    """The row of a record; `model_version` and `now` stand in for what the record leaves out.

    Raises: InvalidInputError when the record has other keys than a prediction's, or lacks some.
    """
    _check_keys(record, known=PREDICTION_KEYS, needed=("inputs", "outputs"))
    timestamp = record.get("timestamp")
    return Prediction(
        prediction_id,
        now if timestamp is None else timestamp,
        version_of(record.get("model_version") or model_version),
        copied(record["inputs"], "inputs"),
        copied(record["outputs"], "outputs"),
    )


def version_of(model_version: str | None) -> str:
    """The version of a prediction. Raises: InvalidInputError when nobody says which."""
    if model_version is None:
        raise InvalidInputError(
            "a prediction needs a model_version: give it to the Client, or with the prediction"
        )
    return model_version


def outcome(record: Mapping[str, Any], now: datetime) -> Outcome:
    """The row of a record; `now` stands in for a timestamp that is left out.

    Raises: InvalidInputError when the record has other keys than an outcome's, or lacks some.
    """
    _check_keys(record, known=OUTCOME_KEYS, needed=())
    given = {name: _first(record, names) for name, names in OUTCOME_NAMES.items()}
    for name in ("prediction_id", "actual_outcome"):
        names = OUTCOME_NAMES[name]
        if record.keys().isdisjoint(names):
            raise InvalidInputError(
                f"a record has no {name!r} (nor {listed(names[1:])}); it needs prediction_id and "
                "actual_outcome"
            )
    timestamp = given["timestamp"]
    return Outcome(
        given["prediction_id"], now if timestamp is None else timestamp, given["actual_outcome"]
    )


def _first(record: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((value for name in names if (value := record.get(name)) is not None), None)


def given_or_new_id(record: object) -> str:
    """The record's own prediction id, or a new one where it has none."""
    given = record.get("prediction_id") if isinstance(record, Mapping) else None
    return uuid7() if given is None else given


def copied(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The inputs or outputs of one prediction, out of reach of later changes.

    Raises: InvalidInputError for what is no dict.
    """
    try:
        return dict(values)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{name} is a {type(values).__name__}; give a dict by column name"
        ) from error


def listed(names: Iterable[object]) -> str:
    """Names as a message shows them."""
    return ", ".join(sorted(map(str, names)))


def _check_keys(record: object, *, known: frozenset[str], needed: tuple[str, ...]) -> None:
    if not isinstance(record, Mapping):
        # The type only: the repr of a host's object may be slow, and may raise.
        raise InvalidInputError(
            f"a {type(record).__name__} is not a record; give a dict with {listed(known)}"
        )
    # A misspelt "timestamp" would otherwise be replaced by the present without a word.
    if unknown := record.keys() - known:
        raise InvalidInputError(
            f"unknown key {listed(unknown)} in a record; known: {listed(known)}"
        )
    for key in needed:
        if key not in record:
            raise InvalidInputError(f"a record has no {key!r}; it needs {listed(needed)}")
