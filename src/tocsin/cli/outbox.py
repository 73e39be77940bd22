"""`tocsin outbox`: what waits to be told, what could not be, and what to do about it."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tocsin.cli.options import AsJson, Url, print_json, remote_at
from tocsin.cli.states import disabled_lines

outbox_commands = typer.Typer(
    name="outbox", help="See what receivers were told, retry or drop it.", no_args_is_help=True
)
_out = Console(highlight=False)

Message = Annotated[int, typer.Argument(help="The number of the message.")]


@outbox_commands.command(name="list")
def list_messages(
    state: Annotated[
        str | None,
        typer.Option(
            help="pending, leased, standing, delivered, dead, cancelled, superseded or dropped."
        ),
    ] = None,
    receiver: Annotated[str | None, typer.Option(help="Only of this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = 20,
    *,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List messages, the newest first."""
    asked = {"limit": str(limit)}
    asked |= {} if state is None else {"state": state}
    asked |= {} if receiver is None else {"receiver": receiver}
    remote = remote_at(url)
    found = remote.get("outbox", **asked)
    if as_json:
        print_json(found)
        return
    for line in disabled_lines(remote.get("status")["disabled"]):
        _out.print(line, markup=False, soft_wrap=True)
    if not found:
        _out.print("There are no such messages.")
    else:
        _out.print(_table(found))


@outbox_commands.command()
def retry(message: Message, url: Url = None) -> None:
    """Send a dead message again."""
    done = remote_at(url).post("outbox", str(message), "retry", document={})
    _out.print(f"Message {done['id']} waits to be sent; see tocsin outbox list")


@outbox_commands.command()
def drop(
    message: Message,
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit.")],
    url: Url = None,
) -> None:
    """Give up a message that waits or is dead."""
    done = remote_at(url).post("outbox", str(message), "drop", document={"reason": reason})
    _out.print(f"Message {done['id']} is dropped.")


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("id", "state", "receiver", "written", "tries", "what"):
        table.add_column(name, justify="right" if name in ("id", "tries") else "left")
    for one in found:
        to = one["receiver"] + (f" ({one['target']})" if one["target"] else "")
        why = f"\n{one['error']}" if one["error"] else ""
        instead = f"\ntold to {one['fallback']} instead" if one["fallback"] else ""
        table.add_row(
            str(one["id"]),
            one["state"],
            escape(to),
            f"{one['written_at'][:19]}Z",
            str(one["attempts"]),
            escape(f"{one['model']}: {one['title']}{why}{instead}"),
        )
    return table
