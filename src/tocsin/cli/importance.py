"""`tocsin importance`: what a model relies on, as it is known or found out here."""

import os
import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from tocsin.cli.options import Url, remote_at
from tocsin.cli.tables import attribution_table, importance_table
from tocsin.remote import Remote
from tocsin.settings import settings

if TYPE_CHECKING:
    from tocsin.explaining import Asked

_out = Console()


def importance(
    model: str,
    version: Annotated[
        str | None, typer.Option(help="(default: the one that predicts, or was computed last)")
    ] = None,
    method: Annotated[
        Literal["permutation", "shap"] | None, typer.Option(help="(default: permutation)")
    ] = None,
    *,
    compute: Annotated[
        bool, typer.Option("--compute", help="Load the model here and find it, unless it is known.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Find it even if it is known.")] = False,
    recent: Annotated[
        str | None,
        typer.Option(help="Find it on rows of so long, such as 7d, and compare; loads the model."),
    ] = None,
    rows: Annotated[
        int, typer.Option(min=2, max=100_000, help="Of the reference, or of the recent ones.")
    ] = 2_000,
    repeats: Annotated[int, typer.Option(min=1, help="How often a feature is shuffled.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of what is chance.")] = 0,
    tracking_uri: Annotated[
        str | None, typer.Option(help="The MLflow server (default: MLFLOW_TRACKING_URI).")
    ] = None,
    url: Url = None,
) -> None:
    """Show how much a model relies on each feature; --compute finds it, in this process."""
    remote = remote_at(url)
    if recent is not None:
        from tocsin.explain import Method
        from tocsin.explaining import Asked

        asked = Asked(model, version, Method(method or "permutation"), rows, repeats, seed)
        _compared(_out, remote, asked, span=recent, tracking_uri=tracking_uri)
        return
    if compute or again:
        from tocsin.explain import Method
        from tocsin.explaining import Asked

        version = version or str(remote.get("models", model)["version"])
        asked = Asked(model, version, Method(method or "permutation"), rows, repeats, seed)
        found_out(_out, remote, asked, again=again, tracking_uri=tracking_uri)
        return
    chosen = {"version": version, "method": method}
    known = {name: value for name, value in chosen.items() if value is not None}
    _out.print(importance_table(remote.get("models", model, "importance", **known)))


def found_out(
    console: Console, remote: Remote, asked: "Asked", *, again: bool, tracking_uri: str | None
) -> None:
    """Find the importance of features here, store it at the server, and show it.

    Raises: TocsinError when the server, the rows or the model cannot be had.
    """
    _quiet_mlflow()
    from tocsin.explaining import computed

    known = None
    if not again and asked.version is not None:
        chosen = {"version": asked.version, "method": str(asked.method)}
        known = remote.find("models", asked.model, "importance", **chosen)
    if known is not None:
        console.print(importance_table(known))
        console.print("It was known; --again finds it anew.")
        return
    began_s = time.monotonic()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{asked.method} importance", total=None)
        done = computed(
            remote,
            asked,
            tracking_uri=settings(tracking_uri=tracking_uri).tracking_uri,
            progress=lambda at, total: bar.update(task, completed=at, total=total),
        )
    console.print(importance_table(done.document))
    _print_notes(console, done.notes)
    console.print(f"It took {time.monotonic() - began_s:.1f} s and is kept for this reference.")


def _compared(
    console: Console, remote: Remote, asked: "Asked", *, span: str, tracking_uri: str | None
) -> None:
    """Find the importance on recent rows here, store how it compares, and show it."""
    _quiet_mlflow()
    from tocsin.explaining import compared

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{asked.method} importance on recent rows", total=None)
        done = compared(
            remote,
            asked,
            span=span,
            tracking_uri=settings(tracking_uri=tracking_uri).tracking_uri,
            progress=lambda at, total: bar.update(task, completed=at, total=total),
        )
    console.print(attribution_table(done.document))
    _print_notes(console, done.notes)
    console.print("It is kept with the importance, and the page of the model shows it.")


def _quiet_mlflow() -> None:
    # MLflow draws bars of its own, where a package for them is installed, for every file.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


def _print_notes(console: Console, notes: tuple[str, ...]) -> None:
    for note in notes:
        console.print(f"Note: {note}", markup=False, highlight=False)
