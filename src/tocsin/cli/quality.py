"""`tocsin quality`: whether a model's data is as expected, and what is expected."""

from typing import Annotated

import typer
from rich.console import Console

from tocsin.cli.options import Url, print_json, remote_at
from tocsin.cli.quality_tables import expectations_table, quality_table

_out = Console()


def quality(
    model: str,
    window: Annotated[str | None, typer.Option(help="Such as 1h (default: the shortest).")] = None,
    *,
    expected: Annotated[
        bool, typer.Option("--expectations", help="What is expected, and where that is from.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON; of --expectations, as a monitor has them.")
    ] = False,
    url: Url = None,
) -> None:
    """Show what is wrong with the data of the newest window, and the rates of every feature."""
    remote = remote_at(url)
    if expected:
        found = remote.get("models", model, "expectations")
        if as_json:
            print_json({"quality": found["quality"]})
        else:
            _out.print(expectations_table(found))
        return
    chosen = {} if window is None else {"window": window}
    found = remote.get("models", model, "quality", **chosen)
    if as_json:
        print_json(found)
    else:
        _out.print(quality_table(model, found))
