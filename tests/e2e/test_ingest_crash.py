"""kill -9 of `tocsin ingest` and of the server at random moments: every row counts exactly once."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from deltalake import write_deltalake
from tests.servers import Server
from tests.sources.broker import Broker
from tests.sources.postgres import postgres
from tests.world import HOUR, START, Feed, flights, monitor_document, reference

from tocsin.app import opened
from tocsin.settings import Settings

ROWS = 6_000
MADE = flights(ROWS, seed=11)


def table() -> pa.Table:
    """Predictions without ids, with their outcomes."""
    times = [START + HOUR * i / 40 for i in range(ROWS)]
    return pa.table(
        {
            "row": range(ROWS),
            "scored_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "distance": MADE.distance,
            "carrier": MADE.carrier,
            "p": MADE.score,
        }
    )


def files(folder: Path) -> list[str]:
    place = folder / "scored"
    place.mkdir()
    for i in range(3):
        part = table().slice(i * ROWS // 3, ROWS // 3)
        pq.write_table(part, place / f"{i}.parquet", row_group_size=700)
    return [str(place)]


def delta(folder: Path) -> list[str]:
    for i in range(3):
        part = table().slice(i * ROWS // 3, ROWS // 3)
        write_deltalake(folder / "scored", part, mode="append")
    return [str(folder / "scored")]


def database(url: str) -> list[str]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    scored = sa.Table(
        "scored",
        sa.MetaData(),
        sa.Column("row", sa.Integer, primary_key=True),
        sa.Column("scored_at", sa.DateTime(timezone=True)),
        sa.Column("distance", sa.Float),
        sa.Column("carrier", sa.String),
        sa.Column("p", sa.Float),
    )
    scored.create(engine)
    with engine.begin() as connection:
        connection.execute(scored.insert(), table().to_pylist())
    return [url, "--table", "scored", "--cursor", "scored_at"]


def topic(broker: Broker) -> list[str]:
    broker.create("scored", 3)
    rows = table().to_pylist()
    broker.send(
        "scored",
        [(i % 3, {**row, "scored_at": row["scored_at"].isoformat()}) for i, row in enumerate(rows)],
    )
    return [f"kafka://{broker.address}/scored"]


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """The arguments of an import of each kind of source."""
    kind = request.param
    if kind == "postgres":
        with postgres() as url:
            yield database(url)
    elif kind == "kafka":
        with Broker(tmp_path) as broker:
            yield topic(broker)
    elif kind == "sqlite":
        (tmp_path / "rows.db").touch()
        yield [*database(f"sqlite:///{tmp_path}/rows.db"), "--timezone", "UTC"]
    else:
        yield {"files": files, "delta": delta}[kind](tmp_path)


def ingest(server: Server, arguments: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tocsin", "ingest", *arguments, "--model", "late",
         "--column", "timestamp=scored_at", "--batch-rows", "40", "--url", server.url],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def survive(folder: Path, arguments: Sequence[str], *, kills: int, seed: int) -> None:
    where = Settings(folder / "data", "127.0.0.1", 1, "http://tocsin.test", None)
    with opened(where) as app:
        app.register.add("late", monitor_document(), reference(1_000))
    chance = random.Random(seed)
    cut_short = 0
    with Server(folder / "data") as server:
        for kill in range(kills):
            running = ingest(server, arguments)
            _await_progress(server, chance.randrange(1, 12), running)
            if kill % 2:
                server.kill()
                server.start()
            cut_short += running.poll() is None
            running.kill()
            running.communicate()
        last = ingest(server, arguments)
        said, _ = last.communicate(timeout=300)
        assert last.returncode == 0, said
        server.caught_up()
        counts = server.get("/models/late/summary")
    assert cut_short >= 2
    assert (counts["predictions"], counts["quarantined"]) == (ROWS, 0)
    # Not merely told apart by their ids: no row was sent twice.
    assert counts.get("repeated", 0) == 0
    with opened(where) as app:
        feed = Feed(app, "late")
        assert feed.total("n") == ROWS
        assert feed.total("score") == pytest.approx(float(MADE.score.sum()), rel=1e-9)


def _await_progress(server: Server, steps: int, running: "subprocess.Popen[str]") -> None:
    """Wait until the source moved so many times, or the import ended."""
    before: list[Any] = []
    while steps and running.poll() is None:
        now = server.get("/models/late/sources")
        if now != before:
            before, steps = now, steps - 1
        time.sleep(0.001)


@pytest.mark.parametrize("made", ["files", "sqlite"], indirect=True)
def test_rows_count_once_over_kills_of_both_sides(made: list[str], tmp_path: Path) -> None:
    survive(tmp_path, made, kills=4, seed=5)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("made", ["files", "delta", "sqlite", "postgres", "kafka"], indirect=True)
def test_rows_count_once_over_many_kills(made: list[str], tmp_path: Path, seed: int) -> None:
    survive(tmp_path, made, kills=20, seed=seed)
