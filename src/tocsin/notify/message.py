"""What every channel is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Any

from tocsin.errors import DeliveryError
from tocsin.notify.guard import Reach
from tocsin.values import Relay

# The secret that a name stands for, None when there is none; rows hold names only.
Secrets = Callable[[str], str | None]


_MOST_SECRET = 64 * 1024


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

    verify: how certificates are checked; True for the system's way. folders: where files of
    secrets may be: who names one could else have the server send any file away.
    """

    secrets: Secrets = _nothing
    verify: bool | SSLContext = True
    folders: tuple[Path, ...] = ()
    mail: Relay = field(default_factory=Relay)

    def secret(self, options: Mapping[str, str | None], name: str) -> str | None:
        """The secret that `NAME_env` or `NAME_file` of the options leads to; None without either.

        Read each time, so that it may change. Raises: DeliveryError when there is none in it.
        """
        if file := options.get(f"{name}_file"):
            return self._in_file(file)
        if variable := options.get(f"{name}_env"):
            value = self.secrets(variable)
            if not value:
                raise DeliveryError(f"the variable {variable} holds no secret", permanent=False)
            return value
        return None

    def needed(self, options: Mapping[str, str | None], name: str) -> str:
        """The same of a secret without which nothing is sent. Raises: DeliveryError."""
        value = self.secret(options, name)
        if value is None:
            raise DeliveryError(f"neither {name}_env nor {name}_file is set", permanent=False)
        return value

    def _in_file(self, file: str) -> str:
        path = Path(file).resolve()
        if not any(path.is_relative_to(folder.resolve()) for folder in self.folders):
            known = ", ".join(map(str, self.folders)) or "nowhere"
            raise DeliveryError(
                f"the file {file} is not where secrets are read from ({known}); name its folder in "
                "TOCSIN_SECRETS",
                permanent=False,
            )
        return read_secret(path, file)


def read_secret(path: Path, spoken: str) -> str:
    """What a file holds, without the line end. Raises: DeliveryError that never shows it."""
    try:
        with path.open("rb") as file:
            value = file.read(_MOST_SECRET + 1).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise DeliveryError(f"the file {spoken} cannot be read: {why}", permanent=False) from None
    if not value or len(value) > _MOST_SECRET:
        what = "is empty" if not value else f"is longer than a secret of {_MOST_SECRET:,} bytes"
        raise DeliveryError(f"the file {spoken} {what}", permanent=False)
    return value
