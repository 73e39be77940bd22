"""Commands about the server and its models as a whole."""

from typing import Annotated

import typer
from rich.console import Console

from tocsin.cli.options import Url, remote_at
from tocsin.cli.states import model_lines, server_lines

_out = Console()


def status(
    model: Annotated[str | None, typer.Argument(help="What became of the rows of one.")] = None,
    url: Url = None,
) -> None:
    """Show how far the server is behind and what fails, or what became of a model's rows."""
    remote = remote_at(url)
    if model is None:
        lines = server_lines(remote.get("status"))
    else:
        lines = model_lines(remote.get("models", model))
    for line in lines:
        _out.print(line, markup=False, highlight=False)


def delete(
    model: str,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = None,
) -> None:
    """Delete a model: its rows, profiles, numbers and incidents, for good."""
    remote = remote_at(url)
    counts = remote.get("models", model)["counts"]
    if not yes:
        rows = counts.get("predictions", 0)
        typer.confirm(f"Delete {model} with its {rows:,} predictions, for good?", abort=True)
    remote.delete("models", model)
    _out.print(f"{model} is deleted; its files go as soon as nothing works on them.", markup=False)
