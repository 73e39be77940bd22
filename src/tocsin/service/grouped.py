"""What an incident says of its alerts: what it is called, and what explains them.

Each alert has causes of its own, of its own windows. An incident shows those of all, and of one
suspect what is known most surely; nothing that one alert found replaces what another did.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.causes import Cause, Likelihood, answers
from tocsin.records import alerts
from tocsin.records.alerts import SEVERITIES, Episode, Incident
from tocsin.service.quality import column_of
from tocsin.values import DAY, Window, format_duration, isoformat

StoredCause = dict[str, Any]

# An incident that nobody took or put off.
UNTAKEN = {"acknowledged_by": None, "acknowledged_at": None, "snoozed_until": None}
# What fires so long after an incident was opened is named in its title: it may be another fault.
_LONG = DAY


def about(instance: str, features: Collection[str]) -> frozenset[str]:
    """The feature that an alert is about; none where it is about the model as a whole.

    What is wrong with an output is explained by any feature.
    """
    return frozenset({column_of(instance)}) & frozenset(features)


def stored(causes: Sequence[Cause], window: Window) -> list[StoredCause]:
    """Causes as an alert keeps them, each with the window that it is from."""
    size = window.end - window.start
    return [{**cause.to_dict(), "window_size": size, "window_end": window.end} for cause in causes]


def with_later(
    known: Sequence[StoredCause], later: Sequence[StoredCause], of: Collection[str]
) -> list[StoredCause]:
    """The causes of an alert after a look at a later window of it.

    Where the first of the later window is not surer, as they were. Else all of both, of one suspect
    the surer: what was seen when the alert fired stays.
    of: the feature that the alert is about.
    """
    if not later or (known and _place(later[0], of) >= _place(known[0], of)):
        return list(known)
    found: dict[tuple[str, ...], StoredCause] = {}
    for cause in (*known, *later):
        key = _suspect(cause)
        if key not in found or _place(cause, of) < _place(found[key], of):
            found[key] = cause
    return sorted(found.values(), key=lambda cause: _place(cause, of))


def causes_of(episodes: Sequence[Episode], features: Collection[str]) -> list[StoredCause]:
    """The causes of all alerts of an incident, each with the alert and the window it is from.

    First those that are near to what their alert is about, of them the likely ones, of those the
    ones of the most severe alert, and then the surest. What was taken back explains nothing, unless
    all was.
    """
    standing = [episode for episode in episodes if not episode.retracted] or episodes
    found: dict[tuple[str, ...], tuple[tuple[float, ...], StoredCause]] = {}
    for episode in standing:
        of = about(episode.instance, features)
        severity = -SEVERITIES.index(episode.severity)
        for cause in episode.causes:
            far, score = _place(cause, of)
            place = (far, cause["verdict"] != Likelihood.LIKELY, severity, score)
            key = _suspect(cause)
            if key not in found or place < found[key][0]:
                told = {**cause, "alert": episode.rule, "instance": episode.instance}
                found[key] = (place, told)
    return [cause for _, cause in sorted(found.values(), key=lambda pair: pair[0])]


def title_of(episodes: Sequence[Episode]) -> str:
    """What an incident is called: what opened it, and what else has begun long after."""
    first = episodes[0]
    newest = {episode.title: episode for episode in episodes}
    later = [
        title
        for title, episode in sorted(newest.items(), key=lambda pair: pair[1].fired)
        if title != first.title and episode.fired > first.fired + _LONG
    ]
    if not later:
        return first.title
    more = f" and {len(later) - 1} more" if len(later) > 1 else ""
    return f"{first.title}; later: {later[-1]}{more}"


def regroup(
    connection: Connection, incident_id: int, features: Collection[str], window: Window
) -> None:
    """Let an incident say what its alerts do; window: the newest that was looked at."""
    episodes = alerts.episodes_of(connection, incident_id)
    if not episodes:
        return
    causes = causes_of(episodes, features)
    size, end = window.end - window.start, window.end
    if causes:
        size, end = causes[0]["window_size"], causes[0]["window_end"]
    alerts.update_incident(
        connection,
        incident_id,
        title=title_of(episodes),
        causes=causes,
        window_size=size,
        window_end=end,
    )


def freed_by(severity: str, incident: Incident, now: int) -> str:
    """What to say where an incident gets this severe: who took it or put it off, took less.

    Returns: a sentence, empty where it does not get more severe or nobody did.
    """
    if severity == incident.severity:
        return ""
    if incident.acknowledged_by is not None:
        return f"It is {severity} now: the acknowledgement of {incident.acknowledged_by} ends"
    snoozed = incident.snoozed_until is not None and incident.snoozed_until > now
    return f"It is {severity} now: it is not snoozed any more" if snoozed else ""


def cause_document(cause: Mapping[str, Any]) -> StoredCause:
    """A cause as other programs get it, its window in words."""
    rest = {key: value for key, value in cause.items() if key != "window_size"}
    size, end = cause["window_size"], cause["window_end"]
    return {**rest, "window": format_duration(size), "window_end": isoformat(end)}


def _suspect(cause: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(cause[part]) for part in ("kind", "feature", "segment"))


def _place(cause: Mapping[str, Any], of: Collection[str]) -> tuple[bool, float]:
    return (not answers(cause["kind"], cause["feature"], of), -float(cause["score"]))
