"""`tocsin drift`: how far columns are from the reference, and one of them by every statistic."""

from typing import Annotated, Any, Literal

import typer
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from tocsin.cli.options import AsJson, Url, print_json, remote_at

_out = Console()
_STYLES = {"drift": "bold red", "none": "green"}
_WORDS = {"none": "no drift", "insufficient": "too few rows"}


def drift(
    model: str,
    *,
    feature: Annotated[
        str | None, typer.Option(help="One column, by every statistic and reference.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="Such as 24h (default: the shortest, a day of a feature).")
    ] = None,
    reference: Annotated[
        Literal["frozen", "trailing"] | None, typer.Option(help="(default: the one that decides)")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Only rows of this version.")] = None,
    multivariate: Annotated[
        bool, typer.Option("--multivariate", help="All features together, by a classifier.")
    ] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Show the drift of every column in the newest window, or of one by all statistics."""
    asked = {"window": window, "version": version}
    chosen = {name: value for name, value in asked.items() if value is not None}
    remote = remote_at(url)
    if multivariate:
        known = {} if window is None else {"window": window}
        found = remote.post("models", model, "drift", "multivariate", document={}, **known)
        _shown(found, together_table(found), as_json=as_json)
        return
    if feature is not None:
        view = remote.get("models", model, "features", feature, "drift", **chosen)
        _shown(view, statistics_table(view, reference), as_json=as_json)
        return
    if reference is not None:
        chosen["reference"] = reference
    points = remote.get("models", model, "drift", **chosen)
    table = drift_table(points[-1]) if points else "No window has closed yet."
    _shown(points, table, as_json=as_json)


def _shown(answer: object, table: RenderableType, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        _out.print(table)


def drift_table(point: dict[str, Any]) -> RenderableType:
    """The verdicts on all columns of one window, the furthest first."""
    table = Table("Column", "Verdict", "Distance", "PSI", "Why", box=None)
    furthest = sorted(point["columns"].items(), key=lambda item: -item[1]["js_distance"])
    for name, shift in furthest:
        table.add_row(
            escape(name),
            _verdict(shift["verdict"]),
            f"{shift['js_distance']:.3f}",
            f"{shift['psi']:.3f}",
            escape(shift["reason"]),
        )
    return Group(f"The window until {point['end']}, {point['rows']:,} rows", table)


def together_table(found: dict[str, Any]) -> RenderableType:
    """Whether a window is told from the reference, and by which columns."""
    table = Table("Feature", "AUC lost when it is shuffled", box=None)
    for name, lost in found["importances"].items():
        table.add_row(escape(name), f"{lost:.3f}")
    head = (
        f"{escape(found['sentence'].replace('`', ''))}.\n{found['rows']:,} rows until "
        f"{found['end']} and {found['reference_rows']:,} of the reference: AUC {found['auc']:.3f} "
        f"({found['low']:.3f} to {found['high']:.3f}), p {found['p_value']:.2g}"
    )
    parts: list[RenderableType] = [head, table]
    if found["estimates"] is not None:
        parts += ["", *_weighted_parts(found["estimates"])]
    return Group(*parts)


def _weighted_parts(found: dict[str, Any]) -> list[RenderableType]:
    """What metrics are expected to be, by the weighted reference and by scores alone."""
    table = Table("Before labels", "By weighting", "By scores", "Against the latter", box=None)
    for each in found["metrics"].values():
        made = each["cbpe"]
        against = "" if made is None else ", ".join(made["flags"]).replace("_", " ")
        numbers = (_expected(each["importance_weighting"]), _expected(made))
        table.add_row(escape(each["title"]), *numbers, against)
    return [escape(f"{found['sentence']}."), table]


def _expected(found: dict[str, Any] | None) -> str:
    if found is None or found["value"] is None:
        return "unknown"
    if found["low"] is None or found["high"] is None:
        return f"{found['value']:.3f}"
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def statistics_table(view: dict[str, Any], reference: str | None) -> RenderableType:
    """Every statistic of one column, a table for each reference."""
    parts: list[RenderableType] = [f"{escape(view['column'])} in the window until {view['end']}"]
    for found in view["references"]:
        if reference in (None, found["reference"]):
            parts += ["", *_of_reference(found)]
    return Group(*parts)


def _of_reference(found: dict[str, Any]) -> list[RenderableType]:
    decides = ", which decides" if found["decides"] else ""
    head = f"Against the {found['reference']} reference, {found['rows']:,} rows{decides}"
    if found["reason"] is not None:
        return [f"{head}: {found['reason']}"]
    table = Table(box=None, padding=(0, 1))
    for name in ("Statistic", "Value", "Threshold", "Verdict", "p", "Rows", "Needed"):
        table.add_column(name, no_wrap=True)
    lacking = []
    for each in found["statistics"]:
        if each["value"] is None:
            lacking.append(f"{each['statistic']}: {escape(each['reason'].partition(': ')[2])}")
            continue
        upper = f" to {each['value'] + each['error']:.3g}" if each["error"] else ""
        side = "p < " if each["decides_by"] == "p_value" else "> "
        table.add_row(
            each["statistic"],
            f"{each['value']:.3g}{upper}",
            f"{side}{each['threshold']:g}",
            _verdict(each["verdict"]),
            f"{each['p_value']:.2g}",
            f"{each['n']:,}",
            "-" if each["minimum_n"] is None else f"{each['minimum_n']:,}",
        )
    return [head, table, *lacking]


def _verdict(verdict: str) -> str:
    style = _STYLES.get(verdict)
    word = _WORDS.get(verdict, verdict)
    return word if style is None else f"[{style}]{word}[/]"
