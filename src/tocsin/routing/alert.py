"""An alert as routing sees it."""

from dataclasses import dataclass

from tocsin.routing.matchers import Labels


@dataclass(frozen=True)
class Alert:
    """An alert that fires, or has fired.

    fired_at: wall time of its news, microseconds. resolved: end of the window in which it was over,
    None while it fires. judged: end of the newest window that its rule looked at, None before any.
    """

    id: str
    labels: Labels
    fired_at: int
    resolved: int | None = None
    judged: int | None = None
