"""Who is told: add or replace receivers, and try them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.declared import parse_receiver
from tocsin.errors import DeliveryError, InvalidInputError
from tocsin.ids import uuid7
from tocsin.notify import Message, Outside, sender
from tocsin.notify.told import TEST
from tocsin.records import Records, channels, endings, notices, outbox, routing
from tocsin.records.audit import UNKNOWN
from tocsin.records.outbox import Receiver
from tocsin.service import last_words
from tocsin.service.clock import Clock
from tocsin.service.message import PAYLOAD_VERSION
from tocsin.values import isoformat


class Receivers:
    """Changes receivers."""

    def __init__(self, records: Records, outside: Outside, clock: Clock, base_url: str) -> None:
        self._records = records
        self._outside = outside
        self._clock = clock
        self._base_url = base_url

    def put(self, name: str, document: object) -> Sequence[Receiver]:
        """Add or replace a receiver; its channels. Raises: InvalidInputError."""
        wanted = parse_receiver(name, document)
        fallback = wanted[0].fallback
        with self._records.write() as connection:
            known = set(channels.by_receiver(connection))
            if fallback is not None and fallback not in known - {name}:
                raise InvalidInputError(
                    f"receiver {name!r} falls back to {fallback!r}, which is no other "
                    f"receiver; there are {', '.join(sorted(known - {name}))}"
                )
            put_receiver(connection, name, wanted, now=self._clock())
        return wanted

    def all(self) -> Mapping[str, Sequence[Receiver]]:
        """The channels of all receivers by their names."""
        with self._records.read() as connection:
            return channels.by_receiver(connection)

    def test(self, name: str) -> str | None:
        """Send a message that says it is a test, the way that alerts go; why it was not taken.

        One that was disabled, and takes it, is enabled.
        Raises: InvalidInputError when there is no such receiver.
        """
        known = self.all()
        if name not in known:
            raise InvalidInputError(
                f"there is no receiver {name!r}; there are {', '.join(sorted(known))}"
            )
        now = self._clock()
        test_id = uuid7()
        payload = _test_payload(test_id, now, self._base_url)
        errors = []
        for channel in known[name]:
            error = self._tried(channel, test_id, payload, now)
            several = f"{channel.kind}: " if len(known[name]) > 1 else ""
            errors += [] if error is None else [f"{several}{error}"]
        return "; ".join(errors) or None

    def _tried(
        self, channel: Receiver, test_id: str, payload: dict[str, Any], now: int
    ) -> str | None:
        """Why a channel did not take a message."""
        for target in channel.targets:
            message = Message(f"{test_id}.test", payload, now, target, written_at=now)
            try:
                sender(channel.kind, channel.options, self._outside)(message)
            except DeliveryError as error:
                return f"{target}: {error}" if target else str(error)
        if channel.disabled is not None:
            with self._records.write() as connection:
                channels.enable(connection, channel.name, now=now)
        return None


def put_receiver(
    connection: Connection, name: str, wanted: Sequence[Receiver], *, by: str = UNKNOWN, now: int
) -> None:
    """Let a receiver have these channels, and those that it has no more be told nothing more."""
    for channel in channels.by_receiver(connection).get(name, []):
        # Whoever puts it again says that it takes messages.
        channels.enable(connection, channel.name, now=now)
    for gone in channels.put(connection, name, wanted):
        _remove(connection, gone, by=by, now=now)


def remove_receiver(connection: Connection, name: str, *, by: str = UNKNOWN, now: int) -> None:
    """Tell a receiver that what it knows of is over, and nothing any more.

    If it comes back, it is told of what fires then.
    """
    for channel in outbox.all_receivers(connection):
        if channel.of == name:
            _remove(connection, channel, by=by, now=now)


def _remove(connection: Connection, channel: Receiver, *, by: str, now: int) -> None:
    drafts = last_words.of_channel(connection, channel, by=by)
    outbox.remove_receiver(connection, channel.name)
    for draft in drafts:
        endings.put_last(connection, draft, forgets=False, now=now)
    endings.let_leave(connection, channel)
    notices.close_of_receiver(connection, channel.name)
    # Also where it is back before anybody looked.
    routing.set_routed(connection, "")


def _test_payload(test_id: str, now: int, base_url: str) -> dict[str, Any]:
    """Like the payload of an alert, but for its event: nothing fired, and nothing is over."""
    return {
        "version": PAYLOAD_VERSION,
        "event": TEST,
        "model": "tocsin",
        "incident": 0,
        "title": "Test of this receiver: alerts would come here",
        "incident_title": "Test",
        "episode": test_id,
        "alert": "Test",
        "instance": "",
        "severity": "info",
        "category": "test",
        "text": "Somebody asked for this message; nothing is wrong.",
        "late": False,
        "labels": {},
        "summary": "",
        "runbook_url": "",
        "window_end": isoformat(now),
        "causes": [],
        "url": base_url,
    }
