"""Who is told: add or replace receivers, and try them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.declared import parse_receiver
from tocsin.errors import DeliveryError, InvalidInputError
from tocsin.ids import uuid7
from tocsin.notify import Message, Outside, sender
from tocsin.notify.told import TEST
from tocsin.records import Records, notices, outbox, routing
from tocsin.records.outbox import Receiver
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

    def put(self, name: str, document: object) -> Receiver:
        """Add or replace a receiver. Raises: InvalidInputError."""
        receiver = parse_receiver(name, document)
        with self._records.write() as connection:
            known = {other.name for other in outbox.all_receivers(connection)}
            if receiver.fallback is not None and receiver.fallback not in known - {name}:
                raise InvalidInputError(
                    f"receiver {name!r} falls back to {receiver.fallback!r}, which is no other "
                    f"receiver; there are {', '.join(sorted(known - {name}))}"
                )
            outbox.set_receiver(connection, receiver)
        return receiver

    def all(self) -> Sequence[Receiver]:
        """All receivers by name."""
        with self._records.read() as connection:
            return outbox.all_receivers(connection)

    def test(self, name: str) -> str | None:
        """Send a message that says it is a test, the way that alerts go; why it was not taken.

        One that was disabled, and takes it, is enabled.
        Raises: InvalidInputError when there is no such receiver.
        """
        known = {receiver.name: receiver for receiver in self.all()}
        if name not in known:
            raise InvalidInputError(
                f"there is no receiver {name!r}; there are {', '.join(sorted(known))}"
            )
        now = self._clock()
        test_id = uuid7()
        payload = _test_payload(test_id, now, self._base_url)
        receiver = known[name]
        for target in receiver.targets:
            message = Message(f"{test_id}.test", payload, now, target, written_at=now)
            try:
                sender(receiver.kind, receiver.options, self._outside)(message)
            except DeliveryError as error:
                return f"{target}: {error}" if target else str(error)
        if receiver.disabled is not None:
            with self._records.write() as connection:
                outbox.enable(connection, name)
        return None


def remove_receiver(connection: Connection, name: str) -> None:
    """Tell a receiver nothing any more; if it comes back, it is told of what fires then."""
    outbox.remove_receiver(connection, name)
    notices.close_of_receiver(connection, name)
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
