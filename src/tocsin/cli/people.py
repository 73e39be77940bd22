"""`tocsin incident`: take an incident, talk about it, judge it."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from tocsin.cli.options import Url, remote_at
from tocsin.remote import user_name

incident_commands = typer.Typer(
    no_args_is_help=True, help="Take an incident, talk about it, say whether it was real."
)
_out = Console()

Number = Annotated[int, typer.Argument(help="The incident.")]
By = Annotated[str | None, typer.Option(help="Who does it (default: your user name).")]
Note = Annotated[str, typer.Option(help="What to say about it, on the timeline.")]


@incident_commands.command()
def ack(number: Number, note: Note = "", by: By = None, url: Url = None) -> None:
    """Say that you work on it: nobody is reminded any more, until it gets more severe."""
    _act(url, number, "acknowledge", by, {"note": note})


@incident_commands.command()
def withdraw(number: Number, note: Note = "", by: By = None, url: Url = None) -> None:
    """Say that nobody works on it any more; a snooze ends too."""
    _act(url, number, "withdraw", by, {"note": note})


@incident_commands.command()
def assign(
    number: Number,
    to: Annotated[str, typer.Argument(help="A person or a team; empty for nobody.")],
    by: By = None,
    url: Url = None,
) -> None:
    """Say whose it is."""
    _act(url, number, "assign", by, {"to": to})


@incident_commands.command()
def comment(
    number: Number,
    text: Annotated[str, typer.Argument(help="What to say.")],
    by: By = None,
    url: Url = None,
) -> None:
    """Say something on its timeline."""
    _act(url, number, "comments", by, {"text": text})


@incident_commands.command()
def snooze(
    number: Number,
    duration: Annotated[str, typer.Argument(metavar="FOR", help="Such as 2h.")],
    note: Note = "",
    by: By = None,
    url: Url = None,
) -> None:
    """Let nobody be reminded for a while."""
    _act(url, number, "snooze", by, {"for": duration, "note": note})


@incident_commands.command()
def escalate(
    number: Number,
    to: Annotated[str, typer.Option(help="The receiver.")],
    reason: Annotated[str, typer.Option(help="Why; whoever is called reads it.")],
    by: By = None,
    url: Url = None,
) -> None:
    """Tell a receiver now of what fires, whatever the routes say; of its end it hears too."""
    _act(url, number, "escalate", by, {"to": to, "reason": reason})


@incident_commands.command()
def mark(
    number: Number,
    verdict: Annotated[str, typer.Argument(help="real, false, or none to take it back.")],
    note: Note = "",
    by: By = None,
    url: Url = None,
) -> None:
    """Say whether it was a real problem; backtests of rules go by that."""
    _act(url, number, "mark", by, {"verdict": verdict, "note": note})


@incident_commands.command()
def merge(
    number: Number,
    into: Annotated[int, typer.Argument(help="The incident that gets its alerts.")],
    note: Note = "",
    by: By = None,
    url: Url = None,
) -> None:
    """Let its alerts belong to another incident of the same model."""
    _act(url, number, "merge", by, {"into": into, "note": note})


def _act(url: str | None, number: int, verb: str, by: str | None, said: dict[str, Any]) -> None:
    document = {**said, "actor": by or user_name()}
    found = remote_at(url).post("incidents", str(number), verb, document=document)
    newest = found["timeline"][-1]
    _out.print(
        f"#{found['id']} {escape(found['title'])}: {escape(newest['text'])}", highlight=False
    )
