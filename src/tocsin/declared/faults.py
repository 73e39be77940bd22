"""What is wrong with a document, in words of the document and not of who reads it."""

import re
from typing import Any

from pydantic import ValidationError

# Messages of pydantic as people would say them; the first that fits.
_WORDS = (
    (r"Value error, (.*)", r"\1"),
    (r"Extra inputs are not permitted", "is no field here, and not permitted"),
    (r"Field required", "is required"),
    (r"Input should be a valid (.*), unable to parse .*", r"has to be a \1"),
    (r"Input should be a valid dictionary or (?:instance of|object to).*", "has to be an object"),
    (r"Input should be a valid dictionary", "has to be an object"),
    (r"Input should be a valid string", "has to be text"),
    (r"Input should be a valid (.*)", r"has to be a \1"),
    (r"Input should be (.*)", r"has to be \1"),
    (r"String should match pattern .*", "cannot be written like this"),
    (r"(?:String|List|Dictionary) should have at least (\d+) (\w+)\b.*", r"needs at least \1 \2"),
    (r"(?:String|List|Dictionary) should have at most (\d+) (\w+)\b.*", r"has at most \1 \2"),
)


def faults(error: ValidationError, document: object, *, secret: bool = False) -> str:
    """Every fault with its place in the document.

    secret: values are not repeated, as they may be keys.

    Of several forms that a part may have, those count that fit it best: whose faults lie deepest.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    for fault in error.errors():
        place = _place(fault["loc"], document, lacks=fault["type"] == "missing")
        words = _said(fault["msg"])
        if fault["type"] == "string_pattern_mismatch":
            address = "https?://" in fault["ctx"]["pattern"]
            remedy = "; it has to begin with http:// or https://, without spaces" if address else ""
            given = "what is here" if secret else repr(fault["input"])
            words = f"{given} {words}{remedy}"
        if words not in found.setdefault(place, []):
            found[place].append(words)
    deepest = {
        place: words
        for place, words in found.items()
        if not any(len(place) < len(other) and other[: len(place)] == place for other in found)
    }
    return "; ".join(
        f"{'.'.join(place) or 'document'}: {_either(words)}" for place, words in deepest.items()
    )


def _place(loc: tuple[int | str, ...], document: object, *, lacks: bool) -> tuple[str, ...]:
    """Where a fault lies, without the names of forms that are no part of the document."""
    place: list[str] = []
    at: Any = document
    for i, part in enumerate(loc):
        inside = isinstance(at, list | tuple) and isinstance(part, int) and part < len(at)
        if inside or (isinstance(at, dict) and part in at):
            at = at[part]
        elif not (lacks and i == len(loc) - 1):
            continue
        place.append(str(part))
    return tuple(place)


def _said(message: str) -> str:
    for pattern, words in _WORDS:
        found = re.fullmatch(pattern, message, flags=re.DOTALL)
        if found is not None:
            return found.expand(words)
    return message


def _either(words: list[str]) -> str:
    """Messages of one place, of which any one would do."""
    first, *others = words
    return " or ".join([first, *(word.removeprefix("has to be ") for word in others)])
