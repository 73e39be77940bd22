"""The last messages of conversations: what was heard there, and what is left when all is said."""

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.outbox import OPEN, DeliveryState, Receiver, put, set_receiver
from tocsin.records.tables import episodes, notices, outbox, receivers

# Letters of the id of an episode or of a group, which are UUIDs.
_ID = 36
_ABOUT = sa.func.substr(outbox.c.order_key, sa.func.length(outbox.c.receiver) + 2, _ID)


@dataclass(frozen=True)
class Sent:
    """A message that arrived, or may have. certain: whether the receiver said so."""

    receiver: str
    target: str
    order_key: str
    message_id: str
    payload: dict[str, Any]
    receipt: dict[str, str] | None
    certain: bool


@dataclass(frozen=True)
class Draft:
    """A message that is to be written. receipt: by what the receiver knows the conversation."""

    receiver: str
    target: str
    order_key: str
    message_id: str
    payload: dict[str, Any]
    receipt: dict[str, str] | None


def sent_to(connection: Connection, receiver: str) -> list[Sent]:
    """What a channel took, or may have taken, of all that matters there yet, the oldest first."""
    mine = (notices.c.receiver == receiver) & ~notices.c.closed
    # Whoever knew of it may wait for an end that is not sent yet, or never was.
    states = (DeliveryState.PENDING, DeliveryState.LEASED, DeliveryState.CANCELLED)
    unsent = (outbox.c.receiver == receiver) & outbox.c.state.in_(states)
    matters = sa.union(
        sa.select(notices.c.episode_id.label("id")).where(mine),
        sa.select(notices.c.group_id.label("id")).where(mine),
        sa.select(_ABOUT.label("id")).where(unsent),
    ).subquery()
    wanted = (outbox.c.receiver == receiver) & _ABOUT.in_(sa.select(matters.c.id))
    return _sent(connection, wanted)


def sent_about_model(connection: Connection, model_id: int) -> list[Sent]:
    """What anybody took, or may have taken, of a model's alerts and their groups."""
    of_model = sa.exists().where(episodes.c.model_id == model_id, episodes.c.id == _ABOUT)
    of_group = sa.exists().where(notices.c.model_id == model_id, notices.c.group_id == _ABOUT)
    return _sent(connection, of_model | of_group)


def _sent(connection: Connection, wanted: sa.ColumnElement[bool]) -> list[Sent]:
    taken = outbox.c.delivered_at.is_not(None) | outbox.c.maybe_taken
    columns = [outbox.c[name] for name in Sent.__dataclass_fields__ if name != "certain"]
    certain = outbox.c.delivered_at.is_not(None).label("certain")
    query = sa.select(*columns, certain).where(wanted, taken, ~outbox.c.forgets)
    return [Sent(**row) for row in connection.execute(query.order_by(outbox.c.id)).mappings()]


def put_last(connection: Connection, draft: Draft, *, forgets: bool, now: int) -> None:
    """Write the last message of a conversation. forgets: whether nothing is kept of it later."""
    put(
        connection,
        receiver=draft.receiver,
        order_key=draft.order_key,
        message_id=draft.message_id,
        payload=draft.payload,
        now=now,
        target=draft.target,
        forgets=forgets,
        receipt=draft.receipt,
    )


def tidy(connection: Connection) -> None:
    """Forget what is over and not to be kept, and channels that said their last words."""
    ended = outbox.c.state.not_in((*OPEN, DeliveryState.STANDING))
    connection.execute(outbox.delete().where(outbox.c.forgets, ended))
    waits = sa.exists().where(outbox.c.receiver == receivers.c.name, ~ended)
    connection.execute(receivers.delete().where(receivers.c.leaving, ~waits))


def is_untidy(connection: Connection) -> bool:
    """Whether there may be something to tidy."""
    kept = sa.exists().where(outbox.c.forgets)
    return bool(
        connection.execute(sa.select(kept | sa.exists().where(receivers.c.leaving))).scalar()
    )


def let_leave(connection: Connection, channel: Receiver) -> None:
    """Keep a channel that was removed for as long as it has last words."""
    gone = replace(channel, leaving=True, fallback=None)
    waits = (outbox.c.receiver == channel.name) & outbox.c.state.in_(OPEN)
    if connection.execute(sa.select(sa.exists().where(waits))).scalar():
        set_receiver(connection, gone)
