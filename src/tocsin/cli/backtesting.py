"""`tocsin backtest`: how often rules would have fired."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from tocsin.cli.options import AsJson, Url, print_json, remote_at
from tocsin.errors import InvalidInputError

if TYPE_CHECKING:
    from tocsin.declared.rules_file import RulesFile

_out = Console()
_SHOWN = 10


def backtest(
    model: str,
    rules: Annotated[
        Path | None,
        typer.Option(
            help="Rules to be tried: a list, or those of the model in a file of monitors."
        ),
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
    file = None if rules is None else _read(rules, model)
    document = {
        "rules": None if file is None else file.rules,
        "from": start,
        "to": end,
        "alerts_per_month": alerts,
    }
    try:
        found = remote_at(url).post("models", model, "backtest", document=document)
    except InvalidInputError as error:
        raise _placed(error, file) from error
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


def _read(path: Path, model: str) -> "RulesFile":
    from tocsin.declared.configuration import Source
    from tocsin.declared.rules_file import parse_rules

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} cannot be read as UTF-8 text: {error}") from error
    return parse_rules(Source(str(path), text), model)


def _placed(error: InvalidInputError, file: "RulesFile | None") -> InvalidInputError:
    """What the server says of a rule, at its place in the file."""
    fault = None if file is None else file.fault_of(str(error))
    return error if fault is None else InvalidInputError(str(fault))
