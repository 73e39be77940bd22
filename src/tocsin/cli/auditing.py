"""`tocsin audit`: who did what, and whether the records are as they were written."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tocsin.cli.options import Url, remote_at
from tocsin.errors import InvalidInputError, StartupError
from tocsin.records.audit import Anchor, anchors_of
from tocsin.remote import Remote

audit_commands = typer.Typer(
    help="Show who did what; `verify` tells whether the records are as they were written.",
    invoke_without_command=True,
)
_out = Console()
_PAGE = 1_000

AnchorFile = Annotated[
    Path | None, typer.Option("--anchor", help="A file that `tocsin audit anchor` added to.")
]


@audit_commands.callback()
def listed(
    context: typer.Context,
    *,
    object_like: Annotated[
        str | None, typer.Option("--object", help="A part of what it was done to.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Only what this person did.")] = None,
    event: Annotated[str | None, typer.Option(help="Such as alias.set; alias for all.")] = None,
    last: Annotated[int, typer.Option(min=1, max=_PAGE, help="How many records.")] = 20,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="All of them, a JSON line each.")] = False,
    url: Url = None,
) -> None:
    """Show who did what, the newest last."""
    if context.invoked_subcommand is not None:
        return
    asked = {"object": object_like, "actor": actor, "event": event}
    chosen = {name: text for name, text in asked.items() if text is not None}
    remote = remote_at(url)
    if jsonl:
        for record in _all(remote, chosen):
            print(json.dumps(record, ensure_ascii=False))  # noqa: T201 - one line, never wrapped
        return
    found = remote.get("audit", **chosen, limit=str(last))
    if not found:
        _out.print("Nothing that was done is recorded yet, or nothing like that.")
        return
    for record in reversed(found):
        _out.print(_lines(record), highlight=False)


@audit_commands.command()
def verify(anchor: AnchorFile = None, url: Url = None) -> None:
    """Follow the chain of records; exits with 1 at the first one that is not as it was."""
    anchors = [] if anchor is None else _anchors(anchor)
    found = _verified(remote_at(url), anchors)
    fault = found["fault"]
    if fault is not None:
        _out.print(f"[bold red]Record {fault['seq']} is bad[/]: {escape(fault['reason'])}.")
        _out.print(f"The {found['records']:,} records before it are as they were written.")
        raise typer.Exit(1)
    _out.print(f"All {found['records']:,} records are as they were written.")
    if anchor is None:
        _out.print(
            "Only an anchor file tells whether newer ones are gone: tocsin audit anchor FILE"
        )
    else:
        noted = f"{len(anchors):,} anchor" + ("" if len(anchors) == 1 else "s")
        _out.print(f"They hold what {noted} in {anchor} noted.", soft_wrap=True)


@audit_commands.command("anchor")
def add_anchor(file: Path, url: Url = None) -> None:
    """Note the newest record in a file, to be kept where nobody of here can write."""
    anchors = _anchors(file) if file.exists() else []
    found = _verified(remote_at(url), anchors)
    if found["fault"] is not None:
        raise InvalidInputError(
            f"record {found['fault']['seq']} is bad: {found['fault']['reason']}; nothing was noted"
        )
    if found["head"] is None:
        raise InvalidInputError("nothing is recorded yet, so there is nothing to note")
    try:
        with file.open("a") as opened:
            opened.write(json.dumps(found["head"]) + "\n")
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise StartupError(f"{file} cannot be written: {error}") from error
    _out.print(f"Noted record {found['head']['seq']} in {file}.", soft_wrap=True)
    _out.print(f"Later: tocsin audit verify --anchor {file}", soft_wrap=True)


def _verified(remote: Remote, anchors: Sequence[Anchor]) -> Any:
    asked = {"anchors": [{"seq": a.seq, "hash": a.hash} for a in anchors]}
    return remote.post("audit", "verify", document=asked)


def _anchors(file: Path) -> list[Anchor]:
    try:
        return anchors_of(file.read_text().splitlines())
    except OSError as error:
        raise InvalidInputError(f"the anchor file {file} cannot be read: {error}") from error
    except InvalidInputError as error:
        raise InvalidInputError(f"{file}: {error}") from error


def _all(remote: Remote, chosen: dict[str, str]) -> Iterator[dict[str, Any]]:
    after = 0
    while found := remote.get("audit", **chosen, after=str(after), limit=str(_PAGE)):
        yield from found
        after = found[-1]["seq"]


def _lines(record: dict[str, Any]) -> Table:
    """Two or three lines a record, that fit into 80 columns."""
    lines = Table.grid(padding=(0, 1))
    lines.add_column(justify="right", style="dim", min_width=5)
    lines.add_column()
    lines.add_row(
        str(record["seq"]),
        f"{record['time'][:19]}Z  [bold]{escape(record['event'])}[/]  {escape(record['object'])}",
    )
    change = f"{_short(record['before'])} -> {_short(record['after'])}"
    lines.add_row("", f"by {escape(record['actor'])}: {escape(change)}")
    if record["reason"]:
        lines.add_row("", f"because: {escape(record['reason'])}")
    return lines


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(part)}" for name, part in value.items()) or "nothing"
    return "nothing" if value is None else str(value)
