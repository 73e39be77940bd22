"""`tocsin history`, `promote` and `rollback`: where aliases were, and moving them by hand."""

import shlex
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.markup import escape

from tocsin.cli.options import Url, remote_at
from tocsin.remote import Remote, user_name

_out = Console()
_ANY = "any"

Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.")]
Alias = Annotated[str | None, typer.Option(help="(default: the one that is watched, or champion)")]
Expected = Annotated[
    str | None,
    typer.Option(
        help="The version that it should be at, else nothing is done; any for whichever "
        "(default: the one that was seen last)."
    ),
]
Incident = Annotated[int | None, typer.Option(help="The incident that it is done for.")]


def history(
    model: str,
    alias: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    url: Url = None,
) -> None:
    """Show which version each alias was at, and when."""
    asked = {} if alias is None else {"alias": alias}
    _out.print(history_table(remote_at(url).get("models", model, "history", **asked)))


def promote(
    model: str,
    to: Annotated[str, typer.Option(help="The version.")],
    reason: Reason,
    alias: Alias = None,
    expected: Expected = None,
    incident: Incident = None,
    url: Url = None,
) -> None:
    """Move an alias of a model's registry to a version."""
    wanted = {"to": to, "reason": reason, "incident": incident, "expected": expected}
    _move(remote_at(url), model, alias, wanted)


def rollback(
    model: str,
    reason: Reason,
    to: Annotated[str, typer.Option(help="The version, or previous.")] = "previous",
    alias: Alias = None,
    expected: Expected = None,
    incident: Incident = None,
    url: Url = None,
) -> None:
    """Move an alias back to the version that it was at before."""
    wanted = {"to": to, "reason": reason, "incident": incident, "expected": expected}
    _move(remote_at(url), model, alias, wanted)


def _move(remote: Remote, model: str, alias: str | None, wanted: dict[str, Any]) -> None:
    """Move it, unless it is elsewhere than whoever asks can know: two who go back at once mean the
    same step, not two."""
    history = remote.get("models", model, "history")
    alias = alias or history["watched_alias"] or "champion"
    expected = wanted.pop("expected")
    if expected is None and history["looked_at"] is not None:
        expected = history["aliases"].get(alias, {"version": ""})["version"]
    if expected is not None and expected != _ANY:
        wanted["expected"] = expected
    request = {**wanted, "actor": user_name()}
    moved = remote.post("models", model, "aliases", alias, document=request)
    name = f"{escape(moved['registered'])}@{escape(moved['alias'])}"
    if not moved["changed"]:
        _out.print(f"{name} is at version {moved['after']} already; nothing was done.")
        return
    before = moved["before"] or "none"
    _out.print(f"{name} moved from version {before} to {moved['after']}.")
    _out.print("Servers that loaded it by alias keep the old one until they load it again.")
    _out.print(f"See tocsin history {escape(shlex.quote(model))}")
    if moved["before"] is not None:
        # Not `rollback`, which goes to what was before that, once this was a step back itself.
        undo = ["tocsin", "promote", model, "--to", moved["before"], "--alias", moved["alias"]]
        _out.print(f'Undo: {escape(shlex.join(undo))} --reason "..."', soft_wrap=True)


def history_table(history: dict[str, Any]) -> RenderableType:
    """The moves, the newest first, two lines each."""
    if history["registered"] is None:
        return "This model is not kept in a registry: its monitor has no `model`."
    now = ", ".join(f"{name} at {at['version']}" for name, at in history["aliases"].items())
    looked = history["looked_at"]
    seen = "was not looked at yet" if looked is None else f"was looked at {looked[:19]}Z"
    return Group(
        f"{escape(history['registered'])} {seen}: {escape(now) or 'no alias'}",
        *(line for move in reversed(history["moves"]) for line in _move_lines(move)),
    )


def _move_lines(move: dict[str, Any]) -> list[str]:
    head = f"{move['at'][:19]}Z  [bold]{escape(move['alias'])}[/]  {_change(move)}"
    if move["first_seen"]:
        return [head]
    told = {"poll": "noticed", "webhook": "told by MLflow", "tocsin": "moved here"}[move["source"]]
    why = f": {escape(move['reason'])}" if move["reason"] else ""
    return [head, f"    {told}, by {escape(move['actor'])}{why}"]


def _change(move: dict[str, Any]) -> str:
    if move["to"] is None:
        return f"removed from version {move['from']}"
    if move["first_seen"]:
        return f"at version {move['to']}, known since then"
    return f"version {move['from'] or 'none'} -> {move['to']}"
