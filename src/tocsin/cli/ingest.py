"""`tocsin ingest`: rows of files, tables, databases, Kafka and traces, to a running server."""

from typing import Annotated

import typer
from rich.console import Console

from tocsin.cli.options import TrackingUri, Url, remote_at
from tocsin.errors import InvalidInputError
from tocsin.settings import settings
from tocsin.values import SECOND, parse_duration

_out = Console()


def ingest(
    what: Annotated[
        str,
        typer.Argument(
            help="A file, a folder of files, a Delta table, the address of a database such as "
            "postgresql+psycopg://host/name, kafka://host:port/topic, or mlflow-traces:EXPERIMENT."
        ),
    ],
    model: Annotated[str, typer.Option(help="The model that the rows are of.")],
    *,
    outcomes: Annotated[bool, typer.Option("--outcomes", help="Read outcomes.")] = False,
    name: Annotated[
        str | None, typer.Option(help="By which the server knows the source (default: its place).")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="A column of another name: timestamp=event_time, distance=miles."),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Of times that name none, such as Europe/Berlin.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="Of a database: a table or view.")] = None,
    cursor: Annotated[
        str | None, typer.Option(help="Of a database: the column that grows.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Of a database: what tells rows apart (default: the primary key)."),
    ] = None,
    lag: Annotated[
        str | None, typer.Option(help="Leave rows younger than that (default: 0s, traces 30s).")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Of Kafka.")] = None,
    outcome: Annotated[
        str | None, typer.Option(help="Of traces: the assessment that says what came out.")
    ] = None,
    lookback: Annotated[
        str, typer.Option(help="Of traces: how old those are that get outcomes.")
    ] = "7d",
    tracking_uri: TrackingUri = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes.")] = False,
    every: Annotated[
        str | None, typer.Option(help="How often to look (default: 10s, Kafka 1s).")
    ] = None,
    batch_rows: Annotated[int, typer.Option(min=1, help="How many rows a request has.")] = 20_000,
    url: Url = None,
) -> None:
    """Bring rows that lie elsewhere to a running server, each exactly once."""
    from tocsin.cli.ingesting import columns_of, ingested
    from tocsin.sources import Options

    columns = columns_of(column or [], timezone)
    options = Options(
        batch_rows=batch_rows,
        table=table,
        cursor=cursor,
        key=key,
        lag_s=parse_duration(lag or ("30s" if what.startswith("mlflow-traces:") else "0s"))
        / SECOND,
        outcomes=outcomes,
        outcome=outcome,
        lookback_s=parse_duration(lookback) / SECOND,
        tracking_uri=settings(tracking_uri=tracking_uri).tracking_uri,
        topic=topic,
        zone=columns.zone,
        follow=follow,
    )
    every_s = None
    if follow:
        default = "1s" if what.startswith("kafka:") else "10s"
        every_s = parse_duration(every or default) / SECOND
    elif every is not None:
        raise InvalidInputError("--every needs --follow")
    ingested(
        _out,
        what,
        model,
        "outcomes" if outcomes else "predictions",
        name=name,
        columns=columns,
        options=options,
        every_s=every_s,
        url=remote_at(url).base,
    )
