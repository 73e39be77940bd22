"""Rows of a source as the server wants them, whatever their columns are called there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

import pyarrow as pa

from tocsin.errors import InvalidInputError
from tocsin.ids import ID_NAMES
from tocsin.importing.model import Kind, Model
from tocsin.importing.tables import check_zone, flag, renamed, zoned
from tocsin.sources import Batch, Tombstone

_ROLES = (
    "prediction_id",
    "timestamp",
    "model_version",
    "actual_outcome",
    "outcome_timestamp",
    "deleted",
)
_BOOLEANS = {"1": "true", "0": "false"}


@dataclass(frozen=True)
class Columns:
    """What the server's columns are called in the source, and the zone of times that name none."""

    names: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo | None = None

    def check(self, model: Model) -> None:
        """Raises: InvalidInputError for a name that the model does not have."""
        known = (*_ROLES, *model.keys, *model.features, *model.outputs)
        odd = next((name for name in self.names if name not in known), None)
        if odd is not None:
            raise InvalidInputError(
                f"--column {odd}={self.names[odd]}: model {model.name!r} has no {odd!r}; it has "
                f"{', '.join(known)}"
            )

    def check_place(self, place: Sequence[str], model: Model) -> None:
        """Raises: InvalidInputError when a position holds what the server does not store."""
        hidden = set(model.private)
        if "prediction_id" in hidden:
            hidden |= set(ID_NAMES)
        hidden |= {was for name in model.private for was in model.was.get(name, ())}
        hidden |= {self.names[name] for name in hidden if name in self.names}
        odd = next((name for name in place if name in hidden), None)
        if odd is not None:
            raise InvalidInputError(
                f"how far {model.name!r} was read would be kept as a value of {odd!r}, which its "
                "`privacy` hashes or drops; name another --cursor or --key"
            )


@dataclass(frozen=True, eq=False)
class Shaped:
    """Rows for the server, and how many were left out for want of a time or a label.

    rows: records, or a table with columns such as `inputs.distance`. tombstones: left out, as they
    take nothing back.
    """

    rows: pa.Table | Sequence[Any]
    timeless: int
    unlabelled: int
    tombstones: int = 0


def shaped(batch: Batch, kind: Kind, model: Model, columns: Columns) -> Shaped:
    """The rows of a batch in the server's plain shape.

    Raises: InvalidInputError when a table lacks a column, or a time needs a zone.
    """
    names = columns.names
    if isinstance(batch.rows, pa.Table):
        found = renamed(batch, kind, model, names, columns.zone)
        return Shaped(found.rows, found.timeless, found.unlabelled)
    shape = _prediction if kind == "predictions" else _outcome
    records: list[Any] = []
    timeless = unlabelled = tombstones = 0
    for index, row in enumerate(batch.rows):
        if isinstance(row, Tombstone):
            taken_back = _taken_back(row, batch, index) if kind == "outcomes" else None
            if taken_back is None:
                tombstones += 1
            else:
                records.append(taken_back)
            continue
        if not isinstance(row, dict):
            records.append(row)
            continue
        source = _Source(row, names, batch, index)
        if batch.text and columns.zone is None:
            check_zone(names.get("timestamp", "timestamp"), source.get("timestamp"))
        record = shape(source, model, columns.zone)
        deleted = record.get("deleted", False)
        if kind == "outcomes" and record.get("actual_outcome") is None and not deleted:
            unlabelled += 1
        elif record.get("timestamp") is None:
            timeless += 1
        else:
            records.append(record)
    return Shaped(records, timeless, unlabelled, tombstones)


def _taken_back(row: Tombstone, batch: Batch, index: int) -> dict[str, Any] | None:
    """The outcome of the prediction that the key names ceases to be; None where it names none."""
    moment = batch.times[index]
    if not row.key or moment is None:
        return None
    return {"prediction_id": row.key, "timestamp": moment, "deleted": True}


@dataclass(frozen=True, eq=False)
class _Source:
    """One record of a source by the server's names."""

    row: dict[str, Any]
    names: Mapping[str, str]
    batch: Batch
    index: int

    def get(self, name: str) -> Any:
        return self.row.get(self.names.get(name, name))

    def first(self, *names: str) -> Any:
        return next((value for name in names if (value := self.get(name)) is not None), None)

    def value(self, name: str, model: Model, zone: tzinfo | None) -> Any:
        value = self.first(*model.names_of(name))
        if name in model.moments:
            return zoned(value, zone)
        return _read(value, name, model) if self.batch.text else value


def _prediction(source: _Source, model: Model, zone: tzinfo | None) -> dict[str, Any]:
    nested = isinstance(source.row.get("inputs"), dict) or isinstance(
        source.row.get("outputs"), dict
    )
    record = dict(source.row) if nested else _flat(source, model, zone)
    prediction_id = source.first(*ID_NAMES)
    record["prediction_id"] = (
        source.batch.ids[source.index] if prediction_id is None else prediction_id
    )
    moment = source.get("timestamp")
    if moment is None and source.batch.times:
        moment = source.batch.times[source.index]
    record["timestamp"] = zoned(moment, zone)
    record |= _keys(source, model)
    version = source.get("model_version")
    if version is not None:
        record["model_version"] = version
    return record


def _flat(source: _Source, model: Model, zone: tzinfo | None) -> dict[str, Any]:
    return {
        "inputs": {name: source.value(name, model, zone) for name in model.features},
        "outputs": {name: source.value(name, model, zone) for name in model.outputs},
    }


def _keys(source: _Source, model: Model) -> dict[str, Any]:
    """The keys that outcomes are joined by, where the model has some."""
    found = {key: value for key in model.keys if (value := source.get(key)) is not None}
    return {"keys": found} if found else {}


def _outcome(source: _Source, model: Model, zone: tzinfo | None) -> dict[str, Any]:
    moment = source.first("outcome_timestamp", "timestamp")
    if moment is None and source.batch.times:
        moment = source.batch.times[source.index]
    label = source.first("actual_outcome", "label", model.label)
    deleted = source.get("deleted")
    if source.batch.text:
        deleted = flag(deleted)
    return _keys(source, model) | {
        "prediction_id": source.first(*ID_NAMES),
        "timestamp": zoned(moment, zone),
        "actual_outcome": _read(label, model.label, model) if source.batch.text else label,
        **({} if deleted is None else {"deleted": deleted}),
    }


def _read(value: Any, name: str, model: Model) -> Any:
    """What text says; text that is no number stays, for the server to judge."""
    if not isinstance(value, str):
        return value
    if name in model.numbers:
        try:
            return float(value)
        except ValueError:
            return value
    if name in model.booleans:
        return _BOOLEANS.get(value, value.lower())
    return value


def absent_features(rows: pa.Table | Sequence[Any], model: Model) -> tuple[str, ...]:
    """The features that none of some rows has a value of."""
    if isinstance(rows, pa.Table):
        known = {name for name in rows.column_names if rows[name].null_count < rows.num_rows}
        return tuple(name for name in model.features if f"inputs.{name}" not in known)
    inputs = [row["inputs"] for row in rows if isinstance(row, dict) and "inputs" in row]
    given = {name for each in inputs for name, value in each.items() if value is not None}
    return tuple(n for n in model.features if given.isdisjoint(model.names_of(n)))
