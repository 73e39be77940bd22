"""What is told about an alert: one sentence, and the payload of a notification."""

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.notify.template import filled_in
from tocsin.notify.told import recovery
from tocsin.records.alerts import SEVERITIES, Episode, Incident
from tocsin.routing import Tell
from tocsin.values import isoformat

PAYLOAD_VERSION = 1
# As many alerts of a group as a title names.
_MOST_NAMED = 3

_TOLD_OF_A_CAUSE = ("kind", "feature", "score", "verdict", "sentence")
_WORDS = {
    "fired": "fired",
    "flapping": "goes to and fro; it stays open and quiet until that ends",
    "resolved": "resolved",
    "revised": "was looked at again",
}


def named(rule: str, instance: str) -> str:
    """An alert in words."""
    return f"{rule} for `{instance}`" if instance else rule


def describe(episode: Episode, event: str, why: str = "") -> str:
    """One sentence for the timeline. why: what is said beside the event."""
    about = f" for `{episode.instance}`" if episode.instance else ""
    late = " late" if event == "fired" and episode.late else ""
    told = why or (episode.text if event == "fired" else "")
    return f"{episode.rule} {_WORDS[event]}{late}{about}" + (f": {told}" if told else "")


def announced(episode: Episode, event: str, tell: Tell, reason: str, news: str) -> str:
    """The title of a notification: the sentence, but for what was told before in other words.

    reason: why it is told only now. news: what happened last, told to those who know that it fires.
    """
    about = f" for `{episode.instance}`" if episode.instance else ""
    if event == "fired" and tell is Tell.RELEASED:
        return f"{episode.rule} fires{about} ({reason}): {episode.text}"
    if event == "fired" and tell is Tell.REPEATED:
        return f"{episode.rule} still fires{about}: {episode.text}"
    return describe(episode, news if tell is Tell.CHANGED and news in _WORDS else event)


def notification(
    incident: Incident,
    episode: Episode,
    event: str,
    *,
    window_end: int,
    base_url: str,
    tell: Tell = Tell.NEW,
    reason: str = "",
    news: str = "",
    first: bool = True,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The payload that receivers get of one alert; its fields only ever grow.

    tell, reason: why they get it now, where that is not only that it fired or is over. news: what
    happened last. first: whether they hear of it for the first time. facts: as `facts_of` has them.
    """
    facts = facts or {}
    summary, fault = summary_of(episode, **facts)
    return {
        "version": PAYLOAD_VERSION,
        "event": event,
        "notice": str(tell),
        "first": first,
        "reason": reason,
        "title": announced(episode, event, tell, reason, news),
        **_of_incident(incident, base_url),
        **_of_episode(episode),
        "summary": summary,
        "window_end": isoformat(window_end),
        "facts": dict(facts),
        "recovery": recovery({"event": event, "facts": facts}),
        **({"note": f"The summary of the rule could not be made: {fault}"} if fault else {}),
    }


def _of_incident(incident: Incident, base_url: str) -> dict[str, Any]:
    return {
        "model": incident.model,
        "incident": incident.id,
        "incident_title": incident.title,
        "url": f"{base_url}/incidents/{incident.id}",
    }


def _of_episode(episode: Episode) -> dict[str, Any]:
    return {
        "episode": episode.id,
        "late": episode.late,
        "alert": episode.rule,
        "instance": episode.instance,
        "severity": episode.severity,
        "category": episode.category,
        "text": episode.text,
        "labels": episode.labels,
        "runbook_url": episode.runbook_url,
        "causes": [{key: cause[key] for key in _TOLD_OF_A_CAUSE} for cause in episode.causes[:3]],
    }


def summary_of(episode: Episode, **numbers: Any) -> tuple[str, str | None]:
    """What the rule says to people, filled in; empty with the reason where that is impossible.

    numbers: such as `value` and `n`, where the alert is about a number.
    """
    about = {
        "alert": episode.rule,
        "model": episode.labels.get("model", ""),
        "instance": episode.instance,
        "severity": episode.severity,
        "text": episode.text,
        "labels": episode.labels,
    }
    return filled_in(episode.summary, {**about, **numbers})


def group_notification(
    alerts: Sequence[dict[str, Any]], labels: dict[str, str], *, base_url: str
) -> dict[str, Any]:
    """The payload of several alerts: that of the worst, with a title of all, and all of them.

    alerts: payloads of one alert each. labels: those that the group is made by.
    """
    fired = [each for each in alerts if each["event"] == "fired"]
    ordered = sorted(alerts, key=_urgency)
    first = ordered[0]
    models = sorted({each["model"] for each in alerts})
    incidents = {each["incident"] for each in alerts}
    return {
        **first,
        "model": models[0] if len(models) == 1 else f"{len(models)} models",
        "title": _group_title(ordered, len(fired)),
        "text": f"{first['alert']}: {first['text']}",
        "instance": "",
        "window_end": max(each["window_end"] for each in alerts),
        "url": first["url"] if len(incidents) == 1 else f"{base_url}/incidents",
        "group": labels,
        "alerts": ordered,
    }


def _urgency(alert: dict[str, Any]) -> tuple[bool, int]:
    """What fires comes first, and of that the most severe."""
    return alert["event"] != "fired", -SEVERITIES.index(alert["severity"])


def _group_title(alerts: Sequence[dict[str, Any]], fired: int) -> str:
    over = len(alerts) - fired
    counts = [f"{fired} alerts fire" if fired > 1 else "1 alert fires"] if fired else []
    if over:
        counts.append(f"{over} resolved" if fired else f"{over} alerts resolved")
    names = [
        f"{each['alert']} for `{each['instance']}`" if each["instance"] else each["alert"]
        for each in alerts[:_MOST_NAMED]
    ]
    more = len(alerts) - len(names)
    return f"{', '.join(counts)}: {', '.join(names)}" + (f" and {more} more" if more else "")
