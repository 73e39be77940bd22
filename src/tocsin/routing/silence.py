"""Silences: somebody knows already."""

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.routing.matchers import Labels, Matcher, all_match


@dataclass(frozen=True)
class Silence:
    """Alerts that nobody is told of from `start` until before `end`, both wall time, microseconds.

    author: who made it, as they said. comment: why.
    """

    id: int
    matchers: tuple[Matcher, ...]
    start: int
    end: int
    author: str
    comment: str

    def state(self, now: int) -> str:
        """`pending`, `active` or `expired`."""
        return "pending" if now < self.start else "active" if now < self.end else "expired"

    def covers(self, labels: Labels) -> bool:
        """Whether it is about an alert of these labels, at whatever time."""
        return all_match(self.matchers, labels)


def silenced_by(silences: Iterable[Silence], labels: Labels, now: int) -> Silence | None:
    """The active silence over these labels that ends last."""
    covering = (s for s in silences if s.start <= now < s.end and s.covers(labels))
    return max(covering, key=lambda s: (s.end, s.id), default=None)
