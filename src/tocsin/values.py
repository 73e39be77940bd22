"""Small frozen values that every layer speaks.

Time is event time: whole microseconds since 1970-01-01 UTC, as an int. Durations likewise.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tocsin.errors import InvalidInputError

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_duration(text: str) -> int:
    """Microseconds of a duration such as `15m`, `24h` or `7d`.

    Raises: InvalidInputError for anything else.

    >>> parse_duration("15m") == 15 * MINUTE
    True
    """
    match = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if match is None:
        raise InvalidInputError(
            f"{text!r} is not a duration; write a whole number and s, m, h or d, such as 15m or 24h"
        )
    return int(match[1]) * _UNITS[match[2]]


def format_duration(duration: int) -> str:
    """The shortest way to write a duration that `parse_duration` reads back.

    >>> format_duration(90 * MINUTE), format_duration(24 * HOUR), format_duration(7 * DAY)
    ('90m', '24h', '7d')
    """
    if duration % DAY == 0 and duration > DAY:
        return f"{duration // DAY}d"
    for unit, size in (("h", HOUR), ("m", MINUTE)):
        if duration % size == 0 and duration:
            return f"{duration // size}{unit}"
    return f"{duration // SECOND}s"


def to_datetime(microseconds: int) -> datetime:
    """The aware UTC datetime of an event time."""
    return _EPOCH + timedelta(microseconds=microseconds)


def from_datetime(moment: datetime) -> int:
    """The event time of an aware datetime.

    Raises: InvalidInputError when the datetime has no time zone.
    """
    if moment.tzinfo is None:
        raise InvalidInputError(f"{moment.isoformat()} has no time zone; add one, such as +00:00")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def isoformat(microseconds: int) -> str:
    """An event time in ISO 8601, UTC.

    >>> isoformat(0)
    '1970-01-01T00:00:00Z'
    """
    return to_datetime(microseconds).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, order=True)
class Window:
    """The event times from `start` (included) to `end` (not included)."""

    start: int
    end: int


@dataclass(frozen=True)
class WindowSpec:
    """How windows of one size follow each other: `every` apart, aligned to the epoch.

    size, every: microseconds; both whole multiples of the monitor's granularity.
    """

    size: int
    every: int

    @property
    def name(self) -> str:
        """The size as people write it: `24h`."""
        return format_duration(self.size)

    def ends(self, after: int, until: int) -> range:
        """The ends of the windows that end in (after, until], ascending.

        >>> list(WindowSpec(HOUR, HOUR).ends(0, 2 * HOUR)) == [HOUR, 2 * HOUR]
        True
        """
        first = after // self.every * self.every + self.every
        return range(first, until + 1, self.every)

    def ends_touching(self, bucket_start: int) -> range:
        """The ends of all windows that contain the bucket starting at `bucket_start`."""
        first = bucket_start // self.every * self.every + self.every
        return range(first, bucket_start + self.size + 1, self.every)


@dataclass(frozen=True)
class Bounded:
    """A measured number and how far it can be trusted.

    error: the exact value of the unbinned rows lies within `value` +- `error`; 0 when exact.
    low, high: the 95 % confidence interval, None where none is known.
    n: rows that the number rests on.
    """

    value: float
    error: float = 0.0
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(frozen=True)
class Undefined:
    """A number that does not exist for these rows, and why."""

    reason: str
    n: int = 0


Measure = Bounded | Undefined


@dataclass(frozen=True)
class Relay:
    """Who takes the mail of receivers that name nobody. password_file: read each time."""

    host: str | None = None
    sender: str | None = None
    port: int | None = None
    security: str = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
