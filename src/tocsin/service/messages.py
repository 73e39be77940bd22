"""Messages to a receiver: one for a group, or one for each alert where the receiver wants that."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.notify.told import BY_KEY
from tocsin.records import alerts, outbox
from tocsin.records.notices import FIRED, Group, Told
from tocsin.records.outbox import Receiver
from tocsin.routing import Tell
from tocsin.service.facts import facts_of
from tocsin.service.message import group_notification, notification

RESOLVED = "resolved"


@dataclass(frozen=True)
class Letter:
    """What one receiver is told of one alert, and why now."""

    told: Told
    tell: Tell
    reason: str

    @property
    def events(self) -> tuple[str, ...]:
        """What it says, one message after the other."""
        if self.tell is Tell.BRIEF:
            return FIRED, RESOLVED
        return (RESOLVED,) if self.tell is Tell.RESOLVED else (FIRED,)


class Messages:
    """Writes messages into the outbox, in the transaction that remembers what was told."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def put(
        self,
        connection: Connection,
        receiver: Receiver,
        group: Group,
        letters: Sequence[Letter],
        firing: Collection[str],
        *,
        now: int,
    ) -> int:
        """Write what there is to say; how many messages of the group that took.

        firing: the episodes of the group that the receiver knows to fire.

        Messages of a group leave in order, and an episode stays in the group that it was told in,
        so that no trigger is overtaken by its resolve.
        """
        if receiver.kind in BY_KEY:
            for letter in letters:
                for event in letter.events:
                    self._put_alone(connection, receiver, letter, event, now)
            return 0
        first = [(letter, letter.events[0]) for letter in letters]
        # What came and went unseen has to be told before it can be told to be over.
        second = [(letter, letter.events[1]) for letter in letters if len(letter.events) > 1]
        count = 0
        for told in filter(None, (first, second)):
            count += 1
            payloads = [self._payload(connection, *each) for each in told]
            one = len(payloads) == 1
            payload = (
                payloads[0]
                if one
                else group_notification(payloads, group.labels, base_url=self._base_url)
            )
            others = set(firing) - {letter.told.standing.episode.id for letter, _ in told}
            if others:
                payload = {**payload, "still_firing": len(others)}
            number = group.messages + count
            self._put(connection, receiver, group.id, f"{group.id}.{number}", payload, now)
        return count

    def _put_alone(
        self, connection: Connection, receiver: Receiver, letter: Letter, event: str, now: int
    ) -> None:
        told, episode = letter.told, letter.told.standing.episode
        again = told.tellings if event == FIRED else told.rounds
        message_id = f"{episode.id}.{event}{f'.{again}' if again else ''}"
        payload = self._payload(connection, letter, event)
        self._put(connection, receiver, episode.id, message_id, payload, now)

    def _put(
        self,
        connection: Connection,
        receiver: Receiver,
        about: str,
        message_id: str,
        payload: dict[str, Any],
        now: int,
    ) -> None:
        for target in receiver.targets:
            outbox.put(
                connection,
                receiver=receiver.name,
                target=target,
                order_key=f"{receiver.name}/{about}{f'/{target}' if target else ''}",
                message_id=message_id,
                payload=payload,
                now=now,
            )

    def _payload(self, connection: Connection, letter: Letter, event: str) -> dict[str, Any]:
        standing = letter.told.standing
        incident = alerts.incident(connection, standing.episode.incident_id)
        assert incident is not None
        by_hand = letter.told.notice.asked and letter.told.escalated
        made = notification(
            incident,
            standing.episode,
            event,
            window_end=standing.window_end,
            base_url=self._base_url,
            tell=letter.tell,
            reason=letter.reason,
            news=standing.event,
            first=not letter.told.notice.told,
            facts=facts_of(connection, incident, standing.episode, standing.window_end),
        )
        return {**made, "escalated": by_hand} if by_hand else made
