"""Identifiers that sort by the time they were made."""

import os
import time

MAX_ID_LENGTH = 128
# What clients call the id of a prediction: they all mean the same.
ID_NAMES = ("prediction_id", "request_id", "inferenceId", "inference_id")

_DIGITS = 20  # hexadecimal, of 80 random bits; an id takes 74 of them
_DRAWN = 256
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))

# A system call gives up Python's lock, and a busy thread may keep it for 5 ms: so not one an id.
_spare: list[str] = []


def uuid7() -> str:
    """A UUID of version 7: 48 bits of Unix milliseconds, then 74 random bits.

    Source: RFC 9562, section 5.7.
    """
    try:
        digits = _spare.pop()
    except IndexError:
        digits, *more = _random_digits(_DRAWN)
        _spare.extend(more)
    return _uuid7(_milliseconds(), digits)


def uuid7s(count: int) -> list[str]:
    """So many of them, of one moment."""
    moment = _milliseconds()
    return [_uuid7(moment, digits) for digits in _random_digits(count)]


def _milliseconds() -> str:
    return f"{time.time_ns() // 1_000_000 & (1 << 48) - 1:012x}"


def _random_digits(count: int) -> list[str]:
    drawn = os.urandom(count * _DIGITS // 2).hex()
    return [drawn[start : start + _DIGITS] for start in range(0, len(drawn), _DIGITS)]


def _uuid7(moment: str, digits: str) -> str:
    return (
        f"{moment[:8]}-{moment[8:]}-7{digits[:3]}-{_VARIANT[digits[3]]}{digits[4:7]}-{digits[7:19]}"
    )


# A forked child would otherwise give out the ids that its parent gives out.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_spare.clear)
