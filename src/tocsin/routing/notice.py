"""What a receiver is to be told of an alert now, and what it was told."""

from dataclasses import dataclass
from enum import StrEnum

from tocsin.routing.tree import Route


class Reason(StrEnum):
    """Why an alert is held back."""

    SILENCED = "silenced"
    INHIBITED = "inhibited"
    MUTED = "muted"
    # Where it would go nothing is taken any more.
    DISABLED = "disabled"


@dataclass(frozen=True)
class Hold:
    """Why nobody is told now. words: such as `silenced by anna: we deploy`."""

    reason: Reason
    words: str


@dataclass(frozen=True)
class Notice:
    """Where one receiver stands with one alert.

    told: it was told that it fires. told_at: when the last time, wall time. changed: there is news
    that it was not told. held: why it was held back when it was looked at last. asked: somebody
    wants it told now.
    """

    told: bool = False
    told_at: int = 0
    changed: bool = False
    held: Hold | None = None
    asked: bool = False


class Tell(StrEnum):
    """What is told."""

    NEW = "new"
    CHANGED = "changed"
    RELEASED = "released"
    REPEATED = "repeated"
    RESOLVED = "resolved"
    # It fired, and was over before anybody was told.
    BRIEF = "brief"


@dataclass(frozen=True)
class Decision:
    """What is told now, if anything; why nothing is; whether there is no more to come."""

    tell: Tell | None = None
    hold: Hold | None = None
    closed: bool = False


def decide(
    notice: Notice,
    route: Route | None,
    hold: Hold | None,
    *,
    firing: bool,
    critical: bool,
    acknowledged: bool,
    snoozed_until: int | None = None,
    now: int,
) -> Decision:
    """The one place that says whether a receiver is told.

    route: the node that leads to it, None where none does any more. What it was told fires, it is
    told is over, whatever holds by then; what it was not told, it is not told is over. An alert
    that came and went unseen is told only where it is critical. Somebody who acknowledged it or put
    it off is not reminded of it, but when the time to which it was put off has come. Nothing is
    told where nothing is taken. What somebody wants told is told, whatever holds it back.
    """
    if hold is not None and hold.reason is Reason.DISABLED:
        # Of what it knew it hears the end once it takes messages again.
        return Decision(hold=hold, closed=not notice.told and (not firing or route is None))
    if not firing:
        seen = notice.told
        brief = not seen and critical and route is not None and not (hold or notice.held)
        tell = Tell.RESOLVED if seen else Tell.BRIEF if brief else None
        return Decision(tell, closed=True)
    if route is None:
        return Decision(closed=not notice.told)
    if notice.asked:
        return Decision(Tell.REPEATED if notice.told else Tell.NEW)
    if hold is not None:
        return Decision(hold=hold)
    if not notice.told:
        return Decision(Tell.RELEASED if notice.held else Tell.NEW)
    if notice.held is not None and notice.held.reason is Reason.SILENCED:
        return Decision(Tell.RELEASED)
    if notice.changed:
        return Decision(Tell.CHANGED)
    if snoozed_until is not None and notice.told_at < snoozed_until:
        return Decision(Tell.REPEATED if snoozed_until <= now else None)
    if not acknowledged and now - notice.told_at >= route.repeat_interval:
        return Decision(Tell.REPEATED)
    return Decision()


def next_flush(*, flushed_at: int | None, waiting: int | None, route: Route, now: int) -> int:
    """When a group with news is looked at next.

    flushed_at: when it was last, None for a group that begins. waiting: when it will be anyhow,
    None where that is not set.
    """
    first = now + route.group_wait
    # A clock that was put back since then lets nobody wait for longer.
    since = None if flushed_at is None else min(flushed_at, now)
    at = first if since is None else max(now, since + route.group_interval)
    return at if waiting is None else min(at, waiting)
