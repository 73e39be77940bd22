"""What every channel is given."""

from collections.abc import Callable
from dataclasses import dataclass
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
    target: to whom of a receiver of many, such as an e-mail address.
    """

    id: str
    payload: dict[str, Any]
    sent_at: int
    target: str = ""


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
