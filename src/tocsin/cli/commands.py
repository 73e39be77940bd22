"""All commands; each prints what it did and what to do next."""

import logging
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress

import tocsin
from tocsin.cli import acting, configuring, rows, state, watching
from tocsin.cli.auditing import audit_commands
from tocsin.cli.backtesting import backtest
from tocsin.cli.capturing import serve as serve_model
from tocsin.cli.drift import drift
from tocsin.cli.estimates import estimates
from tocsin.cli.exporting import export_commands
from tocsin.cli.importance import importance
from tocsin.cli.ingest import ingest
from tocsin.cli.options import AsJson, TrackingUri, Url, print_json, remote_at
from tocsin.cli.outbox import outbox_commands
from tocsin.cli.people import incident_commands
from tocsin.cli.quality import quality
from tocsin.cli.routes import route_commands
from tocsin.cli.silencing import silence_commands
from tocsin.cli.tables import (
    groups_table,
    incident_table,
    incidents_table,
    metrics_table,
    models_table,
    operations_table,
    segments_table,
)
from tocsin.cli.testing import test_commands
from tocsin.cli.trends import trends
from tocsin.errors import StartupError
from tocsin.remote import path_of
from tocsin.settings import settings

commands = typer.Typer(
    name="tocsin",
    help="Monitoring for machine-learning models: late truth, drift, alerts, and why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
commands.add_typer(audit_commands, name="audit")
commands.add_typer(incident_commands, name="incident")
commands.add_typer(test_commands, name="test")
commands.add_typer(outbox_commands, name="outbox")
commands.add_typer(export_commands, name="export")
commands.add_typer(silence_commands, name="silence")
commands.add_typer(route_commands, name="route")
for _command in (acting.history, acting.promote, acting.rollback, estimates, trends):
    commands.command()(_command)
_out = Console()

Kinds = Literal["local", "spark"]
Data = Annotated[Path | None, typer.Option(help="The folder of the data (default: tocsin-data).")]
Host = Annotated[str | None, typer.Option(help="The address to listen on (default: 127.0.0.1).")]
Port = Annotated[int | None, typer.Option(help="The port to listen on (default: 8765).")]
LakeAt = Annotated[
    str | None,
    typer.Option("--lake", help="Its folder or s3://BUCKET/PREFIX (default: lake in the data)."),
]


@commands.command()
@commands.command(name="up")
def server(
    data: Data = None,
    host: Host = None,
    port: Port = None,
    tracking_uri: TrackingUri = None,
    lake: LakeAt = None,
    allowed_hosts: Annotated[
        str | None,
        typer.Option(help="Names by which browsers reach it, with commas between."),
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option(help="Files of monitors, or a folder: applied now, and when they change."),
    ] = None,
) -> None:
    """Run Tocsin: API, pages and worker in one process."""
    from tocsin.cli.serving import serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for chatty in ("alembic", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    chosen = settings(
        data=data,
        host=host,
        port=port,
        tracking_uri=tracking_uri,
        lake=lake,
        allowed_hosts=allowed_hosts,
        config=config or (),
    )
    serve(chosen, ready=lambda url: _out.print(f"Tocsin runs at {url} on data in {chosen.data}"))


@commands.command()
def demo(
    port: Port = None,
    *,
    headless: Annotated[bool, typer.Option(help="End when the replay has.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write a summary there.")] = None,
    first: Annotated[str, typer.Option(help="The first day to replay.")] = "2013-06-01",
    last: Annotated[str, typer.Option(help="The day to end before.")] = "2013-08-01",
) -> None:
    """Replay real flights of 2013 through a model, with a fault, and watch Tocsin find it."""
    try:
        from tocsin.demo.run import Period, run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tocsin"):
            raise
        raise typer.Exit(
            _fail(f"the demo needs {error.name}; install it with pip install 'tocsin[demo]'")
        ) from error
    period = Period(first=first, last=last)
    raise typer.Exit(run(_out, period, port=port, headless=headless, summary=json))


@commands.command()
def watch(
    uri: Annotated[str, typer.Argument(help="Such as models:/flight-delay@champion.")],
    name: Annotated[str | None, typer.Option(help="What to call it (default: its name).")] = None,
    task: watching.TaskOption = None,
    label: watching.Label = None,
    score: watching.Score = None,
    prediction: watching.Prediction = None,
    scores: watching.Scores = None,
    positive: watching.Positive = None,
    negative: watching.Negative = None,
    reference: watching.Reference = None,
    *,
    importance: watching.Importance = False,
    tracking_uri: TrackingUri = None,
    url: Url = None,
) -> None:
    """Monitor a model of the MLflow registry; columns are those of its training dataset."""
    said = {
        "task": task,
        "label": label,
        "score": score,
        "prediction": prediction,
        "scores": watching.scores_of(scores or []),
        "positive": positive,
        "negative": negative,
    }
    request = {"uri": uri, **{role: part for role, part in said.items() if part is not None}}
    name = name or uri.removeprefix("models:/").split("@")[0].split("/")[0]
    path = ("models", name, "watch")
    remote = remote_at(url)
    added = (
        remote.post(*path, document=request)
        if reference is None
        else remote.put_table(*path, document=request, reference=reference)
    )
    _out.print(f"Tocsin watches {added['name']} version {added['version']}.")
    for note in added["notes"]:
        _out.print(f"  {note}", markup=False, highlight=False)
    _out.print(f"See {remote.base}{path_of('models', added['name'])}", soft_wrap=True)
    if importance:
        from tocsin.cli.importance import found_out
        from tocsin.explaining import Asked

        asked = Asked(added["name"], added["version"])
        found_out(_out, remote, asked, again=False, tracking_uri=tracking_uri)


@commands.command()
def models(url: Url = None) -> None:
    """List all models, the worst first."""
    found = remote_at(url).get("models")
    if not found:
        _out.print("No model is monitored yet: tocsin watch models:/NAME@champion")
        return
    _out.print(models_table(found))


@commands.command()
def metrics(
    model: str,
    name: Annotated[str | None, typer.Argument(metavar="[METRIC]", help="As --metric.")] = None,
    *,
    metric: Annotated[str | None, typer.Option(help="(default: the headline metric)")] = None,
    window: Annotated[str | None, typer.Option(help="Such as 1h, 24h, 7d.")] = None,
    segment: Annotated[str | None, typer.Option(help="Such as country=DE.")] = None,
    version: Annotated[str | None, typer.Option(help="Only rows of this version.")] = None,
    last: Annotated[int, typer.Option(min=1, help="How many windows.")] = 14,
    as_of: Annotated[str | None, typer.Option(help="As known then: 2026-01-31T12:00:00Z.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Show a metric over time with its intervals."""
    remote = remote_at(url)
    metric = metric or name or remote.get("models", model)["metric"]
    asked = {"window": window, "segment": segment, "version": version, "as_of": as_of}
    chosen = {name: value for name, value in asked.items() if value is not None}
    found = remote.get("models", model, "metrics", metric, **chosen)
    if as_json:
        print_json(found)
        return
    _out.print(metrics_table(found, last))


@commands.command()
def operations(
    model: str,
    window: Annotated[str, typer.Option(help="A multiple of 5m.")] = "1h",
    span: Annotated[str, typer.Option(help="How far to look back.")] = "24h",
    version: Annotated[str | None, typer.Option(help="Of this one alone.")] = None,
    url: Url = None,
) -> None:
    """Show what serving costs: requests, errors, latencies, processors and memory."""
    chosen = {"window": window, "span": span} | ({} if version is None else {"version": version})
    found = remote_at(url).get("models", model, "operations", **chosen)
    if not found:
        _out.print(
            f"Nothing is known of how {model} is served: tocsin serve -m models:/{model}@..."
        )
        return
    _out.print(operations_table(found))


@commands.command()
def segments(
    model: str,
    metric: Annotated[str | None, typer.Option(help="(default: the headline metric)")] = None,
    window: Annotated[str | None, typer.Option(help="Such as 1h, 24h, 7d.")] = None,
    url: Url = None,
) -> None:
    """Show a metric of the newest window by segments."""
    chosen = {k: v for k, v in (("metric", metric), ("window", window)) if v is not None}
    _out.print(segments_table(remote_at(url).get("models", model, "segments", **chosen)))


@commands.command()
def groups(
    model: str,
    attribute: str,
    window: Annotated[str | None, typer.Option(help="(default: the longest)")] = None,
    url: Url = None,
) -> None:
    """Compare how the groups of a protected attribute are treated."""
    chosen = {} if window is None else {"window": window}
    _out.print(groups_table(remote_at(url).get("models", model, "groups", attribute, **chosen)))


@commands.command()
def incidents(
    number: Annotated[int | None, typer.Argument(help="One incident in full.")] = None,
    *,
    open_only: Annotated[bool, typer.Option("--open", help="Only those not resolved.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List incidents, or show one with its causes."""
    remote = remote_at(url)
    chosen = {"open": "true"} if open_only else {}
    path = ("incidents",) if number is None else ("incidents", str(number))
    found = remote.get(*path, **(chosen if number is None else {}))
    if as_json:
        print_json(found)
        return
    if number is not None:
        _out.print(incident_table(found))
        return
    _out.print(incidents_table(found) if found else "No incidents.")


for command in (
    state.status,
    state.delete,
    rows.quarantine,
    rows.replay,
    rows.erase,
    importance,
    quality,
    configuring.check,
    configuring.plan,
    configuring.apply,
):
    commands.command()(command)

commands.command()(backtest)


@commands.command()
def rebuild(model: str, data: Data = None, lake: LakeAt = None) -> None:
    """Compute a model's profiles anew from the lake; the server has to be stopped."""
    from tocsin.app import opened

    chosen = settings(data=data, lake=lake)
    if not chosen.data.is_dir():
        raise StartupError(f"there is no data in {chosen.data}; name the folder with --data")
    with (
        opened(chosen) as app,
        Progress(console=_out, transient=True, disable=not _out.is_terminal) as bar,
    ):
        task = bar.add_task("days", total=None)
        rows_rebuilt = app.rebuild.rebuild(
            model, progress=lambda days, every: bar.update(task, completed=days, total=every)
        )
    _out.print(f"Rebuilt the profiles of {model} from {rows_rebuilt:,} predictions.")


@commands.command()
def profile(
    model: str,
    *,
    table: Annotated[
        str | None,
        typer.Option(help="Predictions: Parquet, a folder of it, Delta, a Spark table (its lake)."),
    ] = None,
    outcomes: Annotated[str | None, typer.Option(help="Their outcomes, likewise.")] = None,
    engine: Annotated[Kinds, typer.Option(help="What reads, joins and profiles.")] = "local",
    master: Annotated[str, typer.Option(help="Of Spark: such as spark://host:7077.")] = "local[*]",
    column: Annotated[
        list[str] | None,
        typer.Option(help="A column of another name: timestamp=scored_at, outcome.label=churned."),
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Forget days that the table lacks.")] = False,
    data: Data = None,
    lake: LakeAt = None,
) -> None:
    """Profile predictions of a table, as far as they changed; the server has to be stopped."""
    from tocsin.app import opened
    from tocsin.cli.profiling import check_options, columns_of, engine_of

    chosen = settings(data=data, lake=lake)
    if not chosen.data.is_dir():
        raise StartupError(f"there is no data in {chosen.data}; name the folder with --data")
    check_options(table=table, outcomes=outcomes, columns=column or [])
    columns = columns_of(column or [])
    with opened(chosen) as app, engine_of(engine, master) as running:
        if table is None:
            rows = app.profile_source.rebuild(model, running)
            _out.print(f"Profiled {rows:,} predictions of the lake of {model}.")
        else:
            with Progress(console=_out, transient=True, disable=not _out.is_terminal) as bar:
                task = bar.add_task("days", total=None)
                done = app.profile_source.profile(
                    model,
                    running,
                    predictions=table,
                    outcomes=outcomes,
                    columns=columns,
                    drop=drop,
                    progress=lambda days, every: bar.update(task, completed=days, total=every),
                )
            _out.print(
                f"Profiled {done.days:,} days with {done.predictions:,} predictions, "
                f"{done.labelled:,} of them labelled; {done.known:,} days had not changed."
            )
            if done.predictions and not done.labelled:
                _out.print(
                    "None of them has an outcome: do ids, times and labels.max fit --outcomes?"
                )
            if done.gone:
                _out.print(f"Dropped {done.gone:,} days that the table no longer has.")
        windows = app.evaluate.evaluate(model)
    _out.print(f"Evaluated {windows:,} windows; see them with `tocsin server`.")


commands.command()(ingest)


@commands.command()
def version() -> None:
    """Print the version."""
    _out.print(tocsin.__version__)


commands.command(name="serve")(serve_model)
commands.command()(drift)


def _fail(message: str) -> int:
    Console(stderr=True).print(f"tocsin: {message}", markup=False)
    return 1
