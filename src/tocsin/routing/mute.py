"""When nobody is to be told: times of the day, weekdays, days of the month, in a time zone."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from tocsin.values import to_datetime

Range = tuple[int, int]


@dataclass(frozen=True)
class Interval:
    """Instants at which a clock in `zone` shows a time of all of these; what is empty is any.

    times: minutes of the day, the end not included. weekdays: 0 Monday to 6 Sunday. days: of the
    month from 1, or from -1 at its end backwards. months: 1 to 12. Ends of all but times included.
    A clock that is put back shows an hour twice, and both are meant.
    """

    times: tuple[Range, ...] = ()
    weekdays: tuple[Range, ...] = ()
    days: tuple[Range, ...] = ()
    months: tuple[Range, ...] = ()
    zone: tzinfo = UTC

    def holds(self, now: int) -> bool:
        """Whether the instant, in microseconds, is one of them."""
        shown = to_datetime(now).astimezone(self.zone)
        minute = shown.hour * 60 + shown.minute
        return (
            _within(self.weekdays, shown.weekday())
            and _within(self.months, shown.month)
            and (not self.times or any(low <= minute < high for low, high in self.times))
            and (not self.days or any(_in_month(shown, *each) for each in self.days))
        )


@dataclass(frozen=True)
class MuteTime:
    """Intervals with a name, any of which mutes."""

    name: str
    intervals: tuple[Interval, ...]

    def holds(self, now: int) -> bool:
        """Whether it mutes at the instant, in microseconds."""
        return any(interval.holds(now) for interval in self.intervals)


def muted_by(mute_times: Sequence[MuteTime], names: Sequence[str], now: int) -> str | None:
    """The first of the named mute times that holds now."""
    known = {each.name: each for each in mute_times}
    return next((name for name in names if name in known and known[name].holds(now)), None)


def _within(ranges: tuple[Range, ...], value: int) -> bool:
    return not ranges or any(low <= value <= high for low, high in ranges)


def _in_month(shown: datetime, first: int, last: int) -> bool:
    length = monthrange(shown.year, shown.month)[1]
    low, high = (day if day > 0 else length + 1 + day for day in (first, last))
    return low <= shown.day <= high
