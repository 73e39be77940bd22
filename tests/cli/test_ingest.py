"""`tocsin ingest` as people use it: what it says, when it waits, how it ends."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from tests.servers import Server, free_port
from tests.world import HOUR, START, Feed, flights, monitor_document, outcome, prediction, reference

from tocsin.app import opened
from tocsin.settings import Settings

ROWS = 300


_serial = count()


class Place:
    """A model of a server, and a folder for rows."""

    def __init__(self, folder: Path, server: Server, model: str = "late") -> None:
        self.folder = folder
        self.server = server
        self.model = model

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tocsin", "ingest", *arguments, "--model", self.model],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "COLUMNS": "200", "TOCSIN_URL": self.server.url, **environment},
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, list[str]]:
        """The exit code and the lines."""
        running = self.start(*arguments, **environment)
        said, _ = running.communicate(timeout=120)
        return running.returncode, said.splitlines()

    def counts(self) -> dict[str, Any]:
        self.server.caught_up()
        return dict(self.server.get(f"/models/{self.model}/summary"))

    def await_rows(self, rows: int) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            counts = self.server.get(f"/models/{self.model}/summary")
            if counts.get("predictions", 0) >= rows:
                return
            time.sleep(0.01)
        raise AssertionError(counts)

    @contextmanager
    def feeds(self, *models: str) -> Iterator[list[Feed]]:
        """What the server counted, while it is stopped."""
        self.server.caught_up()
        self.server.stop()
        where = Settings(self.server.folder, "127.0.0.1", 1, "http://tocsin.test", None)
        with opened(where) as app:
            yield [Feed(app, model) for model in models]
        self.server.start()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data")) as running:
        yield running


def added(server: Server, **monitor: Any) -> str:
    """A new model of the server."""
    name = f"late-{next(_serial)}"
    sink = io.BytesIO()
    pq.write_table(reference(1_000), sink)
    answer = httpx2.put(
        f"{server.url}/api/v1/models/{name}",
        data={"monitor": json.dumps(monitor_document(**monitor))},
        files={"reference": sink.getvalue()},
        timeout=60,
    )
    assert answer.status_code == 201, answer.text
    return name


@pytest.fixture
def place(tmp_path: Path, server: Server) -> Place:
    return Place(tmp_path, server, added(server))


def scored(n: int = ROWS) -> pa.Table:
    made = flights(n, seed=3)
    times = [START + HOUR * i / 40 for i in range(n)]
    return pa.table(
        {
            "flight": [f"f{i}" for i in range(n)],
            "timestamp": pa.array(times, pa.timestamp("us", tz="UTC")),
            "distance": made.distance,
            "carrier": made.carrier,
            "p": made.score,
            "late": [int(label) if i % 3 else None for i, label in enumerate(made.late)],
        }
    )


def test_predictions_then_outcomes_of_one_file_are_joined(place: Place) -> None:
    pq.write_table(scored(), place.folder / "scored.parquet")
    ids = ("--column", "prediction_id=flight")
    assert place.run("scored.parquet", *ids) == (0, ["Read 300 rows; accepted 300 predictions."])
    assert place.run("scored.parquet", *ids, "--outcomes") == (
        0,
        [
            "Read 300 rows; accepted 200 outcomes.",
            "100 rows have no outcome yet and were left out.",
        ],
    )
    assert place.run("scored.parquet", *ids) == (0, ["There is nothing new."])
    counts = place.counts()
    assert (counts["predictions"], counts["joined"]) == (300, 200)


def test_a_csv_gives_the_same_profiles_as_a_parquet_file(place: Place) -> None:
    other = Place(place.folder, place.server, added(place.server))
    pq.write_table(scored(), place.folder / "scored.parquet")
    pyarrow.csv.write_csv(scored(), place.folder / "scored.csv")
    assert place.run("scored.parquet")[0] == 0
    assert other.run("scored.csv")[0] == 0
    with place.feeds(place.model, other.model) as (parquet, text):
        wanted, found = parquet.profiles(), text.profiles()
        assert parquet.total("n") == ROWS
    assert wanted.keys() == found.keys()
    for key, vector in wanted.items():
        assert found[key] == pytest.approx(vector, rel=1e-9)


def test_rows_that_repeat_an_id_are_said(place: Place) -> None:
    pq.write_table(scored(), place.folder / "scored.parquet")
    ids = ("--column", "prediction_id=flight")
    place.run("scored.parquet", *ids)
    place.counts()
    code, said = place.run("scored.parquet", *ids, "--name", "again")
    assert (code, said[1]) == (0, "300 rows repeat an id and were not counted again.")


def test_rows_that_do_not_fit_are_said_with_their_reasons(place: Place) -> None:
    rows = [prediction("a"), prediction("b", p=3), "what", prediction("d", distance="far")]
    lines = [json.dumps(row) for row in rows] + ["{broken"]
    (place.folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    code, said = place.run("rows.jsonl")
    assert (code, said[:2]) == (
        0,
        [
            "Read 5 rows; accepted 1 predictions.",
            "4 rows do not fit and are in quarantine, such as:",
        ],
    )
    assert "  outputs.p: 3.0 is not a probability in [0, 1]" in said
    assert place.counts()["quarantined"] == 4


def test_a_refusal_is_one_sentence_and_no_success(place: Place) -> None:
    pq.write_table(scored().drop(["timestamp"]), place.folder / "scored.parquet")
    code, said = place.run("scored.parquet")
    assert code == 1
    assert said[-1].startswith("tocsin: there is no column 'timestamp'; name the one that it is")

    place.folder.joinpath("rows.csv").write_text("timestamp,p\n2024-03-01T12:00:00Z,1\n")
    code, said = place.run("rows.csv", "--column", "when=timestamp")
    assert (code, "has no 'when'" in said[-1]) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no file or folder"),
        (["data.db", "--table", "t"], "--table is for databases"),
        (["data.db", "--topic", "t"], "--topic is for Kafka"),
        (["x.csv", "--column", "timestamp"], "has to be NAME=COLUMN"),
        (["x.csv", "--timezone", "Mars/Base"], "--timezone 'Mars/Base' is not known"),
        (["x.csv", "--every", "3s"], "--every needs --follow"),
        (["x.csv", "--follow", "--every", "soon"], "'soon' is not a duration"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_a_server_is_asked(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    code, said = Place(tmp_path, Server(tmp_path)).run(*arguments)
    assert (code, len(said)) == (1, 1)
    assert message in said[0]


def test_an_interrupted_import_goes_on_where_it_was(place: Place) -> None:
    pq.write_table(scored(4_000), place.folder / "scored.parquet")
    running = place.start("scored.parquet", "--batch-rows", "10")
    place.await_rows(100)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "Ended as asked; the same command goes on from here." in said
    assert 100 <= place.counts()["predictions"] < 4_000
    assert place.run("scored.parquet")[0] == 0
    counts = place.counts()
    assert (counts["predictions"], counts.get("repeated", 0)) == (4_000, 0)


def test_a_followed_file_is_read_as_it_grows(place: Place) -> None:
    path = place.folder / "log.jsonl"
    path.touch()
    running = place.start("log.jsonl", "--follow", "--every", "1s")
    for part in range(3):
        with path.open("a") as log:
            for i in range(5):
                log.write(json.dumps(prediction(f"{part}-{i}")) + "\n")
        place.await_rows(5 * part + 5)
    running.terminate()
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "Read 15 rows; accepted 15 predictions." in said


def test_a_server_that_is_away_is_waited_for(place: Place) -> None:
    pq.write_table(scored(), place.folder / "scored.parquet")
    place.server.stop()
    running = place.start("scored.parquet")
    assert running.stdout is not None
    assert "does not answer" in running.stdout.readline()
    place.server.start()
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert said.splitlines()[0] == f"{place.server.url} answers again"
    assert place.counts()["predictions"] == ROWS


def test_passwords_are_neither_said_nor_stored(place: Place) -> None:
    address = f"postgresql+psycopg://me:hush@127.0.0.1:{free_port()}/shop"
    code, said = place.run(address, "--table", "t", "--cursor", "id")
    assert code == 1
    assert "hush" not in "\n".join(said)
    assert "postgresql+psycopg://127.0.0.1:" in said[-1]


def test_outcomes_of_a_database_are_corrected_by_later_rows(place: Place) -> None:
    rows = [prediction(f"f{i}", timestamp=START + HOUR * i) for i in range(20)]
    (place.folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    place.run("rows.jsonl")
    url = f"sqlite:///{place.folder / 'labels.db'}"
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE labels (id INTEGER PRIMARY KEY, flight TEXT, late INT, updated_at TEXT)"
        )
        for i in range(20):
            said = outcome(f"f{i}", 0, timestamp=START + HOUR * (i + 1))
            connection.exec_driver_sql(
                "INSERT INTO labels VALUES (?, ?, 0, ?)", (i, f"f{i}", said["timestamp"])
            )
    columns = ("--column", "prediction_id=flight", "--column", "outcome_timestamp=updated_at")
    how = (url, "--table", "labels", "--cursor", "updated_at", "--outcomes", *columns)
    assert place.run(*how)[0] == 0
    later = (START + HOUR * 100).isoformat()
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE labels SET late = 1, updated_at = ? WHERE id < 5", (later,)
        )
    assert place.run(*how) == (0, ["Read 5 rows; accepted 5 outcomes."])
    with place.feeds(place.model) as (feed,):
        assert (feed.total("labelled"), feed.total("label")) == (20, 5)


def test_a_cursor_that_the_monitor_hides_is_not_kept_as_a_position(place: Place) -> None:
    private = Place(
        place.folder, place.server, added(place.server, privacy={"hash": ["prediction_id"]})
    )
    engine = sa.create_engine(f"sqlite:///{place.folder / 'rows.db'}", poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE scored (id INTEGER PRIMARY KEY, prediction_id TEXT, timestamp TEXT, "
            "distance REAL, carrier TEXT, p REAL)"
        )
        connection.exec_driver_sql(
            "INSERT INTO scored VALUES (1, 'me@home', '2013-05-01T00:00:00Z', 1, 'AA', 0.5)"
        )
    how = (str(engine.url), "--table", "scored", "--cursor")
    code, said = private.run(*how, "prediction_id")
    assert (code, "as a value of 'prediction_id', which its `privacy` hashes" in said[-1]) == (
        1,
        True,
    )
    assert private.server.get(f"/models/{private.model}/sources") == []
    assert private.run(*how, "id")[0] == 0
    (source,) = private.server.get(f"/models/{private.model}/sources")
    assert "me@home" not in source["position"]
    log = (place.server.folder / "server.log").read_text()
    assert "position" not in log.lower()


def test_a_name_of_ones_own_is_what_the_server_knows(place: Place) -> None:
    pq.write_table(scored(), place.folder / "scored.parquet")
    place.run("scored.parquet", "--name", "nightly")
    (found,) = place.server.get(f"/models/{place.model}/sources")
    assert found["source"] == "predictions:nightly"


def test_kafka_that_is_not_installed_is_said_with_the_remedy(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "confluent_kafka"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'confluent_kafka'\", name='confluent_kafka')"
    )
    path = os.pathsep.join([str(hidden.parent), os.environ.get("PYTHONPATH", "")])
    place = Place(tmp_path, Server(tmp_path))
    code, said = place.run("kafka://127.0.0.1:1/x", PYTHONPATH=path)
    assert (code, said) == (
        1,
        ["tocsin: Kafka needs confluent_kafka; install it with pip install 'tocsin[kafka]'"],
    )
