"""What every channel is given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
