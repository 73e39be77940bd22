"""Silences, kept also after they are over."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.given_ids import next_id
from tocsin.records.tables import silences
from tocsin.routing import Silence, parse_matcher


def add(connection: Connection, silence: Silence, *, now: int) -> int:
    """Store a silence; its number."""
    number = next_id(connection, silences)
    connection.execute(
        silences.insert().values(
            id=number,
            matchers=[str(matcher) for matcher in silence.matchers],
            starts_at=silence.start,
            ends_at=silence.end,
            author=silence.author,
            comment=silence.comment,
            created_at=now,
        )
    )
    return number


def expire(connection: Connection, number: int, *, now: int) -> None:
    """Let a silence be over; one that has not begun never begins."""
    mine = silences.update().where(silences.c.id == number)
    earlier = sa.case((silences.c.starts_at > now, now), else_=silences.c.starts_at)
    connection.execute(mine.values(ends_at=now, starts_at=earlier))


def find(connection: Connection, number: int) -> Silence | None:
    """A silence by its number."""
    return next(iter(_found(connection, silences.c.id == number)), None)


def active(connection: Connection, now: int) -> list[Silence]:
    """Those that hold now."""
    return _found(connection, (silences.c.starts_at <= now) & (silences.c.ends_at > now))


def listed(connection: Connection, *, not_over_at: int | None = None, limit: int) -> list[Silence]:
    """The newest first; those that are not over by a time, or all."""
    wanted = sa.true() if not_over_at is None else silences.c.ends_at > not_over_at
    return _found(connection, wanted, limit)


def _found(
    connection: Connection, wanted: sa.ColumnElement[bool], limit: int | None = None
) -> list[Silence]:
    query = sa.select(silences).where(wanted).order_by(silences.c.id.desc()).limit(limit)
    return [
        Silence(
            row.id,
            tuple(parse_matcher(text) for text in row.matchers),
            row.starts_at,
            row.ends_at,
            row.author,
            row.comment,
        )
        for row in connection.execute(query)
    ]
