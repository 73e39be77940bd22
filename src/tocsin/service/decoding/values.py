"""Columns of given values as Arrow, at once where all fit, else one by one."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ids import MAX_ID_LENGTH
from tocsin.lake import TIMESTAMP
from tocsin.schema import Kind, Schema
from tocsin.service.decoding.misfits import MisfitError, Misfits, shown
from tocsin.values import from_datetime

# A column as it was given: of JSON a list, of Arrow and Parquet an array.
Values: TypeAlias = list[Any] | pa.Array

_SHOWN_CLASSES = 10
_NONE = type(None)
_NUMBERS = ({float}, {float, _NONE}, {int}, {int, float}, {int, float, _NONE}, {int, _NONE})
_TEXTS = {str, _NONE}
# The ends of Python's calendar.
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
# What pyarrow raises of values that Python has no object for: times beyond its calendar, unknown
# zones.
_UNREADABLE = (ValueError, OverflowError, LookupError)
# What Arrow raises of values that are not of the type.
_ODD = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, ValueError)


@dataclass(frozen=True)
class Unreadable:
    """A value that Python has no object for, such as a time after the year 9999."""

    text: str

    def __str__(self) -> str:
        return self.text


def listed(values: Values) -> list[Any]:
    """The values as Python objects."""
    if isinstance(values, list):
        return values
    try:
        return list(values.to_pylist())
    except _UNREADABLE:
        return [as_object(value) for value in values]


def as_object(value: pa.Scalar) -> Any:
    """A value as a Python object."""
    try:
        return value.as_py()
    except _UNREADABLE:
        try:
            return Unreadable(pc.cast(value, pa.string()).as_py())
        except _ODD:
            return Unreadable(f"a value of type {value.type} that cannot be read")


def numbers(values: Values, place: str, misfits: Misfits) -> pa.Array:
    """float64, null where none was given."""
    try:
        if isinstance(values, list):
            # Arrow takes true for 1.
            if set(map(type, values)) in _NUMBERS:
                return pa.array(values, pa.float64())
        elif _is_number(values.type):
            return values.cast(pa.float64(), safe=False)
    except _ODD:
        pass
    return misfits.each(listed(values), lambda value: _number(value, place), pa.float64())


def texts(values: Values, kind: Kind, place: str, misfits: Misfits) -> pa.Array:
    """Categories as text, null where none was given."""
    try:
        if isinstance(values, pa.Array) and _is_text(values.type):
            return values.cast(pa.string())
        # Arrow takes bytes for text.
        if isinstance(values, list) and set(map(type, values)) <= _TEXTS:
            return pa.array(values, pa.string())
    except _ODD:
        pass
    return misfits.each(listed(values), lambda value: category(value, kind, place), pa.string())


def moments(values: Values, place: str, misfits: Misfits) -> pa.Array:
    """Times in UTC, null where none was given; a time without a zone does not fit."""
    found = _moments_at_once(values)
    if found is None:
        return misfits.each(listed(values), lambda value: _moment(value, place), TIMESTAMP)
    micros = found.cast(pa.int64()).fill_null(_FIRST).to_numpy()
    odd = np.flatnonzero((micros < _FIRST) | (micros > _LAST))
    misfits.of(odd, lambda _: f"{place} is beyond the years 1 to 9999")
    return found


def _moments_at_once(values: Values) -> pa.Array | None:
    """Times in UTC; None when they have to be looked at one by one."""
    try:
        if isinstance(values, list):
            # Like Python's parser, Arrow's wants a zone here; what it cannot read Python may.
            return pa.array(values, pa.string()).cast(TIMESTAMP)
        if pa.types.is_timestamp(values.type) and values.type.tz is not None:
            # Nanoseconds are cut off; seconds of a far year would wrap around.
            return values.cast(TIMESTAMP, safe=values.type.unit != "ns")
        if _is_text(values.type):
            return values.cast(pa.string()).cast(TIMESTAMP)
    except _ODD:
        pass
    return None


def identities(values: Values, misfits: Misfits) -> pa.Array:
    """Prediction ids as text, null where none was given."""
    try:
        if isinstance(values, list) or _is_text(values.type):
            found = (
                pa.array(values, pa.string())
                if isinstance(values, list)
                else values.cast(pa.string())
            )
            ends = pc.min_max(pc.utf8_length(found)).as_py()
            if ends["min"] is None or (ends["min"] > 0 and ends["max"] <= MAX_ID_LENGTH):
                return found
    except _ODD:
        pass
    return misfits.each(listed(values), _identity, pa.string())


def classes(values: Values, schema: Schema, place: str, misfits: Misfits) -> pa.Array:
    """int32 numbers of classes, null where none was given."""
    known: dict[tuple[type, Any], int] = {}

    def number(value: Any) -> int | None:
        if value is None:
            return None
        if isinstance(value, dict | list):
            raise _no_class(value, schema, place)
        key = (type(value), value)
        if key not in known:
            found = schema.class_of(value)
            if found is None:
                raise _no_class(value, schema, place)
            known[key] = found
        return known[key]

    return misfits.each(listed(values), number, pa.int32())


def probabilities(values: Values, place: str, misfits: Misfits) -> pa.Array:
    """float64 in [0, 1], null where none was given."""
    found = numbers(values, place, misfits)
    known = found.fill_null(0).to_numpy()
    odd = np.flatnonzero(~((known >= 0) & (known <= 1)))
    misfits.of(odd, lambda row: f"{place}: {known[row].item()!r} is not a probability in [0, 1]")
    return found


def finite(values: Values, place: str, misfits: Misfits) -> pa.Array:
    """float64, none of them missing or infinite."""
    found = numbers(values, place, misfits)
    missing = np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False))
    misfits.of(missing, lambda _: f"{place} is missing")
    known = found.fill_null(0).to_numpy()
    odd = np.flatnonzero(~np.isfinite(known))
    misfits.of(odd, lambda row: f"{place}: {known[row].item()} is not finite")
    return found


def category(value: Any, kind: Kind, place: str) -> str | None:
    """A category as a reference would be written: 1.0 is 1, and of a boolean 1 is true."""
    if value is None or isinstance(value, str):
        return _encodable(value, place)
    if isinstance(value, bool) or (kind is Kind.BOOLEAN and value in (0, 1)):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, int | float):
        return str(value)
    raise MisfitError(f"{place}: expected text, not {shown(value)}")


def _encodable(value: str | None, place: str) -> str | None:
    try:
        if value is not None:
            value.encode()
    except UnicodeEncodeError:
        raise MisfitError(f"{place}: half of a surrogate pair is no text") from None
    return value


def _number(value: Any, place: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MisfitError(f"{place}: expected a number, not {shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise MisfitError(f"{place}: {shown(value)} is too large") from None


def _moment(value: Any, place: str) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str | datetime):
        raise MisfitError(f"{place} has to be ISO 8601 text, not {shown(value)}")
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise MisfitError(f"{place} {shown(value)} is not ISO 8601") from None
    if moment.tzinfo is None:
        raise MisfitError(f"{place} {shown(value)} has no time zone; end it with Z or +00:00")
    try:
        from_datetime(moment)
    except OverflowError:
        raise MisfitError(f"{place} {shown(value)} is out of range") from None
    return moment


def _identity(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        raise MisfitError(f"prediction_id has to be text, not {shown(value)}")
    if len(value) > MAX_ID_LENGTH:
        raise MisfitError(f"prediction_id has {len(value)} characters, at most {MAX_ID_LENGTH}")
    return _encodable(value, "prediction_id")


def _no_class(value: Any, schema: Schema, place: str) -> MisfitError:
    known = ", ".join(schema.labels[:_SHOWN_CLASSES])
    return MisfitError(f"{place}: {shown(value)} is none of the classes {known}")


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_floating(kind)
        or types.is_integer(kind)
        or types.is_decimal(kind)
        or types.is_null(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))
