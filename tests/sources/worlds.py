"""Places where rows lie, to which a test can add some and of which it can make a source."""

import csv
import gzip
import io
import json
import time
from abc import abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from deltalake import write_deltalake
from tests.sources.broker import Broker

from tocsin.sources import Batch, Options, Source, opened
from tocsin.sources.files import FileSource

BATCH = 7
START = datetime(2024, 3, 1, tzinfo=UTC)
_serial = count()


def row(n: int) -> dict[str, Any]:
    """Rows by the four have the same time."""
    moment = START + timedelta(minutes=n // 4)
    return {"n": n, "at": moment.isoformat(), "word": f"w{n % 3}"}


def going_on(_: float) -> bool:
    return True


def source(what: str, **options: Any) -> Source:
    chosen = Options(**{"batch_rows": BATCH, **options})
    return opened(what, None, chosen, say=lambda _: None, wait=going_on)


def numbers(batch: Batch) -> list[int]:
    """Which rows a batch has."""
    rows = batch.rows.to_pylist() if isinstance(batch.rows, pa.Table) else batch.rows
    return [int(one["n"] if "n" in one else one["actual_outcome"]) for one in rows]


class World(Protocol):
    @abstractmethod
    def add(self, first: int, last: int) -> None: ...

    @abstractmethod
    def source(self) -> Source: ...


def hours_later() -> float:
    """A clock by which no file is being written to."""
    return time.time() + 36_000


def files(path: Path) -> Source:
    return FileSource(
        path, "made", batch_rows=BATCH, say=lambda _: None, wait=going_on, clock_s=hours_later
    )


def parquet_of(first: int, last: int) -> pa.Table:
    return pa.Table.from_pylist([row(n) for n in range(first, last)])


def write_parquet(path: Path, first: int, last: int) -> None:
    pq.write_table(parquet_of(first, last), path, row_group_size=5)


def csv_text(first: int, last: int) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, row(0), lineterminator="\n")
    writer.writeheader()
    for n in range(first, last):
        # A line within quotes.
        writer.writerow({**row(n), "word": f"two\nlines, {n}"})
    return text.getvalue()


def json_text(first: int, last: int) -> str:
    return "".join(json.dumps(row(n)) + "\n" for n in range(first, last))


class Folder(World):
    """Every addition is a file."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self.folder = folder
        self._suffix = suffix
        self._files = 0

    def add(self, first: int, last: int) -> None:
        path = self.folder / f"part-{self._files:03}{self._suffix}"
        self._files += 1
        if self._suffix == ".parquet":
            write_parquet(path, first, last)
        else:
            text = csv_text if ".csv" in self._suffix else json_text
            content = text(first, last).encode()
            path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)

    def source(self) -> Source:
        return files(self.folder)


class Growing(World):
    """One file, to which lines are appended."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self._path = folder / f"rows{suffix}"
        self._path.touch()

    def add(self, first: int, last: int) -> None:
        text = json_text(first, last)
        if ".csv" in self._path.name:
            header, _, lines = csv_text(first, last).partition("\n")
            text = lines if self._path.stat().st_size else f"{header}\n{lines}"
        content = text.encode()
        with self._path.open("ab") as file:
            file.write(gzip.compress(content) if self._path.suffix == ".gz" else content)

    def source(self) -> Source:
        return files(self._path)


class Delta(World):
    def __init__(self, folder: Path, partition_by: list[str] | None) -> None:
        self.path = folder / "table"
        self._partition_by = partition_by
        empty = parquet_of(0, 1).slice(0, 0)
        write_deltalake(self.path, empty, partition_by=partition_by)

    def add(self, first: int, last: int) -> None:
        if first < last:
            rows = parquet_of(first, last)
            write_deltalake(self.path, rows, mode="append", partition_by=self._partition_by)

    def source(self) -> Source:
        return source(str(self.path))


