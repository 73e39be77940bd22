"""`tocsin route`: who would be told, and why."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from tocsin.cli.options import AsJson, Url, pairs, print_json, remote_at

route_commands = typer.Typer(name="route", help="See who is told of what.", no_args_is_help=True)
_out = Console(highlight=False)


@route_commands.callback()
def _group() -> None:
    """Without it, the only command would have no name."""


@route_commands.command("test")
def tried(
    labels: Annotated[list[str], typer.Argument(help="LABEL=VALUE of an alert.")],
    *,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Show who would be told of an alert with these labels, and by which branch."""
    asked = {"labels": pairs(labels, "label")}
    found = remote_at(url).post("routing", "test", document=asked)
    if as_json:
        print_json(found)
        return
    if not found:
        _out.print("Nobody would be told: there is no receiver.")
    for told in found:
        _show(told)


def _show(told: dict[str, Any]) -> None:
    held = told["held"]
    now = "would be told" if held is None else f"would not be told now: {held['words']}"
    _out.print(f"[bold]{escape(told['receiver'])}[/] {escape(now)}", soft_wrap=True)
    matched = ", ".join(told["matchers"]) or "everything"
    way = f"by {told['route']}, which takes {matched}"
    way = way if told["route"] else "as every receiver is while no route is written"
    _out.print(f"    {escape(way)}", soft_wrap=True)
    group = ", ".join(f"{name}={value}" for name, value in told["group"].items()) or "all alerts"
    _out.print(
        f"    with others of {escape(group)}: first after {told['group_wait']}, then each "
        f"{told['group_interval']}, again each {told['repeat_interval']}",
        soft_wrap=True,
    )
