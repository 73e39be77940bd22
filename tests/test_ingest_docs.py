"""The commands of docs/ingest.md are run, each on what it speaks of."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from deltalake import write_deltalake

from tests.servers import Server
from tests.sources.broker import Broker
from tests.sources.postgres import postgres
from tests.world import HOUR, START, flights, monitor_document, reference
from tocsin.app import opened
from tocsin.demo.servers import mlflow_server
from tocsin.settings import Settings

PAGE = (Path(__file__).parents[1] / "docs/ingest.md").read_text()
COMMANDS = re.findall(r"```sh\n(.*?)\n```", PAGE)
ROWS = 50
POSTGRES = "postgresql+psycopg://tocsin:password@127.0.0.1:5432/shop"
KAFKA = "127.0.0.1:9092"
MLFLOW = "http://127.0.0.1:5000"


def scored() -> pa.Table:
    made = flights(ROWS, seed=3)
    times = [START + HOUR * i / 40 for i in range(ROWS)]
    return pa.table(
        {
            "id": range(ROWS),
            "prediction_id": [f"f{i}" for i in range(ROWS)],
            "timestamp": pa.array(times, pa.timestamp("us", tz="UTC")),
            "updated_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "distance": made.distance,
            "carrier": made.carrier,
            "p": made.score,
            "was_late": made.late,
        }
    )


def fill(url: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    moment = sa.DateTime(timezone=True)
    types = {"id": sa.Integer(), "timestamp": moment, "updated_at": moment}
    table = sa.Table("scored", sa.MetaData())
    for name in scored().column_names:
        table.append_column(sa.Column(name, types.get(name, sa.String()), primary_key=name == "id"))
    for name in ("distance", "p"):
        table.columns[name].type = sa.Float()
    table.columns["was_late"].type = sa.Integer()
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(table.insert(), scored().to_pylist())


TRACED = """
import mlflow, sys
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("served")

@mlflow.trace
def predict(distance, carrier):
    return {"p": 0.5}

for n in range(int(sys.argv[2])):
    predict(distance=1000.0 + n, carrier="AA")
    trace_id = mlflow.get_last_active_trace_id()
    mlflow.flush_trace_async_logging()
    mlflow.log_expectation(trace_id=trace_id, name="late", value=n % 2)
"""


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An MLflow server with calls that were traced, and what came of them."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as uri:
        subprocess.run([sys.executable, "-c", TRACED, uri, str(ROWS)], check=True, timeout=300)
        yield uri


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server, str, Broker]]:
    folder = tmp_path_factory.mktemp("ingest")
    pq.write_table(scored(), folder / "scored.parquet")
    (folder / "landing").mkdir()
    pyarrow.csv.write_csv(scored(), folder / "landing" / "2024-03-01.csv")
    write_deltalake(folder / "lake" / "scored", scored())
    (folder / "shop.db").touch()
    fill(f"sqlite:///{folder}/shop.db")
    where = Settings(folder / "data", "127.0.0.1", 1, "http://tocsin.test", None)
    with opened(where) as app:
        app.register.add("late", monitor_document(), reference(500))
    with postgres() as url, Broker(folder) as broker, Server(folder / "data") as server:
        fill(url)
        broker.create("scored", 2)
        rows = scored().to_pylist()
        texts = [{k: v.isoformat() if "t" in k and hasattr(v, "isoformat") else v
                  for k, v in row.items()} for row in rows]  # fmt: skip
        broker.send("scored", [(i % 2, json.loads(json.dumps(t))) for i, t in enumerate(texts)])
        yield folder, server, url, broker


@pytest.mark.parametrize(("number", "command"), list(enumerate(COMMANDS)))
def test_every_command_of_the_page_reads_its_rows(
    place: tuple[Path, Server, str, Broker],
    number: int,
    command: str,
    request: pytest.FixtureRequest,
) -> None:
    folder, server, url, broker = place
    if MLFLOW in command:
        # They are too young otherwise.
        command = command.replace(MLFLOW, request.getfixturevalue("traced")) + " --lag 0s"
    # Each on its own, as the page tells of many places with the same rows.
    command = command.replace(POSTGRES, url).replace(KAFKA, broker.address)
    program, *arguments = shlex.split(command)
    assert program == "tocsin"
    name = f"example {number}"
    running = subprocess.Popen(
        [sys.executable, "-m", "tocsin", *arguments, "--name", name],
        cwd=folder,
        env={**os.environ, "TOCSIN_URL": server.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if "--follow" in arguments:
        _await_source(server, name, running)
        running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=120)
    assert running.returncode == 0, said
    assert f"Read {ROWS} rows; accepted {ROWS} " in said
    if "mlflow-traces" in command and "--outcomes" not in arguments:
        costs = server.get("/models/late/operations")
        assert sum(window["requests"] for window in costs) == ROWS
        assert costs[-1]["latency_s"]["p50"]["n"] > 0


def _await_source(server: Server, name: str, running: "subprocess.Popen[str]") -> None:
    while running.poll() is None:
        if any(name in found["source"] for found in server.get("/models/late/sources")):
            return
        time.sleep(0.05)


def test_the_page_names_every_option() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tocsin", "ingest", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    options = set(re.findall(r"--[a-z-]+", done.stdout)) - {"--help", "--topic"}
    assert {"--model", "--follow", "--lag"} <= options
    assert [option for option in options if option not in PAGE] == []
