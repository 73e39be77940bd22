"""What applying a configuration would do: each thing, how it changes, and what that costs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from tocsin.declared.differences import Difference


class Action(StrEnum):
    """What becomes of a thing."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Planned:
    """A thing that files declare, or that they declared and do not any more.

    kind: `monitors`, `receivers`, or what a file has once. costs: a sentence each.
    deletes: predictions that are gone with it.
    """

    kind: str
    name: str
    action: Action
    differences: tuple[Difference, ...] = ()
    costs: tuple[str, ...] = ()
    deletes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As the API gives it out."""
        return {
            "kind": self.kind,
            "name": self.name,
            "action": str(self.action),
            "differences": [each.to_dict() for each in self.differences],
            "costs": list(self.costs),
            "deletes": self.deletes,
        }


@dataclass(frozen=True)
class Plan:
    """What would be done.

    basis: of what it was made; a plan of another basis may be another one by now. missing: the
    SHA-256 of references whose rows have to be sent.
    """

    things: tuple[Planned, ...]
    basis: str
    missing: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Planned, ...]:
        """What does not stay as it is."""
        return tuple(each for each in self.things if each.action is not Action.UNCHANGED)

    @property
    def deletes(self) -> tuple[Planned, ...]:
        """What takes predictions with it."""
        return tuple(each for each in self.things if each.deletes)

    def to_dict(self) -> dict[str, Any]:
        """As the API gives it out."""
        return {
            "things": [each.to_dict() for each in self.things],
            "changes": len(self.changes),
            "basis": self.basis,
            "missing": list(self.missing),
        }


def basis_of(parts: Mapping[str, Any] | Sequence[Any]) -> str:
    """The hash of what a plan is made of."""
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
