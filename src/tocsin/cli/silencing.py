"""`tocsin silence`: tell nobody of some alerts for a while."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from tocsin.cli.options import Url, remote_at
from tocsin.remote import user_name

silence_commands = typer.Typer(
    name="silence", help="Tell nobody of some alerts for a while.", no_args_is_help=True
)
_out = Console(highlight=False)


@silence_commands.command()
def add(
    matchers: Annotated[
        list[str], typer.Argument(help="Which alerts: model=flights, 'severity!=\"critical\"'.")
    ],
    comment: Annotated[str, typer.Option(help="Why; people read it, and the audit keeps it.")],
    duration: Annotated[str, typer.Option(help="How long, such as 30m, 2h or 7d.")] = "2h",
    author: Annotated[str | None, typer.Option(help="(default: your user name)")] = None,
    *,
    preview: Annotated[bool, typer.Option(help="Only show what it would cover.")] = False,
    url: Url = None,
) -> None:
    """Silence the alerts that all matchers hold of."""
    remote = remote_at(url)
    if preview:
        covered = remote.get("silences", "preview", matchers=", ".join(matchers))
        _covers(covered, "It would cover")
        return
    document = {
        "matchers": matchers,
        "duration": duration,
        "comment": comment,
        "author": author or user_name(),
    }
    made = remote.post("silences", document=document)
    _out.print(f"Silence {made['id']} holds until {made['ends_at'][:19]}Z.")
    _covers(made["covers"], "It covers")
    _out.print(f"End it: tocsin silence expire {made['id']}")


@silence_commands.command("list")
def listed(
    *,
    expired: Annotated[bool, typer.Option(help="Also those that are over.")] = False,
    url: Url = None,
) -> None:
    """Show silences, the newest first, and how many firing alerts each covers."""
    found = remote_at(url).get("silences", expired=str(expired).lower())
    if not found:
        _out.print("No silence holds or is to come.")
    for silence in found:
        count = len(silence["covers"])
        _out.print(
            f"{silence['id']}  {silence['state']}, {silence['starts_at'][:16]}Z to "
            f"{silence['ends_at'][:16]}Z, covers {count:,} now",
            soft_wrap=True,
        )
        _out.print(f"    {escape(', '.join(silence['matchers']))}", soft_wrap=True)
        _out.print(f"    {escape(silence['author'])}: {escape(silence['comment'])}", soft_wrap=True)


@silence_commands.command()
def expire(number: int, url: Url = None) -> None:
    """End a silence now; what still fires is told again."""
    ended = remote_at(url).delete("silences", str(number))
    _out.print(f"Silence {ended['id']} is over.")
    _covers(ended["covers"], "Told again, if it still fires at the next look:")


def _covers(covered: list[dict[str, Any]], head: str) -> None:
    if not covered:
        _out.print(f"{head.rstrip(':')} no alert that fires now.")
        return
    _out.print(f"{head.rstrip(':')}:")
    for alert in covered:
        labels = alert["labels"]
        about = f" for {labels['instance']}" if labels.get("instance") else ""
        _out.print(
            f"  {escape(labels['severity'])} {escape(labels['alert'])}{escape(about)} of "
            f"{escape(labels['model'])}, incident {alert['incident']}",
            soft_wrap=True,
        )
