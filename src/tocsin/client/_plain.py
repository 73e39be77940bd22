"""Values of other libraries as the plain ones that JSON holds."""

import math
from collections.abc import Iterable
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

# By name, as their libraries are not imported here.
_MISSING = frozenset({"NAType", "NaTType"})
_TEXTS = frozenset({"datetime64", "Interval", "Period"})
_AS_THEY_ARE = frozenset({str, int, bool, type(None)})


def plain(value: Any) -> Any:
    """A value that JSON can hold, for one that it cannot: its `default`.

    Missing values become None, times ISO 8601 text, scalars of NumPy and decimals numbers.
    Raises: TypeError for what has no such form.
    """
    name = type(value).__name__
    if name in _MISSING:
        return None
    if isinstance(value, date | time):  # and with it datetimes, and pandas' Timestamps
        return value.isoformat()
    if isinstance(value, Decimal):
        return finite(float(value))
    if name in _TEXTS or isinstance(value, UUID):
        text = str(value)
        return None if text == "NaT" else text
    item = getattr(value, "item", None)
    held = item() if callable(item) else value
    if type(held) is type(value):  # numpy.longdouble.item() returns itself
        raise TypeError(f"a value of type {name} has no JSON form")
    return held


def finite(value: Any) -> Any:
    """The value with None for every NaN and infinity, however deep it lies."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [finite(held) for held in value]
    if value is None or isinstance(value, str | int):
        return value
    return finite(plain(value))


def plain_column(values: list[Any]) -> list[Any]:
    """Its values, with None for the missing; what has no JSON form stays, and fails its row."""
    kinds = set(map(type, values)) - _AS_THEY_ARE
    if not kinds or (kinds == {float} and _all_finite(values)):
        return values
    return [_plain_or_as_it_is(value) for value in values]


def _all_finite(values: Iterable[Any]) -> bool:
    return all(map(math.isfinite, (value for value in values if type(value) is float)))


def _plain_or_as_it_is(value: Any) -> Any:
    if type(value) in _AS_THEY_ARE:
        return value
    try:
        return finite(value)
    except Exception:  # noqa: BLE001 - a host's value may raise anything when read
        return value
