"""Rows that do not fit, by number, each with the first reason."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_SHOWN = 80
# Of what is kept: nobody means more.
DEEPEST = 100
# Brackets, and texts, in which they mean nothing.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


class MisfitError(Exception):
    """A value that does not fit; the message is the reason."""


class Misfits:
    """The reasons found so far; the first of a row stays."""

    def __init__(self) -> None:
        self._reasons: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._reasons)

    def __contains__(self, row: int) -> bool:
        return row in self._reasons

    def add(self, row: int, reason: str) -> None:
        """Note why a row does not fit."""
        self._reasons.setdefault(row, reason)

    def of(self, rows: Iterable[int], reason: Callable[[int], str]) -> None:
        """Note several rows; `reason` says why of each."""
        for row in rows:
            self.add(int(row), reason(int(row)))

    def each(
        self, values: Iterable[Any], parse: Callable[[Any], Any], kind: pa.DataType
    ) -> pa.Array:
        """All values parsed one by one, null where that raises `MisfitError`."""
        found: list[Any] = []
        for row, value in enumerate(values):
            try:
                found.append(parse(value))
            except MisfitError as misfit:
                self.add(row, str(misfit))
                found.append(None)
        return pa.array(found, kind)

    def fitting(self, rows: int) -> NDArray[np.int64]:
        """The numbers of the rows that fit, of so many."""
        return np.delete(np.arange(rows), list(self._reasons))

    def sorted(self) -> list[tuple[int, str]]:
        """(row, reason), by row."""
        return sorted(self._reasons.items())


def shown(value: Any) -> str:
    """A value as a reason names it, cut short."""
    text = to_json(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def to_json(value: Any) -> str:
    """JSON of whatever came in; as text what JSON has no form for, cut where it is nested deeply.

    Readers of JSON give up at some depth, and each at another.
    """
    try:
        text = msgspec.json.encode(value, enc_hook=str).decode()
    except RecursionError:
        text = ""
    if text and _depth(text) <= DEEPEST:
        return text
    return msgspec.json.encode(_cut(value, DEEPEST), enc_hook=str).decode()


def _cut(value: Any, depth: int) -> Any:
    if not isinstance(value, dict | list | tuple):
        return value
    if depth == 0:
        return "(nested too deeply)"
    if isinstance(value, dict):
        return {name: _cut(inner, depth - 1) for name, inner in value.items()}
    return [_cut(inner, depth - 1) for inner in value]


def _depth(text: str) -> int:
    """How deep arrays and objects are nested in JSON; at most that, where it is little."""
    most = text.count("[") + text.count("{")
    if most <= DEEPEST:
        return most
    depth = most = 0
    for bracket in _BRACKETS.findall(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(bracket, 0)
        most = max(most, depth)
    return most
