"""`tocsin backtest`: how often rules would have fired."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from tocsin.cli.options import AsJson, Url, print_json, remote_at
from tocsin.errors import InvalidInputError

_out = Console()
_SHOWN = 10


def backtest(
    model: str,
    rules: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON with a list of rules, or `rules: [...]`, to be tried."),
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Such as 2026-10-01T00:00Z.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Until when.")] = None,
    alerts: Annotated[
        float | None,
        typer.Option(help="Alerts a month that are wanted of each rule: suggests thresholds."),
    ] = None,
    *,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Tell how often a model's rules, or others, would have fired on what is stored."""
    document = {
        "rules": None if rules is None else _read(rules),
        "from": start,
        "to": end,
        "alerts_per_month": alerts,
    }
    found = remote_at(url).post("models", model, "backtest", document=document)
    if as_json:
        print_json(found)
    else:
        _out.print(backtest_table(found))


def backtest_table(found: dict[str, Any]) -> RenderableType:
    """The rules beside each other, and the last times that each would have fired."""
    table = Table("Rule", "Alerts", "A month", "Real", "False", "Caught", "Suggested", box=None)
    lines: list[str] = []
    for rule in found["rules"]:
        value = "" if rule["value"] is None else f" {rule['op']} {rule['value']:g}"
        suggested = rule["suggestion"]
        table.add_row(
            f"{escape(rule['alert'])}  [dim]{escape(rule['metric'])}{value}, {rule['window']}[/]",
            str(rule["alerts"]),
            f"{rule['alerts_per_month']:g}",
            str(rule["marked_real"]),
            str(rule["marked_false"]),
            f"{rule['real_incidents_caught']} of {rule['real_incidents']}",
            ""
            if suggested is None
            else f"{rule['op']} {suggested['value']:g} ({suggested['alerts']} alerts)",
        )
        if not rule["judged"]:
            lines.append(f"{escape(rule['alert'])} could judge none of {rule['windows']} windows.")
        for fired in rule["fired"][-_SHOWN:]:
            about = f" {escape(fired['instance'])}" if fired["instance"] else ""
            until = fired["resolved"] or "now"
            marked = f", marked {fired['marked']}" if fired["marked"] else ""
            lines.append(f"  {escape(rule['alert'])}{about}: {fired['fired']} to {until}{marked}")
    head = f"Windows that ended from {found['from']} to {found['to']}, as they are known now"
    return Group(head, table, *lines)


def _read(path: Path) -> list[Any]:
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from error
    if isinstance(found, dict) and isinstance(found.get("rules"), list):
        found = found["rules"]
    if not isinstance(found, list) or not found:
        raise InvalidInputError(f"{path} has no list of rules; write `rules:` and a list below it")
    return found