class Database(World):
    """A table with a serial `id`, and times that several rows share."""

    def __init__(self, url: str, cursor: str) -> None:
        self._url = url
        self._cursor = cursor
        self.name = f"rows_{next(_serial)}"
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)
        self.table = sa.Table(
            self.name,
            sa.MetaData(),
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("n", sa.Integer),
            sa.Column("at", sa.DateTime(timezone=True)),
            sa.Column("word", sa.String),
        )
        self.table.create(self.engine)

    def add(self, first: int, last: int) -> None:
        rows = [
            {**row(n), "id": n + 1, "at": datetime.fromisoformat(row(n)["at"])}
            for n in range(first, last)
        ]
        if rows:
            with self.engine.begin() as connection:
                connection.execute(self.table.insert(), rows)

    def source(self) -> Source:
        return source(self._url, table=self.name, cursor=self._cursor)


class Topic(World):
    """Three partitions; now and then a message is a list."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.name = f"rows-{next(_serial)}"
        broker.create(self.name, 3)

    def add(self, first: int, last: int) -> None:
        messages: list[tuple[int, Any]] = [(n % 3, row(n)) for n in range(first, last - 1)]
        if first < last:
            messages.append((0, [row(last - 1)]))
        self._broker.send(self.name, messages)

    def source(self) -> Source:
        return source(f"kafka://{self._broker.address}/{self.name}")


class Traces(World):
    """Traces of an experiment, on the server that MLflow's own functions ask."""

    def __init__(self, uri: str) -> None:
        import mlflow

        self.uri = uri
        self.name = f"served {next(_serial)}"
        self.mlflow = mlflow
        self._client = mlflow.MlflowClient()
        self._experiment = self._client.create_experiment(self.name)

    def add(self, first: int, last: int) -> None:
        for n in range(first, last):
            self.trace({"word": row(n)["word"], "n": n}, {"p": 0.5})
        self.mlflow.flush_trace_async_logging()

    def trace(
        self,
        inputs: Any,
        outputs: Any,
        *,
        status: str = "OK",
        start: datetime | None = None,
        **tags: str,
    ) -> str:
        began = None if start is None else int(start.timestamp() * 1000) * 1_000_000
        root = self._client.start_trace(
            "predict",
            inputs=inputs,
            experiment_id=self._experiment,
            tags=tags,
            start_time_ns=began,
        )
        self._client.end_trace(root.trace_id, outputs=outputs, status=status, end_time_ns=began)
        return str(root.trace_id)

    def source(self) -> Source:
        return self.opened()

    def opened(self, **options: Any) -> Source:
        return source(f"mlflow-traces:{self.name}", tracking_uri=self.uri, **options)


class Assessments(Traces):
    """Expectations of traces."""

    def add(self, first: int, last: int) -> None:
        trace_id = self.trace({}, {})
        self.mlflow.flush_trace_async_logging()
        for n in range(first, last):
            self.mlflow.log_expectation(trace_id=trace_id, name="late", value=n)

    def source(self) -> Source:
        return self.opened(outcomes=True)


def sqlite(folder: Path) -> str:
    path = folder / f"rows-{next(_serial)}.db"
    path.touch()
    return f"sqlite:///{path}"


WORLDS: dict[str, Callable[[Path, Any], World]] = {
    **{
        f"folder of {suffix}": lambda folder, _, suffix=suffix: Folder(folder, suffix)
        for suffix in (".parquet", ".csv", ".csv.gz", ".jsonl", ".ndjson.gz")
    },
    **{
        f"growing {suffix}": lambda folder, _, suffix=suffix: Growing(folder, suffix)
        for suffix in (".csv", ".ndjson", ".jsonl.gz")
    },
    "delta": lambda folder, _: Delta(folder, None),
    "delta by partition": lambda folder, _: Delta(folder, ["word"]),
    "sqlite by id": lambda folder, _: Database(sqlite(folder), "id"),
    "sqlite by time": lambda folder, _: Database(sqlite(folder), "at"),
    "postgres by id": lambda _, ask: Database(ask("postgres_url"), "id"),
    "postgres by time": lambda _, ask: Database(ask("postgres_url"), "at"),
    "traces": lambda _, ask: Traces(ask("mlflow_uri")),
    "assessments": lambda _, ask: Assessments(ask("mlflow_uri")),
    "kafka": lambda _, ask: Topic(ask("broker")),
}
