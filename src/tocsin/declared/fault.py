"""A fault in a file that people wrote: where it is, in which field, and what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Place:
    """Where something stands in a file; line and column count from 1, 0 where nobody knows."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Fault:
    """What is wrong at a place, and the remedy.

    path: the field from the top of the document; field: the same as people read it, with the names
    of things in place of their numbers.
    """

    place: Place
    field: str
    message: str
    path: Path = ()

    def __str__(self) -> str:
        return f"{self.place}: {self.field}: {self.message}" if self.field else self.sentence

    @property
    def sentence(self) -> str:
        """Without the field."""
        return f"{self.place}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        """As the API gives it out."""
        return {
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "field": self.field,
            "path": list(self.path),
            "message": self.message,
        }


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Faults in the order of their places, each once."""
    once = {(fault.place, fault.field, fault.message): fault for fault in faults}
    return tuple(once[key] for key in sorted(once, key=lambda key: (key[0], key[1])))


def counted(faults: Sequence[Fault]) -> str:
    """How many they are.

    >>> counted([Fault(Place("a.yaml", 1, 1), "", "x")])
    '1 fault in a.yaml'
    """
    files = sorted({fault.place.file for fault in faults})
    where = files[0] if len(files) == 1 else f"{len(files)} files"
    return f"{len(faults)} {'fault' if len(faults) == 1 else 'faults'} in {where}"
