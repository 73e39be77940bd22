"""Durations as documents have them: text such as 15m, in microseconds once it is read."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from tocsin.errors import InvalidInputError
from tocsin.values import DAY, format_duration, parse_duration

_LONGEST = 3_650 * DAY
# What has to last longer would never be told.
LONGEST_PATIENCE = 366 * DAY


def _duration(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("write a duration such as 15m or 24h")
    try:
        duration = parse_duration(value)
    except InvalidInputError as error:
        raise ValueError(str(error)) from error
    # Event times further off than this do not fit into a datetime.
    if duration > _LONGEST:
        raise ValueError(f"{value} is too long; at most {format_duration(_LONGEST)}")
    return duration


def _not_zero(duration: int) -> int:
    if duration == 0:
        raise ValueError("a duration of 0 has no room for rows; write one such as 15m or 24h")
    return duration


_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}],
    "description": "a number of windows, such as 2 or `2 windows`, or a duration such as 6h",
}

Duration = Annotated[int, BeforeValidator(_duration)]
Span = Annotated[Duration, AfterValidator(_not_zero)]


@dataclass(frozen=True)
class Patience:
    """How long something has to last: a number of windows in a row, or a time.

    >>> Patience(windows=3).windows_of(10), Patience(time=25).windows_of(10)
    (3, 4)
    """

    windows: int | None = None
    time: int | None = None

    def windows_of(self, every: int) -> int:
        """As windows, of which one ends every so many microseconds; a time is between two ends."""
        if self.windows is not None:
            return self.windows
        assert self.time is not None
        return 1 - -self.time // every

    def fault(self, every: int) -> str | None:
        """Why nobody can mean it of windows that end so far apart; None where all is well.

        >>> Patience(time=DAY // 16).fault(DAY // 24)
        '90m is not a multiple of 1h; write 1h or 2h, or a number such as `3 windows`'
        """
        if self.time is not None and self.time % every:
            around = {self.time // every * every, -(-self.time // every) * every} - {0}
            nearest = " or ".join(format_duration(time) for time in sorted(around))
            return (
                f"{format_duration(self.time)} is not a multiple of {format_duration(every)}; "
                f"write {nearest}, or a number such as `{self.windows_of(every)} windows`"
            )
        if (self.windows_of(every) - 1) * every > LONGEST_PATIENCE:
            most = LONGEST_PATIENCE // every + 1
            return (
                f"{self.windows_of(every):,} of them take longer than "
                f"{format_duration(LONGEST_PATIENCE)}; write at most {most:,} windows"
            )
        return None


def _patience(value: object) -> Patience:
    if isinstance(value, Patience):
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("write a number of windows such as 2, or a duration such as 6h")
    words = str(value).split()
    if isinstance(value, int) or (len(words) == 2 and words[1] in ("window", "windows")):
        if not words[0].isdecimal():
            raise ValueError(f"{value} is no number of windows; write such as 2, or 0 for at once")
        # At once is at the first window.
        return Patience(windows=max(int(words[0]), 1))
    return Patience(time=_duration(value))


Windows = Annotated[Patience, BeforeValidator(_patience), WithJsonSchema(_SCHEMA)]
