"""Answers of the API as tables."""

from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

_STYLES = {"breach": "bold red", "watch": "yellow", "healthy": "green", "open": "bold red"}


def models_table(models: list[dict[str, Any]]) -> Table:
    """One line a model."""
    table = Table("Model", "Version", "Condition", "Metric", "Value", "Reference", "Labelled",
                  "Open incidents", box=None)  # fmt: skip
    for model in models:
        table.add_row(
            escape(model["name"]),
            escape(model["version"]),
            _styled(model["condition"]),
            model["metric"],
            _number(model["latest"]),
            _number(model["reference"]),
            "" if model["coverage"] is None else f"{model['coverage']:.0%}",
            ", ".join(f"#{number}" for number in model["open_incidents"]) or "none",
        )
    return table


def metrics_table(series: dict[str, Any], last: int) -> RenderableType:
    """The newest windows of a metric."""
    table = Table("Window end", series["metric"], "Labelled", "Rows", "Revision", box=None)
    for point in series["points"][-last:]:
        table.add_row(
            point["end"],
            _number(point),
            f"{point['coverage']:.0%}",
            f"{point['rows']:,}",
            str(point["revision"]),
        )
    return Group(
        f"{series['window']} windows, each {series['every']}; "
        f"the reference has {_number(series['reference'])}",
        table,
    )


def incidents_table(incidents: list[dict[str, Any]]) -> Table:
    """One line an incident."""
    table = Table("#", "State", "Severity", "Model", "Opened", "What", "Why", box=None)
    for incident in incidents:
        causes = incident["causes"]
        table.add_row(
            str(incident["id"]),
            _styled(incident["state"]),
            incident["severity"],
            escape(incident["model"]),
            incident["opened"],
            escape(incident["title"]),
            escape(causes[0]["sentence"]) if causes else "no cause found",
        )
    return table


def incident_table(incident: dict[str, Any]) -> RenderableType:
    """One incident in full."""
    causes = Table("Score", "Verdict", "Cause", box=None)
    for cause in incident["causes"]:
        causes.add_row(f"{cause['score']:.2f}", cause["verdict"], escape(cause["sentence"]))
    timeline = Table("Event time", "What happened", box=None)
    for entry in incident["timeline"]:
        timeline.add_row(entry["event_time"], escape(entry["text"]))
    head = (
        f"Incident {incident['id']} of {escape(incident['model'])}: {escape(incident['title'])}\n"
        f"{_styled(incident['state'])}, {incident['severity']}, since {incident['opened']}\n"
    )
    return Group(head, causes, "", timeline)


def _number(measure: dict[str, Any] | None) -> str:
    if measure is None:
        return "no window yet"
    if measure["value"] is None:
        return str(measure["reason"])
    if measure["low"] is None:
        return f"{measure['value']:.3g}"
    return f"{measure['value']:.3g} [{measure['low']:.3g}, {measure['high']:.3g}]".replace(
        "[", "\\["
    )


def _styled(word: str) -> str:
    return f"[{_STYLES[word]}]{word}[/]" if word in _STYLES else word
