"""The quality of data as tables of 80 columns."""

from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

# The rates that are shown of every feature, and their heads.
_SHOWN = {
    "null_rate": "Null",
    "non_finite_rate": "Not finite",
    "out_of_range_rate": "Range",
    "unseen_rate": "Unseen",
    "top_share": "Top",
    "cardinality": "Known",
}
_WORDS = {"violated": "bold red", "learning": "yellow", "insufficient": "yellow"}


def quality_table(model: str, found: dict[str, Any]) -> RenderableType:
    """What was found in the newest window, then the rates of every feature."""
    newest = found["newest"]
    if newest is None:
        return Group(
            f"No window of {found['window']} of {escape(model)} has closed yet.",
            escape(found["freshness"]["sentence"]),
        )
    head = f"{found['window']} window until {newest['end']}, {newest['rows']:,} rows"
    return Group(
        head,
        *_findings(newest["findings"]),
        "",
        _rates(newest["features"]),
        *(f"{escape(part['sentence'])}" for part in _told(newest)),
        escape(newest["labels"]["sentence"]),
        escape(found["freshness"]["sentence"]),
    )


def _findings(findings: list[dict[str, Any]]) -> list[str]:
    if not findings:
        return ["[green]As expected.[/]"]
    return [
        f"[{_WORDS[finding['verdict']]}]{finding['verdict']}[/]  {escape(finding['sentence'])}"
        for finding in findings
    ]


def _rates(features: dict[str, dict[str, Any]]) -> Table:
    table = Table("Feature", box=None, padding=(0, 1))
    for head in _SHOWN.values():
        table.add_column(head, justify="right", no_wrap=True)
    for feature, checks in features.items():
        table.add_row(escape(feature), *(_cell(name, checks.get(name)) for name in _SHOWN))
    return table


def _cell(name: str, check: dict[str, Any] | None) -> str:
    if check is None or check["value"] is None:
        return ""
    value = f"{check['value']:.0f}" if name == "cardinality" else f"{100 * check['value']:.1f} %"
    marked = check["verdict"] == "violated"
    return f"[bold red]{value} ![/]" if marked else value


def _told(newest: dict[str, Any]) -> list[dict[str, Any]]:
    """The checks of all rows that count something; those found stand above already."""
    found = {finding["check"] for finding in newest["findings"] if finding["feature"] is None}
    return [
        {"sentence": f"{name.replace('_', ' ').capitalize()}: {check['sentence']}"}
        for name, check in newest["all_rows"].items()
        if name not in found and check["value"]
    ]


def expectations_table(found: dict[str, Any]) -> RenderableType:
    """What is expected of every feature, and of all rows."""
    table = Table("Feature", "Check", "Expected", box=None, padding=(0, 1))
    for feature, checks in found["features"].items():
        for number, (name, check) in enumerate(checks.items()):
            words = check["sentence"] if "sentence" in check else _values(check)
            table.add_row(escape(feature) if number == 0 else "", name, escape(words))
    for number, (name, check) in enumerate(found["all_rows"].items()):
        table.add_row("all rows" if number == 0 else "", name, escape(check["sentence"]))
    more = "To change them: tocsin quality MODEL --expectations --json, into the monitor."
    return Group(table, more)


def _values(check: dict[str, Any]) -> str:
    if "range" in check:
        low, high = check["range"]
        return f"{low:g} to {high:g}, {check['source']}."
    known = check.get("values")
    if known is None:
        return "More than can be listed."
    shown = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
    return f"{shown}; {check['source']}."
