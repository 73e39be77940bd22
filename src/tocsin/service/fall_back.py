"""Somebody else is told of what is critical, while the one who should know cannot be reached."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.notify.told import BY_KEY, alerts_of
from tocsin.records import Records, letters, outbox
from tocsin.records.letters import Letter
from tocsin.records.outbox import DeliveryState, Receiver
from tocsin.values import MINUTE

PATIENCE = 5 * MINUTE


def fall_back(records: Records, now: int) -> int:
    """Write late critical messages to the fallbacks of their receivers too; how many.

    Whoever was told of the beginning is told of the end, also when the receiver is well again.
    """
    since = now - PATIENCE
    with records.read() as connection:
        if not letters.late(connection, since=since):
            return 0
    with records.write() as connection:
        known = {channel.name: channel for channel in outbox.all_receivers(connection)}
        late = letters.late(connection, since=since)
        return sum(_tell_others(connection, letter, known, now) for letter in late)


def _tell_others(
    connection: Connection, letter: Letter, known: Mapping[str, Receiver], now: int
) -> int:
    """Tell all channels of the receiver to fall back to."""
    mine = known.get(letter.receiver)
    # Of a channel that is disabled others are told by notices of their own.
    name = mine.fallback if mine and mine.disabled is None else None
    others = [
        channel
        for channel in known.values()
        if channel.of == name and channel.disabled is None and not channel.leaving
    ]
    if not others:
        # Remembered, so as not to be looked at each second; a fallback that is named later is
        # that of later messages.
        letters.fell_back(connection, letter.id, "")
        return 0
    letters.fell_back(connection, letter.id, name or "")
    waited = (now - letter.created_at) // MINUTE
    why = "refused it" if letter.state == DeliveryState.DEAD else f"took nothing for {waited} min"
    note = f"Told here because {letter.receiver} {why}."
    return sum(_tell_other(connection, letter, other, note, now) for other in others)


def _tell_other(
    connection: Connection, letter: Letter, other: Receiver, note: str, now: int
) -> int:
    written = 0
    for about, message_id, payload in _parts(letter, other):
        for target in other.targets:
            if letters.is_written(connection, other.name, target, message_id):
                continue
            outbox.put(
                connection,
                receiver=other.name,
                target=target,
                order_key=f"{other.name}/{about}{f'/{target}' if target else ''}",
                message_id=message_id,
                payload={**payload, "note": note},
                now=now,
            )
            written += 1
    return written


def _parts(letter: Letter, other: Receiver) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(what it is about, id, payload) of each message that another is told instead."""
    payload = letter.payload
    if other.kind not in BY_KEY:
        matter = letter.order_key.removeprefix(f"{letter.receiver}/")
        yield matter.removesuffix(f"/{letter.target}"), letter.message_id, payload
        return
    for alert in alerts_of(payload):
        one = alert is payload
        name = letter.message_id if one else f"{letter.message_id}.{alert['episode']}"
        yield alert["episode"], name, alert
