"""What is different between two documents, field by field."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# What things in a list are known by.
_NAMES = ("alert", "name", "column")
_MISSING = object()


@dataclass(frozen=True)
class Difference:
    """A field that has another value; None where it is not there. field: as people read it."""

    field: str
    before: Any
    after: Any

    def to_dict(self) -> dict[str, Any]:
        """As the API gives it out."""
        return {"field": self.field, "before": self.before, "after": self.after}


def differences(before: Any, after: Any, field: str = "") -> list[Difference]:
    """The fields that differ; things with names are compared by these, wherever they stand.

    >>> was = {"rules": [{"alert": "Low", "expr": {"value": 0.7}}]}
    >>> now = {"rules": [{"alert": "Low", "expr": {"value": 0.72}}], "publish": False}
    >>> [(d.field, d.before, d.after) for d in differences(was, now)]
    [('rules.Low.expr.value', 0.7, 0.72), ('publish', None, False)]
    """
    return list(_differences(before, after, field))


def _differences(before: Any, after: Any, field: str) -> Iterator[Difference]:
    if before == after and type(before) is type(after):
        return
    first, second = _by_key(before), _by_key(after)
    if first is None or second is None or not (first and second):
        yield Difference(
            field,
            None if before is _MISSING else before,
            None if after is _MISSING else after,
        )
        return
    for key in [*first, *(key for key in second if key not in first)]:
        here = f"{field}.{key}" if field else key
        yield from _differences(first.get(key, _MISSING), second.get(key, _MISSING), here)


def _by_key(value: Any) -> dict[str, Any] | None:
    """The parts of a mapping, or of a list of things with names; None of what has no such parts."""
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, list) or not value or not all(isinstance(v, Mapping) for v in value):
        return None
    for name in _NAMES:
        if all(isinstance(each.get(name), str) for each in value):
            found = {each[name]: each for each in value}
            return found if len(found) == len(value) else None
    return None
