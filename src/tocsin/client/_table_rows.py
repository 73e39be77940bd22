"""Rows of tables, from the call that logs them to the JSON that is sent."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from tocsin.client._plain import plain_column
from tocsin.client._rows import OUTCOME_KEYS, OUTCOME_NAMES, Encoded, Kind, listed, version_of
from tocsin.client._table import Read, Table, table
from tocsin.client._wire import encode_outcome, encode_prediction, encoded
from tocsin.errors import InvalidInputError
from tocsin.ids import uuid7s

_NEEDED = ("prediction_id", "actual_outcome")
OWN_COLUMNS = frozenset({"prediction_id", "timestamp", "model_version"})


@dataclass(frozen=True)
class _Slice:
    """Rows `start` to `stop` of something."""

    start: int
    stop: int

    @property
    def rows(self) -> int:
        """How many."""
        return self.stop - self.start

    def parted(self, rows: int) -> tuple[Self, Self]:
        """The first so many rows, and the others."""
        at = self.start + rows
        return replace(self, stop=at), replace(self, start=at)

    def read(self, columns: dict[str, Read]) -> list[list[Any]]:
        """The values of each column."""
        return [plain_column(read(self.start, self.stop)) for read in columns.values()]

    def read_or(self, column: Read | None, default: Any) -> list[Any]:
        """The values of a column that may be missing, and so may its values."""
        if column is None:
            return [default] * self.rows
        values = plain_column(column(self.start, self.stop))
        return [default if value is None else value for value in values]


@dataclass(frozen=True, eq=False)
class PredictionTable(_Slice):
    """Predictions of a table; `ids` are those of all its rows."""

    table: Table
    inputs: Table
    outputs: Table
    ids: Sequence[str]
    now: datetime
    model_version: str | None

    @property
    def kind(self) -> Kind:
        """Where they are posted to."""
        return "predictions"

    def encoded(self) -> Iterator[Encoded]:
        """Each row as JSON, or why it cannot be sent."""
        own = self.table.columns
        times = self.read_or(own.get("timestamp"), self.now)
        versions = self.read_or(own.get("model_version"), self.model_version)
        inputs = _records(self, self.inputs)
        outputs = _records(self, self.outputs)
        ids = self.ids[self.start : self.stop]
        for fields in zip(ids, times, versions, inputs, outputs, strict=True):
            yield encoded(_prediction, *fields)


@dataclass(frozen=True, eq=False)
class OutcomeTable(_Slice):
    """Outcomes of a table."""

    table: Table
    now: datetime

    @property
    def kind(self) -> Kind:
        """Where they are posted to."""
        return "outcomes"

    def encoded(self) -> Iterator[Encoded]:
        """Each row as JSON, or why it cannot be sent."""
        own = self.table.columns
        times = self.read_or(own.get("timestamp"), self.now)
        ids, actual = self.read({n: own[n] for n in _NEEDED})
        for fields in zip(ids, times, actual, strict=True):
            yield encoded(encode_outcome, *fields)


def prediction_table(
    given: Table, outputs: object, ids: Sequence[str], now: datetime, model_version: str | None
) -> PredictionTable:
    """The predictions of a table.

    outputs: the names of its columns that the model put out, or a table of as many rows.
    Raises: InvalidInputError when the two do not fit together.
    """
    names = (outputs,) if isinstance(outputs, str) else outputs
    if isinstance(names, list | tuple | set | frozenset):
        put_out = given.only(map(str, names))
        inputs = given.without(OWN_COLUMNS | put_out.columns.keys())
    elif (found := table(names)) is not None:
        put_out, inputs = found, given.without(OWN_COLUMNS)
    else:
        raise InvalidInputError(
            f"outputs is a {type(outputs).__name__}; give names of columns, or a table such as "
            '{"probability": scores}'
        )
    if put_out.rows != given.rows:
        raise InvalidInputError(f"{given.rows} row(s) of inputs but {put_out.rows} of outputs")
    return PredictionTable(0, given.rows, given, inputs, put_out, ids, now, model_version)


def outcome_table(given: Table, now: datetime) -> OutcomeTable:
    """The outcomes of a table. Raises: InvalidInputError when it lacks a column, or has others."""
    if unknown := given.columns.keys() - OUTCOME_KEYS:
        raise InvalidInputError(
            f"unknown column {listed(unknown)} in a table of outcomes; "
            f"known: {listed(OUTCOME_KEYS)}"
        )
    there = {
        name: next((each for each in names if each in given.columns), None)
        for name, names in OUTCOME_NAMES.items()
    }
    for name in _NEEDED:
        if there[name] is None:
            given.only((name,))
    columns = {n: given.columns[theirs] for n, theirs in there.items() if theirs is not None}
    return OutcomeTable(0, given.rows, replace(given, columns=columns), now)


def _prediction(prediction_id: str, timestamp: Any, version: Any, *more: Any) -> bytes:
    return encode_prediction(prediction_id, timestamp, version_of(version), *more)


def given_or_new_ids(given: Table) -> list[str]:
    """The ids of its column `prediction_id`, and new ones where it has none."""
    if (read := given.columns.get("prediction_id")) is None:
        return uuid7s(given.rows)
    named = plain_column(read(0, given.rows))
    new = iter(uuid7s(named.count(None)))
    return [next(new) if one is None else one for one in named]


def _records(part: _Slice, columns: Table) -> Iterable[dict[str, Any]]:
    names = tuple(columns.columns)
    if not names:
        return ({} for _ in range(part.rows))
    return (
        dict(zip(names, row, strict=True)) for row in zip(*part.read(columns.columns), strict=True)
    )
