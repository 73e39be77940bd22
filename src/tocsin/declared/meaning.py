"""What a document that has the right form says wrongly: every fault, and the field that it is in.

A monitor is understood as a whole, and the first fault ends that. So each part is tried by itself
beside what it needs, and the field of a fault is the one that its message speaks of.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tocsin.declared.fault import Path
from tocsin.errors import InvalidInputError, did_you_mean

Parse = Callable[[Mapping[str, Any]], object]
# What all else is understood beside.
_GROUND = ("model", "version", "schema", "lateness", "clock_skew")
# Lists of which each item can be tried alone.
LISTS = ("segments", "protected", "metrics", "rules")
_PARTS = ("labels", "join", "privacy", "segments", "protected", "metrics", "drift", "quality",
          "retention", "prices", "publish", "false_alarms", "rules")  # fmt: skip
_IDENTITY = ("alert", "name")


def meant_wrongly(document: Mapping[str, Any], parse: Parse) -> list[tuple[Path, str]]:
    """The faults of a monitor, by path.

    parse: makes a monitor of a document; raises InvalidInputError at its first fault.
    """
    found: list[tuple[Path, str]] = []
    told: set[str] = set()

    def good(tried: Mapping[str, Any], path: Path, parts: Mapping[str, Any]) -> bool:
        error = _error(tried, parse)
        if error is not None and error not in told:
            told.add(error)
            found.append(blamed(path, parts, error))
        return error is None

    ground = {key: document[key] for key in _GROUND if key in document} | {"rules": []}
    if not good(ground, (), {"schema": document.get("schema")}):
        return found
    ground = _with_windows(ground, document, good)
    for part in _PARTS:
        if part not in document:
            continue
        value = document[part]
        if part in LISTS and isinstance(value, list):
            kept = [
                each
                for i, each in enumerate(value)
                if good({**ground, part: [each]}, (part, i), {part: value})
            ]
            if good({**ground, part: kept}, (part,), {part: value}):
                ground[part] = kept
        elif good({**ground, part: value}, (part,), {**document, part: value}):
            ground[part] = value
    if not found:
        good(document, (), document)
    return found


def _with_windows(
    ground: dict[str, Any],
    document: Mapping[str, Any],
    good: Callable[[Mapping[str, Any], Path, Mapping[str, Any]], bool],
) -> dict[str, Any]:
    """The ground with the windows that are well, each tried with the granularity."""
    grain = {key: document[key] for key in ("granularity",) if key in document}
    if "windows" not in document:
        good({**ground, **grain}, tuple(grain), document)
        return ground
    kept = [
        size
        for i, size in enumerate(document["windows"])
        if good({**ground, **grain, "windows": [size]}, ("windows", i), document)
    ]
    return {**ground, **grain, "windows": kept} if kept else ground


def _error(document: Mapping[str, Any], parse: Parse) -> str | None:
    try:
        parse(document)
    except InvalidInputError as error:
        # The monitor's name is where the fault is told.
        return re.sub(r"^(monitor|receiver) '[^']*': ", "", str(error))
    return None


def blamed(path: Path, document: Mapping[str, Any], message: str) -> tuple[Path, str]:
    """The field below a path that a message speaks of, and the message with what was meant."""
    if message.startswith("granularity") and "granularity" in document:
        return ("granularity",), message
    here: Any = document
    for part in path:
        here = here[part]
    leaves = list(_leaves(here, path)) if path else list(_leaves(document, ()))
    ranked = [(_spoken_of(leaf, text, message), -i) for i, (leaf, text) in enumerate(leaves)]
    best, at = max(ranked, default=(0, 0))
    if best == 0:
        return path, message
    leaf, text = leaves[-at]
    return leaf, with_what_was_meant(text, message)


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, (*path, key))
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from _leaves(part, (*path, i))
    else:
        yield path, f"{value:g}" if isinstance(value, float) else str(value)


def _spoken_of(path: Path, text: str, message: str) -> int:
    """How surely a message speaks of a field, by its name and its value."""
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    spoken = (
        4
        if f"`{key}`" in message
        else 1
        if re.search(rf"\b{re.escape(key.removesuffix('s'))}", message)
        else 0
    )
    if not text or key in _IDENTITY:
        return min(spoken, 1)
    if repr(text) in message:
        return spoken + 3
    return spoken + (2 if re.search(rf"(?<![\w.]){re.escape(text)}(?![\w.])", message) else 0)


def with_what_was_meant(text: str, message: str) -> str:
    """A message with the word of its list that is nearly what was written."""
    said, there, rest = message.partition("; there are ")
    words = re.findall(r"[\w@.]+", rest)
    meant = did_you_mean(text, words)
    if not there or not meant or text in words:
        return message
    return f"{said}; {meant}There are {rest}"
