"""What is told about an alert: one sentence, and the payload of a notification."""

from typing import Any

from tocsin.records.alerts import Episode, Incident
from tocsin.values import isoformat

PAYLOAD_VERSION = 1


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


def notification(
    incident: Incident, episode: Episode, event: str, *, window_end: int, base_url: str
) -> dict[str, Any]:
    """The payload that receivers get; its fields only ever grow."""
    causes = [
        {key: cause[key] for key in ("kind", "feature", "score", "verdict", "sentence")}
        for cause in episode.causes[:3]
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
        "summary": episode.summary,
        "runbook_url": episode.runbook_url,
        "window_end": isoformat(window_end),
        "causes": causes,
        "url": f"{base_url}/incidents/{incident.id}",
    }
