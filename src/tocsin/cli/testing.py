"""Try what would only be needed at night."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tocsin.cli.options import Url, remote_at

test_commands = typer.Typer(
    name="test", help="Try receivers before they are needed.", no_args_is_help=True
)
_out = Console(highlight=False)


@test_commands.callback()
def _group() -> None:
    """Without it, the only command would have no name."""


@test_commands.command()
def receiver(
    name: Annotated[str, typer.Argument(help="The receiver's name.")], url: Url = None
) -> None:
    """Send a message that says it is a test, the way that alerts go."""
    answer = remote_at(url).post("receivers", name, "test", document={})
    if not answer["taken"]:
        _out.print(f"{escape(name)} did not take it: {escape(answer['error'])}")
        raise typer.Exit(1)
    _out.print(f"{escape(name)} took the message.")
