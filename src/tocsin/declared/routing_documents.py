"""The documents of routing, as pydantic reads them."""

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from tocsin.declared.durations import Duration, Span
from tocsin.errors import InvalidInputError
from tocsin.routing import Interval, Matcher, parse_matcher
from tocsin.values import DAY

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_MINUTES = 24 * 60

Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _matcher(text: str) -> str:
    _mended(text)
    return text


def _mended(text: str) -> Matcher:
    try:
        return parse_matcher(text)
    except InvalidInputError as error:
        raise ValueError(str(error)) from error


def _one_is_a_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


MatcherText = Annotated[str, Field(max_length=2_000), AfterValidator(_matcher)]
Matchers = Annotated[list[MatcherText], BeforeValidator(_one_is_a_list), Field(max_length=50)]


class EscalationDocument(_Strict):
    """Whom else to tell of what nobody took for a while."""

    unacked_for: Span
    receiver: Name


class RouteDocument(_Strict):
    """A node of the tree; what it leaves out it has from its parent."""

    receiver: Name | None = None
    matchers: Matchers = []
    goes_on: Annotated[bool, Field(alias="continue")] = False
    group_by: list[Name] | None = None
    group_wait: Duration | None = None
    group_interval: Span | None = None
    repeat_interval: Span | None = None
    mute_times: list[Name] | None = None
    escalate: list[EscalationDocument] | None = None
    routes: list["RouteDocument"] = []


class InhibitRuleDocument(_Strict):
    """What keeps which alerts quiet, where they are alike."""

    source_matchers: Annotated[Matchers, Field(min_length=1)]
    target_matchers: Annotated[Matchers, Field(min_length=1)]
    equal: Annotated[list[Name], Field(min_length=1)]
    max_duration: Span = DAY


def _minute(text: str) -> int:
    found = _CLOCK.fullmatch(text)
    minute = -1 if found is None else int(found[1]) * 60 + int(found[2])
    if not 0 <= minute <= _MINUTES:
        raise ValueError(f"{text!r} is no time of the day; write one such as 09:00, or 24:00")
    return minute


class TimesDocument(_Strict):
    """From a time of the day to before another."""

    start: str
    end: str

    @property
    def minutes(self) -> tuple[int, int]:
        """Both in minutes. Raises: ValueError."""
        start, end = _minute(self.start), _minute(self.end)
        if end <= start:
            raise ValueError(
                f"{self.start} to {self.end} ends before it begins; of a night write two: "
                f"{self.start} to 24:00, and 00:00 to {self.end}"
            )
        return start, end


def _times(times: TimesDocument) -> TimesDocument:
    _ = times.minutes
    return times


def number_range(text: str, names: tuple[str, ...], low: int, high: int) -> tuple[int, int]:
    """A range such as `monday:friday`, `1:5` or `-3:-1`, or one of them alone.

    names: of the numbers from `low` on. Raises: ValueError.

    >>> number_range("january:march", _MONTHS, 1, 12), number_range("-1", (), 1, 31)
    ((1, 3), (-1, -1))
    """
    parts = [_number(part.strip().lower(), names, low, high) for part in str(text).split(":")]
    if len(parts) > 2 or None in parts:
        known = f"{names[0]}:{names[-1]}" if names else "1:31 or -7:-1"
        raise ValueError(f"{text!r} is no range; write one such as {known}, or one of them alone")
    first, last = parts[0], parts[-1]
    assert first is not None
    assert last is not None
    if last < first or (first < 0) != (last < 0):
        raise ValueError(f"{text!r} ends before it begins; write two ranges, or the smaller first")
    return first, last


def _number(text: str, names: tuple[str, ...], low: int, high: int) -> int | None:
    if text in names:
        return names.index(text) + low
    if not re.fullmatch(r"-?\d{1,2}", text) or (names and low == 0):
        return None
    number = int(text)
    backwards = not names and -high <= number <= -1
    return number if low <= number <= high or backwards else None


def weekdays(text: str) -> tuple[int, int]:
    """A range of weekdays, Monday 0. Raises: ValueError."""
    return number_range(text, _WEEKDAYS, 0, 6)


def months(text: str) -> tuple[int, int]:
    """A range of months from 1. Raises: ValueError."""
    return number_range(text, _MONTHS, 1, 12)


def days(text: str) -> tuple[int, int]:
    """A range of days of the month, from 1 or from -1 backwards. Raises: ValueError."""
    return number_range(text, (), 1, 31)


def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises: ValueError."""
    try:
        return ZoneInfo(name)
    # Also of a folder, or of a name with what no file name has.
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"there is no time zone {name!r}; write one such as Europe/Berlin (the system's tzdata "
            "has to be installed)"
        ) from error


def _text(value: object) -> object:
    """Days and months are numbers too, where people write them so."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_Weekdays = Annotated[str, AfterValidator(lambda text: (weekdays(text), text)[1])]
_Months = Annotated[
    str, BeforeValidator(_text), AfterValidator(lambda text: (months(text), text)[1])
]
_Days = Annotated[str, BeforeValidator(_text), AfterValidator(lambda text: (days(text), text)[1])]
_Zone = Annotated[str, AfterValidator(lambda name: (zone(name), name)[1])]


class MuteIntervalDocument(_Strict):
    """Times that are all of these; what is left out is any."""

    times: list[Annotated[TimesDocument, AfterValidator(_times)]] = []
    weekdays: list[_Weekdays] = []
    days_of_month: list[_Days] = []
    months: list[_Months] = []
    location: _Zone = "UTC"


def interval(document: MuteIntervalDocument) -> Interval:
    """The instants that a document means."""
    return Interval(
        times=tuple(times.minutes for times in document.times),
        weekdays=tuple(weekdays(text) for text in document.weekdays),
        days=tuple(days(text) for text in document.days_of_month),
        months=tuple(months(text) for text in document.months),
        zone=zone(document.location),
    )


class MuteTimeDocument(_Strict):
    """When nobody is told, by a name that routes use."""

    name: Name
    intervals: Annotated[list[MuteIntervalDocument], Field(min_length=1)]


class RoutingDocument(_Strict):
    """All of it; without `route` every receiver is told, without `inhibit_rules` ours hold."""

    route: RouteDocument | None = None
    inhibit_rules: list[InhibitRuleDocument] | None = None
    mute_times: list[MuteTimeDocument] = []


class SilenceDocument(_Strict):
    """What nobody is to be told of, from when (now) to when."""

    matchers: Annotated[Matchers, Field(min_length=1)]
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    duration: Span | None = None
    author: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    comment: Annotated[str, Field(min_length=1, max_length=1_000)]
