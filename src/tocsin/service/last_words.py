"""What receivers know to fire is told to be over before nobody here knows of it any more."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.notify.told import alerts_of, begins
from tocsin.records import channels, endings
from tocsin.records.endings import Sent
from tocsin.records.outbox import Receiver
from tocsin.service.message import group_notification, named

Told = dict[str, Any]
_NUMBERED = re.compile(r"(.*)\.(\d+)")


def of_model(connection: Connection, model_id: int, name: str, *, by: str) -> list[endings.Draft]:
    """What is to be told of a model that is about to be deleted, to whoever heard of its alerts."""
    rows = endings.sent_about_model(connection, model_id)
    left = {channel.name: channel for found in _known(connection) for channel in found}
    why = f"the model was deleted by {by}"
    return list(_drafts(rows, left, lambda alert: bool(alert["model"] == name), why))


def of_channel(connection: Connection, channel: Receiver, *, by: str) -> list[endings.Draft]:
    """What is to be told to a channel that is about to be removed."""
    rows = endings.sent_to(connection, channel.name)
    why = f"the receiver was removed by {by}"
    return list(_drafts(rows, {channel.name: channel}, lambda _: True, why))


def firing_after(rows: Sequence[Sent]) -> dict[str, Told]:
    """The alerts, by episode, of which a conversation says that they fire, as it said last.

    What may have arrived counts where it says that something fires, and not where it is over.
    """
    firing: dict[str, Told] = {}
    for row in rows:
        for alert in alerts_of(row.payload):
            if "episode" not in alert:
                continue
            if begins(alert):
                firing[alert["episode"]] = alert
            elif row.certain:
                firing.pop(alert["episode"], None)
    return firing


def _known(connection: Connection) -> list[list[Receiver]]:
    return list(channels.by_receiver(connection).values())


def _drafts(
    rows: Sequence[Sent],
    left: dict[str, Receiver],
    wanted: Callable[[Told], bool],
    why: str,
) -> Iterator[endings.Draft]:
    """A message for each conversation in which something fires."""
    talks: dict[str, list[Sent]] = defaultdict(list)
    for row in rows:
        talks[row.order_key].append(row)
    for key, said in talks.items():
        channel = left.get(said[0].receiver)
        over = [_over(alert, why) for alert in firing_after(said).values() if wanted(alert)]
        if not over or channel is None or channel.disabled is not None:
            continue
        payload = over[0] if len(over) == 1 else _of_several(over, said[-1].payload, why)
        yield endings.Draft(
            receiver=channel.name,
            target=said[0].target,
            order_key=key,
            message_id=_next_id(said, over[0]["episode"]),
            payload=payload,
            receipt=next((row.receipt for row in said if row.receipt), None),
        )


def _over(alert: Told, why: str) -> Told:
    """An alert that is over, but not because it is well."""
    title = f"{named(alert['alert'], alert['instance'])} is over: {why}"
    rest = {key: part for key, part in alert.items() if key not in ("still_firing", "note")}
    since = {k: v for k, v in (alert.get("facts") or {}).items() if k == "since"}
    told = {"event": "resolved", "notice": "resolved", "first": False, "reason": why}
    return {**rest, **told, "title": title, "facts": since, "recovery": "", "causes": []}


def _of_several(over: list[Told], last: Told, why: str) -> Told:
    made = group_notification(
        over, last.get("group", {}), base_url=last["url"].rsplit("/inc", 1)[0]
    )
    return {**made, "title": f"{len(over)} alerts are over: {why}"}


def _next_id(said: Sequence[Sent], episode: str) -> str:
    """An id that nothing had that arrived: messages of a group are numbered."""
    numbers = [found for row in said if (found := _NUMBERED.fullmatch(row.message_id))]
    if not numbers:
        return f"{episode}.resolved.last"
    return f"{numbers[0][1]}.{max(int(found[2]) for found in numbers) + 1}"
