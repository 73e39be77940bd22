"""Predictions written anew with features of another name or kind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tocsin.errors import SchemaError
from tocsin.lake.columns import FEATURE_TYPES, TIMESTAMP
from tocsin.lake.rewriting import exchange_all, rewritten
from tocsin.lake.tables import DeltaTables, StoredFile, Table, stored_files
from tocsin.schema import Kind, Schema, column_of

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_EXTRA = "extra"


class _MisfitError(Exception):
    """A value of which the new kind has none."""


@dataclass(frozen=True)
class _Move:
    """What becomes of the column of a feature; kind: None when its values stay."""

    feature: str
    old: str
    new: str
    kind: Kind | None


def evolve(tables: DeltaTables, schema: Schema) -> None:
    """Write the predictions anew in one commit, with the names and kinds of a schema.

    Raises: SchemaError when there is a column of the new name already.
    """
    delta = tables.table(Table.PREDICTIONS)
    if delta is None:
        return
    stored = pa.schema(delta.schema().to_arrow())
    moves = {move.old: move for move in _moves(stored, schema)}
    if not moves:
        return
    after = {field.name: _field(moves.get(field.name), field) for field in stored}
    folder = tables.folder.child(Table.PREDICTIONS)

    def anew(file: StoredFile) -> Any:
        with folder.filesystem.open_input_file(f"{folder.path}/{file.path}") as old:
            names = pq.read_schema(old).names
        schema = pa.schema([after[name] for name in names])
        here = [move for name, move in moves.items() if name in names]
        return rewritten(folder, file, lambda rows: _changed(rows, here, schema), schema).added

    # Each file has rows, and none of them goes.
    added = [anew(file) for file in stored_files(delta)]
    exchange_all(tables, Table.PREDICTIONS, added, pa.schema(list(after.values())))


def evolved(rows: pa.Table, schema: Schema) -> pa.Table:
    """Rows that were decoded by an earlier schema, with the names and kinds of this one."""
    moves = _moves(rows.schema, schema)
    if not moves:
        return rows
    by_old = {move.old: move for move in moves}
    after = pa.schema([_field(by_old.get(field.name), field) for field in rows.schema])
    batches = [_changed(batch, moves, after) for batch in rows.to_batches()]
    return pa.Table.from_batches(batches, after)


def check_evolution(tables: DeltaTables, schema: Schema) -> None:
    """Raises: SchemaError when the stored predictions cannot get the names of a schema."""
    delta = tables.table(Table.PREDICTIONS)
    if delta is not None:
        _moves(pa.schema(delta.schema().to_arrow()), schema)


def _moves(stored: pa.Schema, schema: Schema) -> list[_Move]:
    """What is still to be done."""
    found = []
    for feature in schema.features:
        new = feature.column
        old = next((c for name in feature.was if (c := _column(name)) in stored.names), None)
        if old is not None and old != new and new in stored.names:
            raise SchemaError(
                f"feature {feature.name!r} cannot be what `was` says: the lake has rows with both "
                "names already; choose another one"
            )
        # Never renamed, or renamed before, or never sent.
        here = new if old is None else old
        if here not in stored.names:
            continue
        same = FEATURE_TYPES[feature.kind] == _plain(stored.field(here).type)
        if here != new or not same:
            found.append(_Move(feature.name, here, new, None if same else feature.kind))
    return found


def _column(name: str) -> str:
    return column_of("input_", name)


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if kind in (pa.large_string(), pa.string_view()) else kind


def _field(move: _Move | None, field: pa.Field) -> pa.Field:
    kind = field.type if move is None or move.kind is None else FEATURE_TYPES[move.kind]
    return pa.field(field.name if move is None else move.new, _plain(kind))


def _changed(rows: pa.RecordBatch, moves: list[_Move], schema: pa.Schema) -> pa.RecordBatch:
    """Rows in the columns of after."""
    columns = {name: rows[name] for name in rows.schema.names}
    for move in moves:
        if move.kind is not None:
            converted, misfits = _converted(columns[move.old], move.kind)
            columns[move.old] = converted
            columns[_EXTRA] = _with_misfits(columns[_EXTRA], move.feature, misfits)
    values = [
        column.cast(field.type) for column, field in zip(columns.values(), schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(values, schema=schema)


def _converted(column: pa.Array, kind: Kind) -> tuple[pa.Array, dict[int, Any]]:
    """Values as a kind has them, and those by row of which it has none."""
    coded = column.dictionary_encode()
    values: list[Any] = []
    misfits: dict[int, Any] = {}
    for code, value in enumerate(coded.dictionary.to_pylist()):
        try:
            values.append(_CONVERSIONS[FEATURE_TYPES[kind]](value, kind))
        except _MisfitError:
            values.append(None)
            misfits[code] = value.isoformat() if isinstance(value, datetime) else value
    found = pa.array(values, FEATURE_TYPES[kind]).take(coded.indices)
    if not misfits:
        return found, {}
    odd = pc.is_in(coded.indices, value_set=pa.array(misfits, coded.indices.type))
    places = pc.indices_nonzero(odd).to_pylist()
    return found, {place: misfits[coded.indices[place].as_py()] for place in places}


def _with_misfits(extra: pa.Array, feature: str, misfits: Mapping[int, Any]) -> pa.Array:
    """JSON objects with a value more; what is there already stays."""
    if not misfits:
        return extra
    texts = extra.to_pylist()
    for row, value in misfits.items():
        known = msgspec.json.decode(texts[row]) if texts[row] else {}
        texts[row] = msgspec.json.encode({feature: value, **known}).decode()
    return pa.array(texts, pa.string())


def _text(value: Any, kind: Kind) -> str:
    """As a request with this value would have been written."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if kind is Kind.BOOLEAN and value in (0, 1):
        return "true" if value else "false"
    return str(int(value)) if float(value).is_integer() else str(value)


def _number(value: Any, _kind: Kind) -> float:
    if not isinstance(value, str) or _NUMBER.fullmatch(value) is None:
        raise _MisfitError
    return float(value)


def _moment(value: Any, _kind: Kind) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise _MisfitError from None
    if moment.tzinfo is None:
        raise _MisfitError
    return moment


_CONVERSIONS = {pa.string(): _text, pa.float64(): _number, TIMESTAMP: _moment}
