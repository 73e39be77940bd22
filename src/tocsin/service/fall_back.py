"""Somebody else is told of what is critical, while the one who should know cannot be reached."""

from collections.abc import Mapping

from sqlalchemy.engine import Connection

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
        receivers = {receiver.name: receiver for receiver in outbox.all_receivers(connection)}
        late = letters.late(connection, since=since)
        return sum(_tell_other(connection, letter, receivers, now) for letter in late)


def _tell_other(
    connection: Connection, letter: Letter, receivers: Mapping[str, Receiver], now: int
) -> int:
    mine = receivers.get(letter.receiver)
    other = receivers.get((mine.fallback if mine else None) or "")
    if other is None or other.disabled is not None:
        # Remembered, so as not to be looked at each second; a fallback that is named later is
        # that of later messages.
        letters.fell_back(connection, letter.id, "")
        return 0
    letters.fell_back(connection, letter.id, other.name)
    matter = letter.order_key.removeprefix(f"{letter.receiver}/").removesuffix(f"/{letter.target}")
    waited = (now - letter.created_at) // MINUTE
    why = "refused it" if letter.state == DeliveryState.DEAD else f"took nothing for {waited} min"
    note = f"Told here because {letter.receiver} {why}."
    written = 0
    for target in other.targets:
        if letters.is_written(connection, other.name, target, letter.message_id):
            continue
        outbox.put(
            connection,
            receiver=other.name,
            target=target,
            order_key=f"{other.name}/{matter}{f'/{target}' if target else ''}",
            message_id=letter.message_id,
            payload={**letter.payload, "note": note},
            now=now,
        )
        written += 1
    return written
