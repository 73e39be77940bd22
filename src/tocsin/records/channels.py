"""Receivers by their channels: each channel has messages, retries and a fate of its own."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.outbox import DeliveryState, Receiver, all_receivers, set_receiver
from tocsin.records.tables import alert_groups, notices, outbox, receivers


def by_receiver(connection: Connection) -> dict[str, list[Receiver]]:
    """The channels of each receiver, by its name; not of those that are only left."""
    found: dict[str, list[Receiver]] = defaultdict(list)
    for channel in all_receivers(connection):
        if not channel.leaving:
            found[channel.of].append(channel)
    return dict(sorted(found.items()))


def disabled(connection: Connection) -> list[Receiver]:
    """The channels to which nothing is sent any more."""
    return [c for c in all_receivers(connection) if c.disabled is not None and not c.leaving]


def put(connection: Connection, name: str, wanted: Sequence[Receiver]) -> list[Receiver]:
    """Let a receiver have these channels; those that it has no more.

    One that stays keeps its name, whatever comes before it now: messages follow each other by it.
    """
    known = [channel for channel in all_receivers(connection) if channel.of == name]
    taken = {channel.name for channel in all_receivers(connection)} - {c.name for c in known}
    named = _named(wanted, {channel.name: channel for channel in known})
    used = taken | set(named.values())
    for i, channel in enumerate(wanted):
        if i not in named:
            named[i] = next(free for free in _names(name, channel.kind) if free not in used)
            used.add(named[i])
        set_receiver(connection, replace(channel, name=named[i], receiver=name))
    return [channel for channel in known if channel.name not in named.values()]


def _named(wanted: Sequence[Receiver], known: dict[str, Receiver]) -> dict[int, str]:
    """The names of those that are there already: as they are, of their kind, or in their place."""
    named: dict[int, str] = {}
    left = dict(known)
    for alike in (
        lambda one, other: (one.kind, one.options) == (other.kind, other.options),
        lambda one, other: one.kind == other.kind,
        lambda _, other: not other.leaving,
    ):
        for i, channel in enumerate(wanted):
            found = next((n for n, other in left.items() if alike(channel, other)), None)
            if i not in named and found is not None:
                named[i] = found
                del left[found]
    return named


def _names(name: str, kind: str) -> Iterator[str]:
    yield name
    yield f"{name}/{kind}"
    number = 2
    while True:
        yield f"{name}/{kind}-{number}"
        number += 1


def disable(connection: Connection, name: str, reason: str, *, now: int) -> list[dict[str, Any]]:
    """Send nothing to a channel any more; what waited for it, which it never gets."""
    mine = receivers.update().where(receivers.c.name == name, receivers.c.disabled.is_(None))
    connection.execute(mine.values(disabled=reason, disabled_at=now))
    states = (DeliveryState.PENDING, DeliveryState.STANDING)
    waiting = (outbox.c.receiver == name) & outbox.c.state.in_(states)
    payloads = list(connection.execute(sa.select(outbox.c.payload).where(waiting)).scalars())
    why = "its receiver is disabled; it is told what holds when that takes messages again"
    values = {"state": DeliveryState.CANCELLED, "last_error": why}
    connection.execute(outbox.update().where(waiting).values(values))
    return payloads


def enable(connection: Connection, name: str, *, now: int) -> None:
    """Let a channel be told again: of what it did not hear, as it is by now."""
    mine = receivers.c.name == name
    why = connection.execute(sa.select(receivers.c.disabled).where(mine)).scalar()
    if why is None:
        return
    connection.execute(receivers.update().where(mine).values(disabled=None, disabled_at=None))
    # That is what it answered; it is told anew what this said.
    refused = (outbox.c.receiver == name) & (outbox.c.state == DeliveryState.DEAD)
    values = {"state": DeliveryState.SUPERSEDED, "last_error": f"{why}; it was enabled since"}
    connection.execute(outbox.update().where(refused, outbox.c.last_error == why).values(values))
    wake(connection, name, now=now)


def wake(connection: Connection, name: str, *, now: int) -> None:
    """Let all groups of a channel that have something open be looked at now."""
    more = sa.exists().where(notices.c.group_id == alert_groups.c.id, ~notices.c.closed)
    groups = alert_groups.update().where(alert_groups.c.receiver == name, more)
    connection.execute(groups.values(flush_at=now, set_at=now))
