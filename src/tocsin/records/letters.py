"""Messages of the outbox as people see them: listed, sent again, dropped, told to others."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.outbox import GIVE_UP, DeliveryState
from tocsin.records.tables import outbox

_WAITING = (DeliveryState.PENDING, DeliveryState.LEASED)


@dataclass(frozen=True)
class Letter:
    """A message and what became of it so far; times are microseconds of the wall clock."""

    id: int
    receiver: str
    target: str
    order_key: str
    message_id: str
    payload: dict[str, Any]
    state: str
    severity: str
    created_at: int
    due_at: int
    attempts: int
    last_error: str | None
    delivered_at: int | None
    fallback: str | None


_COLUMNS = [outbox.c[name] for name in Letter.__dataclass_fields__]


def listed(
    connection: Connection, *, state: str | None, receiver: str | None, limit: int
) -> list[Letter]:
    """Messages, the newest first."""
    query = sa.select(*_COLUMNS).order_by(outbox.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(outbox.c.state == state)
    if receiver is not None:
        query = query.where(outbox.c.receiver == receiver)
    return _letters(connection, query)


def letter(connection: Connection, message: int) -> Letter | None:
    """A message by its number."""
    query = sa.select(*_COLUMNS).where(outbox.c.id == message)
    return next(iter(_letters(connection, query)), None)


def overtaken(connection: Connection, of: Letter) -> bool:
    """Whether something of the same order was delivered after it."""
    later = (outbox.c.order_key == of.order_key) & (outbox.c.id > of.id)
    return bool(
        connection.execute(
            sa.select(sa.exists().where(later, outbox.c.delivered_at.is_not(None)))
        ).scalar_one()
    )


def try_again(connection: Connection, message: int, *, now: int) -> bool:
    """Let a dead message wait again, as if it were new; False when it is not dead."""
    dead = (outbox.c.id == message) & (outbox.c.state == DeliveryState.DEAD)
    values = {
        "state": DeliveryState.PENDING,
        "due_at": now,
        "expires_at": now + GIVE_UP,
        "attempts": 0,
    }
    return connection.execute(outbox.update().where(dead).values(values)).rowcount == 1


def drop(connection: Connection, message: int, *, reason: str) -> bool:
    """Give a message up that waits or is dead; False when it is neither."""
    states = (DeliveryState.PENDING, DeliveryState.STANDING, DeliveryState.DEAD)
    mine = (outbox.c.id == message) & outbox.c.state.in_(states)
    values = {"state": DeliveryState.DROPPED, "last_error": reason}
    return connection.execute(outbox.update().where(mine).values(values)).rowcount == 1


def late(connection: Connection, *, since: int) -> list[Letter]:
    """Critical messages that were not taken, and that nobody else was told yet.

    Those that were written before `since`, those that are dead, and all that follow one of which
    somebody else was told, delivered or not: who heard the beginning hears the end.
    """
    earlier = outbox.alias("earlier")
    told_other = (earlier.c.fallback != "") & (earlier.c.id < outbox.c.id)
    follows = sa.exists().where(told_other, earlier.c.order_key == outbox.c.order_key)
    begins = outbox.c.payload["event"].as_string() != "resolved"
    waits = outbox.c.state.in_(_WAITING) & (outbox.c.created_at <= since)
    untaken = waits | (outbox.c.state == DeliveryState.DEAD)
    urgent = (outbox.c.severity == "critical") & begins & untaken & outbox.c.delivered_at.is_(None)
    unsent = DeliveryState.CANCELLED, DeliveryState.SUPERSEDED, DeliveryState.DROPPED
    ended = outbox.c.state.not_in(unsent)
    wanted = outbox.c.fallback.is_(None) & ended & (urgent | follows)
    return _letters(connection, sa.select(*_COLUMNS).where(wanted).order_by(outbox.c.id))


def fell_back(connection: Connection, message: int, to: str) -> None:
    """Remember who was told instead; empty when there was nobody."""
    connection.execute(outbox.update().where(outbox.c.id == message).values(fallback=to))


def is_written(connection: Connection, receiver: str, target: str, message_id: str) -> bool:
    """Whether a receiver is told this anyway."""
    mine = (
        (outbox.c.receiver == receiver)
        & (outbox.c.target == target)
        & (outbox.c.message_id == message_id)
    )
    return connection.execute(sa.select(outbox.c.id).where(mine).limit(1)).scalar() is not None


def overdue(connection: Connection, *, now: int) -> list[str]:
    """The receivers for which something waited too long."""
    query = (
        sa.select(outbox.c.receiver)
        .distinct()
        .where(outbox.c.state == DeliveryState.PENDING, outbox.c.expires_at <= now)
    )
    return list(connection.execute(query).scalars())


def expire(connection: Connection, receiver: str, *, now: int) -> int:
    """Give up what waited too long for a receiver that takes nothing; how many that were."""
    mine = (
        (outbox.c.receiver == receiver)
        & (outbox.c.state == DeliveryState.PENDING)
        & (outbox.c.expires_at <= now)
    )
    values = {
        "state": DeliveryState.DEAD,
        "last_error": sa.func.coalesce(outbox.c.last_error, "it was not taken in time"),
    }
    return connection.execute(outbox.update().where(mine).values(values)).rowcount


def dead_by_receiver(connection: Connection) -> dict[str, tuple[int, str]]:
    """How many messages are dead, and why the newest is, by receiver."""
    newest = (
        sa.select(
            outbox.c.receiver, sa.func.count().label("n"), sa.func.max(outbox.c.id).label("id")
        )
        .where(outbox.c.state == DeliveryState.DEAD)
        .group_by(outbox.c.receiver)
        .subquery()
    )
    query = sa.select(newest.c.receiver, newest.c.n, outbox.c.last_error).join(
        outbox, outbox.c.id == newest.c.id
    )
    return {row.receiver: (row.n, row.last_error or "") for row in connection.execute(query)}


def oldest_waiting(connection: Connection) -> int | None:
    """When the oldest message that waits was written."""
    query = sa.select(sa.func.min(outbox.c.created_at)).where(outbox.c.state.in_(_WAITING))
    return connection.execute(query).scalar()


def _letters(connection: Connection, query: sa.Select[Any]) -> list[Letter]:
    return [Letter(**row) for row in connection.execute(query).mappings()]
