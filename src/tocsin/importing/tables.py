"""Arrow tables by the server's names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.errors import InvalidInputError
from tocsin.ids import ID_NAMES
from tocsin.importing.model import Kind, Model
from tocsin.sources import Batch

# Nothing is what a CSV has where a database has null.
_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": None}
_UTC = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, eq=False)
class Renamed:
    """A table by the server's names, and how many rows it lacks for want of a time or a label."""

    rows: pa.Table
    timeless: int
    unlabelled: int


def renamed(
    batch: Batch, kind: Kind, model: Model, names: Mapping[str, str], zone: tzinfo | None
) -> Renamed:
    """The rows of a table, in the columns that the model knows.

    Raises: InvalidInputError when a needed column is missing, or a time has no zone.
    """
    table = _flattened(batch.rows)
    chosen = _chosen(table.column_names, kind, model, names)
    found = {
        name: _values(table.column(theirs), theirs, name, model, zone)
        for name, theirs in chosen.items()
    }
    if kind == "predictions":
        found["prediction_id"] = _with_ids(found.get("prediction_id"), batch.ids)
    rows = pa.table({_place(name, model): column for name, column in found.items()})
    told = rows
    if kind == "outcomes":
        told = rows.filter(_told(rows))
    kept = told.filter(pc.is_valid(told["timestamp"]))
    return Renamed(kept, told.num_rows - kept.num_rows, rows.num_rows - told.num_rows)


def _told(rows: pa.Table) -> pa.ChunkedArray:
    """Which outcomes say something: a label, or that the one of before is taken back."""
    labelled = pc.is_valid(rows["actual_outcome"])
    if "deleted" not in rows.column_names:
        return labelled
    return pc.or_(labelled, pc.fill_null(rows["deleted"], fill_value=False))


def _place(name: str, model: Model) -> str:
    """The server's name of a column, with the part that it belongs to."""
    if name in model.features:
        return f"inputs.{name}"
    return f"outputs.{name}" if name in model.outputs else name


def _with_ids(given: pa.ChunkedArray | None, made: Sequence[str]) -> pa.ChunkedArray:
    """Ids, those that are missing by the place of the row."""
    ids = pa.chunked_array([pa.array(made, pa.string())])
    if given is None:
        return ids
    return given if given.null_count == 0 else pc.coalesce(given.cast(pa.string()), ids)


def _chosen(
    there: Sequence[str], kind: Kind, model: Model, names: Mapping[str, str]
) -> dict[str, str]:
    """What the server's columns are called in the table."""
    missing = next((theirs for theirs in names.values() if theirs not in there), None)
    if missing is not None:
        raise InvalidInputError(f"there is no column {missing!r}; there are {', '.join(there)}")
    identity = _first(ID_NAMES, there, names)
    chosen: dict[str, str] = {} if identity is None else {"prediction_id": identity}
    keys = {f"keys.{key}": _first((key,), there, names) for key in model.keys}
    chosen |= {name: theirs for name, theirs in keys.items() if theirs is not None}
    if kind == "outcomes":
        if not keys or None in keys.values():
            chosen["prediction_id"] = _needed("prediction_id", identity, there)
        label = _first(("actual_outcome", "label", model.label), there, names)
        chosen["actual_outcome"] = _needed("actual_outcome", label, there)
        deleted = _first(("deleted",), there, names)
        chosen |= {} if deleted is None else {"deleted": deleted}
        moment = _first(("outcome_timestamp", "timestamp"), there, names)
        return {**chosen, "timestamp": _needed("outcome_timestamp", moment, there)}
    chosen["timestamp"] = _needed("timestamp", _first(("timestamp",), there, names), there)
    outputs = [name for name in model.outputs if names.get(name, name) in there]
    if not outputs:
        _needed(model.outputs[0], None, there)
    for name in ("model_version", *model.features, *outputs):
        theirs = _first(model.names_of(name), there, names)
        if theirs is not None:
            chosen[name] = theirs
    return chosen


def _first(known: Sequence[str], there: Sequence[str], names: Mapping[str, str]) -> str | None:
    said = next((names[name] for name in known if name in names), None)
    return said or next((name for name in known if name in there), None)


def _needed(role: str, theirs: str | None, there: Sequence[str]) -> str:
    if theirs is None:
        raise InvalidInputError(
            f"there is no column {role!r}; name the one that it is with --column {role}=NAME, of "
            f"{', '.join(there)}"
        )
    return theirs


def _values(
    column: pa.ChunkedArray, theirs: str, name: str, model: Model, zone: tzinfo | None
) -> pa.ChunkedArray:
    kind = column.type
    if name == "deleted":
        return _flags(column, theirs)
    if name == "timestamp" or name in model.moments:
        if pa.types.is_temporal(kind):
            return _moments(column, theirs, zone)
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)) and len(column):
            raise InvalidInputError(
                f"column {theirs!r} is {kind}; a time has to be a timestamp or ISO 8601 text"
            )
        texts = column.to_pylist()
        if zone is None:
            check_zone(theirs, next((text for text in texts if text is not None), None))
            return column
        return pa.chunked_array([pa.array([zoned(text, zone) for text in texts], pa.string())])
    return column


def _flags(column: pa.ChunkedArray, theirs: str) -> pa.ChunkedArray:
    """Which outcomes are taken back; databases without booleans have numbers or text."""
    if pa.types.is_boolean(column.type):
        return column
    said = [flag(value) for value in column.to_pylist()]
    odd = next((value for value in said if value not in (None, True, False)), None)
    if odd is not None:
        raise InvalidInputError(
            f"column {theirs!r} has {odd!r}; whether an outcome is deleted has to be true or false"
        )
    return pa.chunked_array([pa.array([None if v is None else bool(v) for v in said], pa.bool_())])


def flag(value: Any) -> Any:
    """What text of true or false says; all else is as it is, for others to judge."""
    return _FLAGS.get(value.strip().lower(), value) if isinstance(value, str) else value


def check_zone(column: str, text: str | None) -> None:
    """Raises: InvalidInputError for the text of a time without a zone."""
    try:
        zoned = text is None or datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return  # the server judges what is no time
    if not zoned:
        raise InvalidInputError(_zoneless(column))


def _zoneless(column: str) -> str:
    return (
        f"column {column!r} has times without a zone; say whose they are with --timezone, such as "
        "UTC or Europe/Berlin"
    )


def zoned(value: Any, zone: tzinfo | None) -> Any:
    """Text of a time with the zone, if it names none; the server judges all else."""
    if zone is None or not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return moment.replace(tzinfo=zone).isoformat() if moment.tzinfo is None else value


def _moments(column: pa.ChunkedArray, theirs: str, zone: tzinfo | None) -> pa.ChunkedArray:
    """Times in UTC."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if column.type.tz is None:
        if zone is None:
            raise InvalidInputError(_zoneless(theirs))
        # An hour that happens twice in autumn is taken for the first; one that never does, later.
        column = pc.assume_timezone(column, str(zone), ambiguous="earliest", nonexistent="latest")
    return column.cast(_UTC, safe=False)


def _flattened(table: pa.Table) -> pa.Table:
    """Structs `inputs` and `outputs` as columns of their own."""
    for name in ("inputs", "outputs"):
        if name in table.column_names and pa.types.is_struct(table.schema.field(name).type):
            for index, part in enumerate(table.schema.field(name).type):
                if part.name not in table.column_names:
                    table = table.append_column(part, pc.struct_field(table.column(name), index))
    return table
