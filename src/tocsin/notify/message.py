"""What every channel is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any

from tocsin.errors import DeliveryError
from tocsin.notify.guard import Network, Resolve

# The secret that a name stands for, None when there is none; rows hold names only.
Secrets = Callable[[str], str | None]


@dataclass(frozen=True)
class Message:
    """A notification.

    id: the same over all repeats. payload: as `service.message` builds it. sent_at: microseconds.
    """

    id: str
    payload: dict[str, Any]
    sent_at: int


@dataclass(frozen=True)
class Outside:
    """What channels may use: secrets by name, and the networks beside the open internet.

    resolve: how names are looked up; verify: how certificates are checked; None and True for the
    system's way.
    """

    secrets: Secrets
    networks: Sequence[Network] = ()
    resolve: Resolve | None = None
    verify: bool | SSLContext = True

    def secret(self, variable: str) -> str:
        """A secret. Raises: DeliveryError when the variable holds none."""
        value = self.secrets(variable)
        if not value:
            raise DeliveryError(f"the variable {variable} holds no secret", permanent=False)
        return value
