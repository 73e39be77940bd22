"""Incidents and their causes as people read them."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from tocsin.records.alerts import Episode, Incident
from tocsin.service.views import IncidentDetail
from tocsin.values import HOUR
from tocsin.web.words import count, duration, lasting, percent

# Causes that are about which rows came: how a loss goes with these is not to be known.
_OF_ROWS = ("missing_rows", "more_rows", "repeats", "quarantine", "unknown_fields")


def likelihood(cause: Mapping[str, Any]) -> str:
    """How sure a cause is, and how much of the change goes with it."""
    share = float(cause["share"])
    sure = str(cause["verdict"])
    if cause["kind"] in _OF_ROWS:
        return f"{sure.capitalize()}."
    if share >= 0.01:
        return f"{sure.capitalize()}; {percent(share)} of the change in loss goes with it."
    return f"{sure.capitalize()}; it goes with little of the change in loss so far."


def no_cause(detail: IncidentDetail) -> str:
    """Why no cause is named: nothing stands out, or too little is known to tell."""
    found = detail.learning
    if found is None:
        return "No cause stands out: nothing is unlike earlier windows."
    names = [f"`{name}`" for name in found.columns[:3]]
    rest = len(found.columns) - len(names)
    columns = ", ".join(names) + (f" and {count(rest)} more" if rest else "")
    are = "is" if len(found.columns) == 1 else "are"
    windows = "1 more window" if found.missing == 1 else f"{found.missing} more windows"
    size = duration(detail.incident.window_size)
    return (
        f"No cause can be named yet: {columns} {are} still being learned, and what is usual for "
        f"them is known after {windows} of {size} at the same time of day. Nothing else stands out."
    )


def who(incident: Incident, now: int) -> str:
    """Who has to do with an incident, as one line."""
    parts = []
    if incident.acknowledged_by is not None:
        parts.append(f"{incident.acknowledged_by} works on it")
    elif incident.resolved is None:
        parts.append("Nobody has acknowledged it")
    if incident.snoozed_until is not None and incident.snoozed_until > now:
        parts.append(f"snoozed for another {lasting(incident.snoozed_until - now)}")
    if incident.assignee is not None:
        parts.append(f"assigned to {incident.assignee}")
    if incident.verdict is not None:
        parts.append(
            "marked as a real problem" if incident.verdict == "real" else "marked as a false alarm"
        )
    return ", ".join(parts)


def lifespan(episode: Episode, detail: IncidentDetail) -> Markup:
    """An alert's life within its incident, as a bar."""
    first = min(e.started for e in detail.episodes)
    known = [e.resolved or e.fired for e in detail.episodes]
    known += [entry.event_time for entry in detail.timeline]
    last = max(*known, first + HOUR)
    over = episode.resolved if episode.resolved is not None else last
    x = 96 * (episode.started - first) / (last - first)
    width = max(3.0, 96 * (over - episode.started) / (last - first))
    kind = "life-open" if episode.resolved is None else "life"
    return Markup(
        '<svg class="{}" viewBox="0 0 100 8" width="100" height="8" role="img" aria-label="{}">'
        '<rect class="life-line" x="0" y="3.5" width="100" height="1"/>'
        '<rect x="{:.1f}" y="1" width="{:.1f}" height="6" rx="1"/></svg>'
    ).format(kind, f"lasted {lasting(over - episode.started)}", min(x, 97), width)
