"""What is told about an alert: one sentence, and the payload of a notification."""

from collections.abc import Mapping
from typing import Any

from tocsin.notify.template import filled_in
from tocsin.records.alerts import Episode, Incident
from tocsin.values import isoformat

PAYLOAD_VERSION = 1


_WORDS = {
    "fired": "fired",
    "flapping": "goes to and fro; it stays open and quiet until that ends",
    "resolved": "resolved",
    "revised": "was looked at again",
}


def describe(episode: Episode, event: str, why: str = "") -> str:
    """One sentence for the timeline. why: what is said beside the event."""
    about = f" for `{episode.instance}`" if episode.instance else ""
    late = " late" if event == "fired" and episode.late else ""
    told = why or (episode.text if event == "fired" else "")
    return f"{episode.rule} {_WORDS[event]}{late}{about}" + (f": {told}" if told else "")


def notification(
    incident: Incident,
    episode: Episode,
    event: str,
    *,
    window_end: int,
    base_url: str,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The payload that receivers get; its fields only ever grow. facts: as `facts_of` has them."""
    facts = facts or {}
    summary, fault = summary_of(episode, **facts)
    causes = [
        {key: cause[key] for key in ("kind", "feature", "score", "verdict", "sentence")}
        for cause in incident.causes[:3]
    ]
    return {
        "version": PAYLOAD_VERSION,
        "event": event,
        "model": incident.model,
        "incident": incident.id,
        "title": describe(episode, event),
        "late": episode.late,
        "incident_title": incident.title,
        "episode": episode.id,
        "alert": episode.rule,
        "instance": episode.instance,
        "severity": episode.severity,
        "category": episode.category,
        "text": episode.text,
        "labels": episode.labels,
        "summary": summary,
        "runbook_url": episode.runbook_url,
        "window_end": isoformat(window_end),
        "facts": dict(facts),
        "causes": causes,
        "url": f"{base_url}/incidents/{incident.id}",
        **({"note": f"The summary of the rule could not be made: {fault}"} if fault else {}),
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
