"""What a body gives, as columns by name: records of JSON, or columns of JSON, Arrow or Parquet."""

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

import pyarrow as pa

from tocsin.schema import Schema
from tocsin.service.decoding.misfits import Misfits, shown, to_json
from tocsin.service.decoding.values import Values, as_object, listed

ID_NAMES = ("prediction_id", "request_id", "inferenceId", "inference_id")
PARTS = ("inputs", "outputs", "keys")
# What a row says of itself, beside what the model took and gave.
ROW_FIELDS = frozenset(
    {*ID_NAMES, *PARTS, "timestamp", "model_version", "actual_outcome", "label", "deleted"}
    | {"outcome_timestamp"}
)
Row = dict[str, Any]


class Given(Protocol):
    """Rows of one request."""

    misfits: Misfits

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    def top(self, name: str) -> Values | None:
        """A column that says something of the row itself; None where no row has it."""
        ...

    def part(self, part: str, name: str) -> Values | None:
        """A column of the `inputs`, `outputs` or `keys`."""
        ...

    def extra(self, known: Collection[str], filled: Sequence[int]) -> list[str | None]:
        """The inputs beside the known ones as JSON; filled: how many known ones each row has."""
        ...

    def raw(self, row: int) -> str:
        """A row as it came, as JSON."""
        ...


class Records:
    """Records as they came in JSON: `inputs` and `outputs` apart, or all side by side."""

    def __init__(self, rows: list[Any], schema: Schema, what: str) -> None:
        self.misfits = Misfits()
        self._rows = rows
        self._tops: list[Row] = rows
        if set(map(type, rows)) - {dict}:
            self._tops = [row if isinstance(row, dict) else {} for row in rows]
            odd = (i for i, row in enumerate(rows) if not isinstance(row, dict))
            self.misfits.of(odd, lambda i: f"{what} has to be an object, not {shown(rows[i])}")
        self._parts: dict[str, list[Any]] = {
            part: [row.get(part) for row in self._tops] for part in PARTS
        }
        self._names: set[str] = set().union(*self._tops)
        self._inputs: dict[str, list[Any]] = {}
        self._schema = schema

    def __len__(self) -> int:
        return len(self._rows)

    def need_inputs(self) -> None:
        """Take rows apart that have inputs and outputs side by side; others have to have both."""
        inputs, outputs = self._parts["inputs"], self._parts["outputs"]
        features = [feature.name for feature in self._schema.features]
        names = {*features, *self._schema.renamed()}
        results, rest = _outputs(self._schema), _not_inputs(self._schema)
        for i, row in enumerate(self._tops):
            if inputs[i] is None and not names.isdisjoint(row):
                inputs[i] = {name: value for name, value in row.items() if name not in rest}
                if outputs[i] is None:
                    outputs[i] = {name: row[name] for name in results & row.keys()}
        for part in ("inputs", "outputs"):
            self._need_objects(part)
        self._inputs = _columns(inputs, features)

    def _need_objects(self, part: str) -> None:
        column = self._parts[part]
        if set(map(type, column)) <= {dict}:
            return
        for row, value in enumerate(column):
            if not isinstance(value, dict):
                self.misfits.add(row, self._lack(row, part, value))
                column[row] = {}

    def _lack(self, row: int, part: str, value: Any) -> str:
        if value is not None or not self._tops[row]:
            return f"{part} has to be an object, not {shown(value)}"
        has = shown(sorted(self._tops[row]))
        beside = "feature" if part == "inputs" else "output"
        return f"{part} is missing, and no {beside} of the schema stands beside; there are {has}"

    def top(self, name: str) -> Values | None:
        """A field of the records."""
        if name not in self._names:
            return None
        found = [row.get(name) for row in self._tops]
        return None if _empty(found) else found

    def part(self, part: str, name: str) -> Values | None:
        """A field of one of their parts."""
        if part == "inputs" and name in self._inputs:
            return self._inputs[name]
        rows = self._parts[part]
        found = [row.get(name) if type(row) is dict else None for row in rows]
        return None if _empty(found) else found

    def extra(self, known: Collection[str], filled: Sequence[int]) -> list[str | None]:
        """The other inputs."""
        names = set(known)
        return [
            None
            if len(inputs) == count or names.issuperset(inputs)
            else to_json({name: value for name, value in inputs.items() if name not in names})
            for inputs, count in zip(self._parts["inputs"], filled, strict=True)
        ]

    def raw(self, row: int) -> str:
        """The record."""
        return to_json(self._rows[row])


class Columns:
    """Columns by name: `inputs.distance`, or simply `distance` where nothing else is called so."""

    def __init__(self, rows: int, columns: Mapping[str, Values], schema: Schema) -> None:
        self.misfits = Misfits()
        self._n = rows
        self._columns = columns
        features = {feature.name for feature in schema.features}
        self._inputs = {
            name: f"inputs.{name}" if f"inputs.{name}" in columns else name for name in features
        }
        taken = _not_inputs(schema)
        for name in columns:
            part, dot, rest = name.partition(".")
            if dot and part == "inputs":
                self._inputs.setdefault(rest, name)
            elif not (dot and part in PARTS) and name not in taken:
                self._inputs.setdefault(name, name)

    def __len__(self) -> int:
        return self._n

    def top(self, name: str) -> Values | None:
        """A column."""
        return self._columns.get(name)

    def part(self, part: str, name: str) -> Values | None:
        """A column of a part, by its dotted name or its own."""
        if part == "inputs":
            return self._columns.get(self._inputs.get(name, name))
        return self._columns.get(f"{part}.{name}", self._columns.get(name))

    def extra(self, known: Collection[str], filled: Sequence[int]) -> list[str | None]:
        """The other inputs."""
        others = {name: column for name, column in self._inputs.items() if name not in known}
        if not others:
            return [None] * len(filled)
        values = zip(*(listed(self._columns[column]) for column in others.values()), strict=True)
        return [to_json(dict(zip(others, row, strict=True))) for row in values]

    def raw(self, row: int) -> str:
        """The row as an object."""
        found: Row = {}
        for name, values in self._columns.items():
            value = as_object(values[row]) if isinstance(values, pa.Array) else values[row]
            part, dot, rest = name.partition(".")
            if dot and part in PARTS:
                found.setdefault(part, {})[rest] = value
            else:
                found[name] = value
        return to_json(found)


def _columns(rows: list[Row], names: list[str]) -> dict[str, list[Any]]:
    """All columns at once, which is twice as fast as one by one; none where a row lacks a name."""
    if len(names) < 2 or not rows:
        return {}
    try:
        found = zip(*map(itemgetter(*names), rows), strict=True)
    except KeyError:
        return {}
    return dict(zip(names, map(list, found), strict=True))


def _not_inputs(schema: Schema) -> set[str]:
    """What a name means in a row that has all side by side, if it is no input."""
    features = {feature.name for feature in schema.features}
    others = {*ROW_FIELDS, schema.label, *schema.join_on} - features
    return others | _outputs(schema) | set(PARTS)


def _outputs(schema: Schema) -> set[str]:
    return {name for name in (schema.score, schema.prediction, *schema.scores) if name}


def _empty(values: list[Any]) -> bool:
    return values.count(None) == len(values)
