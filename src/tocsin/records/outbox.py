"""Notifications on their way out: written with what they tell, claimed, sent, never lost.

A row goes pending -> leased -> delivered, or back to pending until it is dead. Of one order key
only the oldest open row can be claimed, so a resolve never overtakes its trigger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.given_ids import next_id
from tocsin.records.tables import outbox, receivers

_OPEN = ("pending", "leased")


class DeliveryState(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    LEASED = "leased"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True)
class Receiver:
    """Where notifications go."""

    name: str
    kind: str
    options: dict[str, Any]

    @property
    def targets(self) -> tuple[str, ...]:
        """Each gets a message of its own; one that is empty where it is one."""
        return tuple(self.options["to"]) if self.kind == "email" else ("",)


@dataclass(frozen=True)
class Claim:
    """A message that this worker may send until its lease ends."""

    id: int
    fence: int
    attempts: int
    receiver: str
    message_id: str
    payload: dict[str, Any]
    created_at: int
    target: str = ""


def put(
    connection: Connection,
    *,
    receiver: str,
    order_key: str,
    message_id: str,
    payload: dict[str, Any],
    now: int,
    target: str = "",
) -> None:
    """Write a message into the outbox."""
    connection.execute(
        outbox.insert().values(
            id=next_id(connection, outbox),
            order_key=order_key,
            receiver=receiver,
            target=target,
            message_id=message_id,
            payload=payload,
            state=DeliveryState.PENDING,
            created_at=now,
            due_at=now,
            fence=0,
            attempts=0,
        )
    )


def claim(connection: Connection, *, now: int, lease: int) -> Claim | None:
    """Lease the oldest message that may be sent; None when there is none."""
    earlier = outbox.alias("earlier")
    blocked = sa.exists().where(
        earlier.c.order_key == outbox.c.order_key,
        earlier.c.id < outbox.c.id,
        earlier.c.state.in_(_OPEN),
    )
    due = sa.or_(
        sa.and_(outbox.c.state == DeliveryState.PENDING, outbox.c.due_at <= now),
        sa.and_(outbox.c.state == DeliveryState.LEASED, outbox.c.lease_until <= now),
    )
    waiting = sa.select(outbox.c.id).where(due, ~blocked)
    # By due time, not by age: else a receiver that hangs would be tried before all others.
    oldest = waiting.order_by(outbox.c.due_at, outbox.c.id).limit(1)
    found = connection.execute(oldest.with_for_update(skip_locked=True)).scalar()
    if found is None:
        return None
    row = connection.execute(
        outbox.update()
        .where(outbox.c.id == found)
        .values(
            state=DeliveryState.LEASED,
            lease_until=now + lease,
            fence=outbox.c.fence + 1,
            attempts=outbox.c.attempts + 1,
        )
        .returning(outbox)
    ).one()
    return Claim(
        row.id,
        row.fence,
        row.attempts,
        row.receiver,
        row.message_id,
        row.payload,
        row.created_at,
        row.target,
    )


def finish(
    connection: Connection,
    claimed: Claim,
    state: DeliveryState,
    *,
    due_at: int | None = None,
    error: str | None = None,
) -> bool:
    """Record how a claim ended; False when its lease had gone to another worker meanwhile."""
    values: dict[str, Any] = {"state": state, "lease_until": None, "last_error": error}
    if due_at is not None:
        values["due_at"] = due_at
    mine = (outbox.c.id == claimed.id) & (outbox.c.fence == claimed.fence)
    return connection.execute(outbox.update().where(mine).values(values)).rowcount == 1


def by_state(connection: Connection) -> dict[str, int]:
    """How many messages are in each state."""
    query = sa.select(outbox.c.state, sa.func.count()).group_by(outbox.c.state)
    return {state: int(number) for state, number in connection.execute(query)}


def set_receiver(connection: Connection, receiver: Receiver) -> None:
    """Add or replace a receiver."""
    connection.execute(receivers.delete().where(receivers.c.name == receiver.name))
    connection.execute(
        receivers.insert().values(name=receiver.name, kind=receiver.kind, options=receiver.options)
    )


def all_receivers(connection: Connection) -> Sequence[Receiver]:
    """All receivers by name."""
    query = sa.select(receivers).order_by(receivers.c.name)
    return [Receiver(row.name, row.kind, row.options) for row in connection.execute(query)]


def remove_receiver(connection: Connection, name: str) -> None:
    """Drop a receiver; what waits for it goes nowhere."""
    connection.execute(receivers.delete().where(receivers.c.name == name))


def open_by_receiver(connection: Connection) -> dict[str, int]:
    """How many messages wait for each receiver."""
    query = (
        sa.select(outbox.c.receiver, sa.func.count())
        .where(outbox.c.state.in_(_OPEN))
        .group_by(outbox.c.receiver)
    )
    return {name: int(number) for name, number in connection.execute(query)}
