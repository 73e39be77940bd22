"""What every channel is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

from tocsin.errors import DeliveryError
from tocsin.notify.guard import Reach

# The secret that a name stands for, None when there is none; rows hold names only.
Secrets = Callable[[str], str | None]


def _nothing(_: str) -> None:
    """No secrets."""


@dataclass(frozen=True)
class Message:
    """A notification.

    id: the same over all repeats. payload: as `service.message` builds it. sent_at: microseconds.
    target: to whom of a receiver of many, such as an e-mail address. thread: the receipt of the
    first message on the same matter, where the channel gave one. picture: a chart as PNG.
    written_at: when the message was put into the outbox.
    """

    id: str
    payload: dict[str, Any]
    sent_at: int
    target: str = ""
    thread: Mapping[str, str] | None = None
    picture: bytes | None = field(default=None, repr=False)
    written_at: int = 0


@dataclass(frozen=True)
class Receipt:
    """That a message was taken.

    thread: by what the receiver knows it, for what follows. again_after_s: the receiver forgets it
    unless it hears it again by then; until_s: so long after the first time, None for as long as
    nothing follows.
    """

    thread: dict[str, str] | None = None
    again_after_s: float | None = None
    until_s: float | None = None


Send = Callable[[Message], Receipt]
TAKEN = Receipt()


@dataclass(frozen=True)
class Outside(Reach):
    """What channels may use: what may be called, and secrets by name.

    verify: how certificates are checked; True for the system's way.
    """

    secrets: Secrets = _nothing
    verify: bool | SSLContext = True

    def secret(self, variable: str) -> str:
        """A secret. Raises: DeliveryError when the variable holds none."""
        value = self.secrets(variable)
        if not value:
            raise DeliveryError(f"the variable {variable} holds no secret", permanent=False)
        return value
