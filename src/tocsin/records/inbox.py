"""The inbox: accepted rows, durable and numbered, until they are folded."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.tables import inbox, models

# Kinds of entries beside the tables of the lake: rows of the quarantine that were taken up again,
# by id, and predictions to be erased, by id or keys.
REPLAY = "replay"
ERASURE = "erasure"
# Made once: making it anew takes longer than executing it.
_APPEND = inbox.insert()


@dataclass(frozen=True, eq=False)
class Entry:
    """Rows of one commit and one kind, as Arrow."""

    offset: int
    kind: str
    rows: pa.Table


def append(connection: Connection, model_id: int, kind: str, rows: pa.Table, *, now: int) -> int:
    """Store rows; their offset."""
    entry = {
        "model_id": model_id,
        "kind": kind,
        "rows": rows.num_rows,
        "received_at": now,
        "body": _to_bytes(rows),
    }
    result = connection.execute(_APPEND, entry)
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def entries(
    connection: Connection, model_id: int, *, after: int, until: int | None, most_rows: int
) -> list[Entry]:
    """The entries after an offset in order, at least one, about `most_rows` rows.

    An erasure stands alone, as it needs what came before it to be folded.
    """
    query = (
        sa.select(inbox.c.offset, inbox.c.kind, inbox.c.rows, inbox.c.body)
        .where(inbox.c.model_id == model_id, inbox.c.offset > after)
        .order_by(inbox.c.offset)
    )
    if until is not None:
        query = query.where(inbox.c.offset <= until)
    found: list[Entry] = []
    rows = 0
    for row in connection.execute(query):
        if until is None and found and rows + row.rows > most_rows:
            break
        if found and ERASURE in (row.kind, found[-1].kind):
            break
        rows += row.rows
        found.append(Entry(row.offset, row.kind, pa.ipc.open_stream(row.body).read_all()))
    return found


def empty(connection: Connection, model_id: int, *, until: int) -> None:
    """Drop the entries up to an offset: they are in the lake and in the profiles."""
    connection.execute(
        inbox.delete().where(
            inbox.c.model_id == model_id, inbox.c.offset <= until, inbox.c.kind != ERASURE
        )
    )


def open_erasures(connection: Connection, model_id: int, *, folded: int) -> list[Entry]:
    """Erasures that are out of the profiles, but perhaps still in the lake."""
    query = sa.select(inbox.c.offset, inbox.c.body).where(
        inbox.c.model_id == model_id, inbox.c.offset <= folded, inbox.c.kind == ERASURE
    )
    return [
        Entry(row.offset, ERASURE, pa.ipc.open_stream(row.body).read_all())
        for row in connection.execute(query.order_by(inbox.c.offset))
    ]


def replayed(connection: Connection, model_id: int) -> set[str]:
    """The ids of rows that are to leave the quarantine with the next fold."""
    query = sa.select(inbox.c.body).where(inbox.c.model_id == model_id, inbox.c.kind == REPLAY)
    found: set[str] = set()
    for body in connection.execute(query).scalars():
        found.update(pa.ipc.open_stream(body).read_all()["id"].to_pylist())
    return found


def blank(connection: Connection, entry: Entry) -> None:
    """Keep of an entry only that it is there."""
    nothing = _to_bytes(entry.rows.slice(0, 0))
    connection.execute(inbox.update().where(inbox.c.offset == entry.offset).values(body=nothing))


def erased(connection: Connection, offset: int) -> None:
    """Drop an erasure: its rows are gone from the lake."""
    connection.execute(inbox.delete().where(inbox.c.offset == offset))


def waiting(connection: Connection) -> dict[int, tuple[int, int]]:
    """For each model with entries: how many rows wait, and since when (wall time)."""
    query = sa.select(
        inbox.c.model_id, sa.func.sum(inbox.c.rows), sa.func.min(inbox.c.received_at)
    ).group_by(inbox.c.model_id)
    return {model: (int(rows), int(since)) for model, rows, since in connection.execute(query)}


def sizes(connection: Connection) -> dict[str, int]:
    """How many bytes wait of each model that has any, by name."""
    query = (
        sa.select(models.c.name, sa.func.sum(sa.func.length(inbox.c.body)))
        .join(inbox, inbox.c.model_id == models.c.id)
        .group_by(models.c.name)
    )
    return {name: int(held) for name, held in connection.execute(query)}


def rows_of_kind(connection: Connection, model_id: int, kind: str) -> int:
    """How many rows of a kind wait for a model."""
    query = sa.select(sa.func.sum(inbox.c.rows)).where(
        inbox.c.model_id == model_id, inbox.c.kind == kind
    )
    return connection.execute(query).scalar() or 0


def models_waiting(connection: Connection, *, rows: int, since: int, now: int) -> list[str]:
    """Names of the models that have `rows` rows or an entry from `since`, the oldest entry first.

    An entry from after `now` counts as well: the clock was set back.
    """
    oldest = sa.func.min(inbox.c.received_at)
    query: sa.Select[Any] = (
        sa.select(models.c.name)
        .join(inbox, inbox.c.model_id == models.c.id)
        .group_by(models.c.name)
        .having(sa.or_(sa.func.sum(inbox.c.rows) >= rows, oldest <= since, oldest > now))
        .order_by(sa.func.min(inbox.c.offset))
    )
    return list(connection.execute(query).scalars())


def _to_bytes(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())
