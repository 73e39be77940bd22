"""`tocsin estimates`: what metrics are expected to be before labels, and how that went."""

from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from tocsin.cli.options import AsJson, Url, print_json, remote_at
from tocsin.cli.tables import measure_words
from tocsin.errors import InvalidInputError

_out = Console()


def estimates(
    model: str,
    metric: Annotated[str | None, typer.Option(help="(default: the first)")] = None,
    window: Annotated[str | None, typer.Option(help="Such as 1h, 24h, 7d.")] = None,
    span: Annotated[str, typer.Option(help="How far to look back.")] = "30d",
    last: Annotated[int, typer.Option(min=1, help="How many windows.")] = 14,
    *,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Show what was estimated before labels, what came out, and how estimates did."""
    chosen = {"span": span} | ({} if window is None else {"window": window})
    found = remote_at(url).get("models", model, "estimates", **chosen)
    if as_json:
        print_json(found)
        return
    if not found:
        _out.print(f"No metric of {model} can be estimated without labels.", markup=False)
        return
    first = [each for each in found if metric in (None, each["metric"])]
    if not first:
        known = ", ".join(each["metric"] for each in found)
        raise InvalidInputError(f"there is no estimate of {metric!r}; there are {known}")
    rest = [each for each in found if each is not first[0]]
    _out.print(estimates_table([first[0], *rest], last))


def estimates_table(found: list[dict[str, Any]], last: int) -> RenderableType:
    """The newest windows of the first metric, and how the estimates of all did."""
    table = Table("Window end", "Estimated", "Came out", "Labelled", "Rows", "Against it", box=None)
    for point in found[0]["points"][-last:]:
        table.add_row(
            point["end"],
            "" if point["estimate"] is None else measure_words(point["estimate"]),
            measure_words(point["realised"]),
            f"{point['coverage']:.0%}",
            f"{point['rows']:,}",
            ", ".join(flag.replace("_", " ") for flag in point["flags"]),
        )
    tests = Table("Metric", "Windows", "Off by", "No change", "Inside", "Skill", box=None)
    for each in found:
        tested = each["backtest"]
        shown = (tested["mae"], tested["mae_no_change"], tested["coverage"], tested["skill"])
        tests.add_row(
            each["metric"],
            str(tested["windows"]),
            *("" if number is None else f"{number:.3g}" for number in shown),
        )
    return Group(escape(found[0]["sentence"]), table, "", tests)
