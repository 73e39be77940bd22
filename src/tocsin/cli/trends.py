"""Where a model is going, in lines."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from tocsin.cli.options import AsJson, Url, print_json, remote_at

_out = Console(highlight=False)
_STYLES = {"changed": "bold red", "usual": "green", "learning": "yellow", "unknown": "dim"}


def trends(
    model: Annotated[str, typer.Argument(help="The model's name.")],
    *,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Say which series left what is usual, and which thresholds are ahead."""
    found = remote_at(url).get("models", model, "trends")
    if as_json:
        print_json(found)
        return
    for line in trend_lines(found):
        _out.print(line)


def trend_lines(found: dict[str, Any]) -> Iterator[str]:
    """The series that learn what is usual, and the thresholds ahead, two lines each."""
    for series in found["series"]:
        state = series["state"]
        yield f"[{_STYLES[state]}]{state}[/]  {escape(series['rule'])}"
        yield f"    {escape(series['sentence'])}"
    for ahead in found["forecasts"]:
        yield f"[yellow]ahead[/]  {escape(ahead['rule'])}"
        yield f"    {escape(ahead['sentence'])}"
    if not found["series"]:
        yield "No rule has `value: auto`, so nothing learns what is usual."
    if not found["forecasts"]:
        yield "No threshold is ahead."
