"""Notifications on their way out: written with what they tell, claimed, sent, never lost.

A row goes pending -> leased -> delivered, or back to pending until it is dead. Of one order key
only the oldest open row can be claimed, so a resolve never overtakes its trigger. What a receiver
forgets unless it hears it again is `standing`: delivered, and due again until a later row is.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.given_ids import next_id
from tocsin.records.tables import outbox, receivers
from tocsin.values import HOUR

# How long it is tried to deliver a message.
GIVE_UP = 72 * HOUR
OPEN = ("pending", "leased")


class DeliveryState(StrEnum):
    """Where a message stands.

    CANCELLED: over before it could be sent. SUPERSEDED: a later message, which could not be sent
    either, says what holds. DROPPED: somebody decided so.
    """

    PENDING = "pending"
    LEASED = "leased"
    STANDING = "standing"
    DELIVERED = "delivered"
    DEAD = "dead"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Receiver:
    """Where notifications go: a channel, with the name of its receiver where that has no other.

    fallback: the receiver that is told of what is critical while this takes nothing. disabled: why
    nothing is sent there any more, since `disabled_at`. receiver: whose it is, if it has another
    name. leaving: it is told what it knew of to be over, and nothing else.
    """

    name: str
    kind: str
    options: dict[str, Any]
    fallback: str | None = None
    disabled: str | None = None
    receiver: str = ""
    disabled_at: int | None = None
    leaving: bool = False

    @property
    def of(self) -> str:
        """The name of the receiver."""
        return self.receiver or self.name

    @property
    def targets(self) -> tuple[str, ...]:
        """Each gets a message of its own; one that is empty where it is one."""
        return tuple(self.options["to"]) if self.kind == "email" else ("",)


@dataclass(frozen=True)
class Claim:
    """A message that this worker may send until its lease ends.

    maybe_taken: an earlier try may have arrived. standing: it was delivered, and is said again.
    told_other: somebody else was told it instead. forgets: nothing is kept of it later.
    """

    id: int
    fence: int
    attempts: int
    receiver: str
    message_id: str
    payload: dict[str, Any]
    created_at: int
    target: str = ""
    order_key: str = ""
    expires_at: int = 0
    maybe_taken: bool = False
    standing: bool = False
    told_other: bool = False
    forgets: bool = False


@dataclass(frozen=True)
class Ended:
    """How a claim ended.

    due_at: when it is tried or said again. receipt: by what the receiver knows the message.
    """

    state: DeliveryState
    due_at: int | None = None
    error: str | None = None
    maybe_taken: bool = False
    receipt: dict[str, str] | None = None


def put(
    connection: Connection,
    *,
    receiver: str,
    order_key: str,
    message_id: str,
    payload: dict[str, Any],
    now: int,
    target: str = "",
    forgets: bool = False,
    receipt: dict[str, str] | None = None,
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
            severity=payload.get("severity", ""),
            state=DeliveryState.PENDING,
            created_at=now,
            due_at=now,
            expires_at=now + GIVE_UP,
            fence=0,
            attempts=0,
            forgets=forgets,
            receipt=receipt,
        )
    )


def claim(
    connection: Connection, *, now: int, lease: int, without: Collection[str] = ()
) -> Claim | None:
    """Lease the oldest message that may be sent; None when there is none.

    without: receivers that take nothing now.
    """
    found = connection.execute(_oldest_due(now, without)).one_or_none()
    if found is None:
        return None
    row = connection.execute(
        outbox.update()
        .where(outbox.c.id == found.id)
        .values(
            state=DeliveryState.LEASED,
            lease_until=now + lease,
            fence=outbox.c.fence + 1,
            attempts=outbox.c.attempts + 1,
            # Until it is known that it was not: this process may end while it sends.
            maybe_taken=True,
        )
        .returning(outbox)
    ).one()
    return Claim(
        id=row.id,
        fence=row.fence,
        attempts=row.attempts,
        receiver=row.receiver,
        message_id=row.message_id,
        payload=row.payload,
        created_at=row.created_at,
        target=row.target,
        order_key=row.order_key,
        expires_at=row.expires_at or row.created_at + GIVE_UP,
        maybe_taken=found.maybe_taken,
        standing=row.delivered_at is not None,
        told_other=bool(row.fallback),
        forgets=row.forgets,
    )


def _oldest_due(now: int, without: Collection[str]) -> sa.Select[tuple[int, bool]]:
    """The id of what may be sent first, and whether an earlier try may have arrived."""
    earlier = outbox.alias("earlier")
    blocked = sa.exists().where(
        earlier.c.order_key == outbox.c.order_key,
        earlier.c.id < outbox.c.id,
        earlier.c.state.in_(OPEN),
    )
    again = outbox.c.state.in_((DeliveryState.PENDING, DeliveryState.STANDING))
    due = sa.or_(
        sa.and_(again, outbox.c.due_at <= now),
        sa.and_(outbox.c.state == DeliveryState.LEASED, outbox.c.lease_until <= now),
    )
    waiting = sa.select(outbox.c.id, outbox.c.maybe_taken).where(due, ~blocked)
    if without:
        waiting = waiting.where(outbox.c.receiver.not_in(sorted(without)))
    # By due time, not by age: else a receiver that hangs would be tried before all others.
    oldest = waiting.order_by(outbox.c.due_at, outbox.c.id).limit(1)
    return oldest.with_for_update(skip_locked=True, of=outbox)


def finish(connection: Connection, claimed: Claim, ended: Ended, *, now: int) -> bool:
    """Record how a claim ended; False when its lease had gone to another worker meanwhile."""
    values: dict[str, Any] = {
        "state": ended.state,
        "lease_until": None,
        "last_error": ended.error,
        "maybe_taken": claimed.maybe_taken or ended.maybe_taken,
    }
    if ended.due_at is not None:
        values["due_at"] = ended.due_at
    if ended.receipt is not None:
        values["receipt"] = ended.receipt
    taken = ended.error is None and ended.state in (DeliveryState.DELIVERED, DeliveryState.STANDING)
    if taken:
        values |= {"attempts": 0} if ended.state is DeliveryState.STANDING else {}
        values["delivered_at"] = sa.func.coalesce(outbox.c.delivered_at, now)
    mine = (outbox.c.id == claimed.id) & (outbox.c.fence == claimed.fence)
    if connection.execute(outbox.update().where(mine).values(values)).rowcount != 1:
        return False
    if taken:
        _said_no_more(connection, claimed)
    return True


def _said_no_more(connection: Connection, claimed: Claim) -> None:
    """What stood before a message need not be repeated after it."""
    before = (outbox.c.order_key == claimed.order_key) & (outbox.c.id < claimed.id)
    standing = before & (outbox.c.state == DeliveryState.STANDING)
    connection.execute(outbox.update().where(standing).values(state=DeliveryState.DELIVERED))


def follower(connection: Connection, claimed: Claim) -> tuple[int, dict[str, Any]] | None:
    """(id, payload) of the next message of the same order, if that was never sent."""
    query = (
        sa.select(outbox.c.id, outbox.c.payload, outbox.c.maybe_taken, outbox.c.forgets)
        .where(
            outbox.c.order_key == claimed.order_key,
            outbox.c.id > claimed.id,
            outbox.c.state == DeliveryState.PENDING,
        )
        .order_by(outbox.c.id)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None or row.maybe_taken or row.forgets:
        return None
    return row.id, row.payload


def cancel(connection: Connection, message: int, why: str) -> None:
    """Let a message that waits not be sent, as what it says is over."""
    values = {"state": DeliveryState.CANCELLED, "last_error": why}
    connection.execute(outbox.update().where(outbox.c.id == message).values(values))


def supersede(
    connection: Connection, claimed: Claim, by: int, payload: dict[str, Any], *, fires: bool
) -> None:
    """Let a later message say what holds of a claimed one, which is not sent.

    fires: whether it says that something fires. It is as late as the one in whose place it is:
    what waits behind a receiver that is dead is not young for ever.
    """
    ended = Ended(DeliveryState.SUPERSEDED, error=f"message {by} says what holds of it")
    finish(connection, claimed, ended, now=claimed.created_at)
    values: dict[str, Any] = {
        "payload": payload,
        "severity": payload.get("severity", ""),
        "expires_at": claimed.expires_at,
        "attempts": claimed.attempts - 1,
    }
    if fires:
        values["created_at"] = claimed.created_at
    connection.execute(outbox.update().where(outbox.c.id == by).values(values))


def thread(connection: Connection, order_key: str) -> dict[str, str] | None:
    """The receipt of the first message of an order key that has one."""
    mine = (outbox.c.order_key == order_key) & outbox.c.receipt.is_not(None)
    found = sa.select(outbox.c.receipt).where(mine).order_by(outbox.c.id).limit(1)
    receipt: dict[str, str] | None = connection.execute(found).scalar()
    return receipt


def by_state(connection: Connection) -> dict[str, int]:
    """How many messages are in each state."""
    query = sa.select(outbox.c.state, sa.func.count()).group_by(outbox.c.state)
    return {state: int(number) for state, number in connection.execute(query)}


def set_receiver(connection: Connection, receiver: Receiver) -> None:
    """Add or replace a channel."""
    connection.execute(receivers.delete().where(receivers.c.name == receiver.name))
    values = {**receiver.__dict__, "receiver": receiver.of}
    connection.execute(receivers.insert().values(values))


def all_receivers(connection: Connection) -> Sequence[Receiver]:
    """All channels by name, those too that are only left."""
    query = sa.select(receivers).order_by(receivers.c.name)
    return [Receiver(**row) for row in connection.execute(query).mappings()]


def remove_receiver(connection: Connection, name: str) -> None:
    """Drop a channel; what waits for it, or is dead, goes nowhere, but for last words."""
    states = (DeliveryState.PENDING, DeliveryState.STANDING, DeliveryState.DEAD)
    mine = (outbox.c.receiver == name) & outbox.c.state.in_(states) & ~outbox.c.forgets
    values = {"state": DeliveryState.DROPPED, "last_error": "its receiver was removed"}
    connection.execute(outbox.update().where(mine).values(values))
    connection.execute(receivers.delete().where(receivers.c.name == name))


def open_by_receiver(connection: Connection) -> dict[str, int]:
    """How many messages wait for each receiver."""
    query = (
        sa.select(outbox.c.receiver, sa.func.count())
        .where(outbox.c.state.in_(OPEN))
        .group_by(outbox.c.receiver)
    )
    return {name: int(number) for name, number in connection.execute(query)}
