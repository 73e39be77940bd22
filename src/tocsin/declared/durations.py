"""Durations as documents have them: text such as 15m, in microseconds once it is read."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from tocsin.errors import InvalidInputError
from tocsin.values import DAY, format_duration, parse_duration

_LONGEST = 3_650 * DAY


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


Duration = Annotated[int, BeforeValidator(_duration)]
Span = Annotated[Duration, AfterValidator(_not_zero)]
