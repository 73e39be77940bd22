"""What became of requests to erase: numbers, and nothing of whom they were about."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.tables import erasures


@dataclass(frozen=True)
class Erasure:
    """A request to erase, by its offset in the inbox.

    requested: how many ids or sets of keys. predictions, outcomes, quarantined: how many rows they
    were, None until the request had its turn. done_at: when nothing was left of them.
    """

    offset: int
    requested: int
    requested_at: int
    predictions: int | None
    outcomes: int | None
    quarantined: int | None
    done_at: int | None


def request(
    connection: Connection, model_id: int, offset: int, *, requested: int, now: int
) -> None:
    """Remember a request."""
    row = {"offset": offset, "model_id": model_id, "requested": requested, "requested_at": now}
    connection.execute(erasures.insert().values(row))


def counted(connection: Connection, offset: int, *, predictions: int, outcomes: int) -> None:
    """Record what leaves the profiles; a repeat of it says the same."""
    mine = erasures.update().where(erasures.c.offset == offset)
    connection.execute(mine.values(predictions=predictions, outcomes=outcomes))


def found_in_quarantine(connection: Connection, offset: int, rows: int) -> None:
    """Record how many rows leave the quarantine; a repeat, which finds fewer, changes nothing."""
    fewer = sa.or_(erasures.c.quarantined.is_(None), erasures.c.quarantined < rows)
    mine = erasures.update().where(erasures.c.offset == offset, fewer)
    connection.execute(mine.values(quarantined=rows))


def done(connection: Connection, offset: int, *, now: int) -> None:
    """Record that nothing is left."""
    connection.execute(erasures.update().where(erasures.c.offset == offset).values(done_at=now))


def erasure(connection: Connection, model_id: int, offset: int) -> Erasure | None:
    """A request of a model, None when there is none with this offset."""
    found = connection.execute(
        _select().where(erasures.c.model_id == model_id, erasures.c.offset == offset)
    ).first()
    return None if found is None else Erasure(*found)


def newest(connection: Connection, model_id: int, limit: int) -> list[Erasure]:
    """The requests of a model, the newest first."""
    query = _select().where(erasures.c.model_id == model_id)
    rows = connection.execute(query.order_by(erasures.c.offset.desc()).limit(limit))
    return [Erasure(*row) for row in rows]


def newest_offset(connection: Connection, model_id: int) -> int:
    """The offset of a model's newest request, 0 when there is none."""
    newest = sa.select(sa.func.max(erasures.c.offset)).where(erasures.c.model_id == model_id)
    return connection.execute(newest).scalar() or 0


def _select() -> sa.Select[Any]:
    return sa.select(
        erasures.c.offset,
        erasures.c.requested,
        erasures.c.requested_at,
        erasures.c.predictions,
        erasures.c.outcomes,
        erasures.c.quarantined,
        erasures.c.done_at,
    )
