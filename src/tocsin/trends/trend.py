"""How a series stands in one window: what is kept of a detector's answer."""

from dataclasses import dataclass

from tocsin.trends.detector import Pace

# So many deviations from the middle are as usual.
_BACK = 1.0


@dataclass(frozen=True)
class Trend:
    """A series in one window, on the side where there is more evidence for a change.

    usual: the middle of earlier windows like it; spread: by how much the series varies beyond
    sampling; z: how many deviations the value is from the middle. None while that is not known.
    rising: the side. evidence: of a lasting change, on a log scale where 1 is an alarm.
    since: the start of the window with which the change began; None without a change.
    """

    pace: Pace
    value: float | None = None
    usual: float | None = None
    spread: float | None = None
    z: float | None = None
    rising: bool = False
    evidence: float = 0.0
    since: int | None = None

    @property
    def is_back(self) -> bool:
        """Whether a series that changed is as usual in this window: one does not end a change."""
        if self.since is None or self.z is None:
            return False
        return (self.z if self.rising else -self.z) < _BACK
