"""Rows over HTTP until they are durable, in each format; late outcomes; memory of the server."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tests.servers import free_port

from benchmarks import data, ours
from benchmarks.table import Bar, Row

BODY_ROWS, BODIES, QUICK_BODIES = 1_000, 200, 40
SINGLES, QUICK_SINGLES, CLIENTS = 20_000, 4_000, 64
# A machine that gives the plain server 850,000 rows a second is to give this many.
PLAIN = 850_000
BARS = {"records": 150_000, "columns": 250_000, "arrow": 500_000}
MEDIA = {
    "records": "application/json",
    "columns": "application/json",
    "arrow": "application/vnd.apache.arrow.stream",
}
LATE = 10_000
_START_S = 60.0


@dataclass
class Served:
    """A server and its address."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def peak_mb(self) -> int:
        """The most memory that it ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    def settled(self) -> None:
        """Wait until nothing waits to be folded."""
        while httpx2.get(f"{self.url}/api/v1/status").json()["waiting_rows"]:
            time.sleep(0.2)


@contextmanager
def served(*command: str, port: int, ready: str) -> Iterator[Served]:
    """A server in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", *command])
    found = Served(port, process)
    try:
        _await(found, ready)
        yield found
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def tocsin(folder: Path, reference: Path) -> Iterator[Served]:
    """Tocsin with the model of the benchmarks."""
    port = free_port()
    command = ("tocsin", "server", "--port", str(port), "--data", str(folder))
    with served(*command, port=port, ready="/health") as server:
        schema = {key: part for key, part in ours.SCHEMA.to_dict().items() if part}
        httpx2.put(
            f"{server.url}/api/v1/models/m",
            data={"monitor": json.dumps({"schema": schema})},
            files={"reference": reference.read_bytes()},
            timeout=60,
        ).raise_for_status()
        yield server


def formats(folder: Path, reference: Path, predictions: Path, *, quick: bool) -> Iterator[Row]:
    """Bodies of 1,000 rows in each format, and single rows of 64 clients."""
    n = (QUICK_BODIES if quick else BODIES) * BODY_ROWS
    every = _rows(predictions, n * len(BARS) + SINGLES)
    for number, name in enumerate(BARS):
        # New rows in each format: a repeat would not be stored again.
        _write_bodies(folder / name, every.slice(number * n, n), name)
    singles = every.slice(len(BARS) * n, QUICK_SINGLES if quick else SINGLES)
    _write_bodies(folder / "singles", singles, "records", size=1)
    port = free_port()
    with served("benchmarks.plain", str(port), port=port, ready="/") as plain:
        plain_s = _flood(plain, "records", folder / "records", 4)["seconds"]
    plain_rate = n / plain_s
    with tocsin(folder / "data", reference) as server:
        for name, rate in BARS.items():
            found = _flood(server, name, folder / name, 4)
            bar = Bar(least=round(rate / PLAIN, 2))
            other = f"only parsed as records, {plain_rate:,.0f}/s"
            yield Row(f"HTTP, {name}", n, found["seconds"], other, plain_s, bar)
        found = _flood(server, "records", folder / "singles", CLIENTS)
        n = singles.num_rows
        limit = Bar(least=0.0, within_s=n / 3_000)
        yield Row("HTTP, single rows", n, found["seconds"], "3,000 a second", n / 3_000, limit)
        p99 = Bar(least=0.0, within_s=0.05)
        yield Row("the same, p99 of one", 1, found["p99_s"], "bar", 0.05, p99)


def _rows(predictions: Path, most: int) -> pa.Table:
    """Predictions as clients have them: features under their own names."""
    groups = range(-(-most // data.ROW_GROUP))
    return _plain(pq.ParquetFile(predictions).read_row_groups(groups).slice(0, most))


def _plain(table: pa.Table) -> pa.Table:
    names = [name.removeprefix(data.PREFIX) for name in table.column_names]
    return table.rename_columns(names).drop_columns(["prediction"])


def _write_bodies(folder: Path, rows: pa.Table, name: str, *, size: int = BODY_ROWS) -> None:
    folder.mkdir(parents=True)
    for number, first in enumerate(range(0, rows.num_rows, size)):
        part = rows.slice(first, size)
        (folder / f"{number:06}").write_bytes(arrow(part) if name == "arrow" else _json(part, name))


def arrow(rows: pa.Table) -> bytes:
    """An Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())


def _json(rows: pa.Table, name: str) -> bytes:
    times = [moment.isoformat() for moment in rows["timestamp"].to_pylist()]
    columns = rows.to_pydict() | {"timestamp": times}
    inputs = [*data.NUMBERS, *data.CATEGORIES]
    if name == "columns":
        own = {key: columns[key] for key in ("prediction_id", "timestamp", "model_version")}
        parts = {
            "inputs": {key: columns[key] for key in inputs},
            "outputs": {"score": columns["score"]},
        }
        return json.dumps(own | parts).encode()
    records = [
        {
            **{key: columns[key][i] for key in ("prediction_id", "timestamp", "model_version")},
            "inputs": {key: columns[key][i] for key in inputs},
            "outputs": {"score": columns["score"][i]},
        }
        for i in range(rows.num_rows)
    ]
    return json.dumps(records if len(records) > 1 else records[0]).encode()


def _flood(server: Served, name: str, folder: Path, clients: int) -> dict[str, float]:
    path = "/api/v1/models/m/predictions"
    command = [sys.executable, "-m", "benchmarks.flood", str(server.port), path, MEDIA[name]]
    done = subprocess.run(
        [*command, str(folder), str(clients)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _await(server: Served, path: str) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            httpx2.get(server.url + path, timeout=5)
        except httpx2.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the server did not start on port {server.port}")


def many(folder: Path, reference: Path, files: data.Files) -> Iterator[Row]:
    """All rows through a server, its memory, and then late outcomes."""
    with tocsin(folder, reference) as server, httpx2.Client(timeout=120) as client:
        begin = time.perf_counter()
        for batch in pq.ParquetFile(files.predictions).iter_batches(20_000):
            body = arrow(_plain(pa.Table.from_batches([batch])))
            _post(client, server, "predictions", body)
        sent_s = time.perf_counter() - begin
        server.settled()
        folded_s = time.perf_counter() - begin
        other = f"{files.rows / sent_s:,.0f} rows/s durable, then folded"
        yield Row("end to end", files.rows, folded_s, other, sent_s)
        peak = server.peak_mb()
        yield Row("peak memory of the server, GB", files.rows, peak / 1e3, "bar", 0.8, Bar(least=1))
        late = _late(files)
        begin = time.perf_counter()
        _post(client, server, "outcomes", arrow(late))
        server.settled()
        late_s = time.perf_counter() - begin
        bar = Bar(least=0.0, within_s=2.0)
        yield Row("late outcomes over HTTP, seal age 1 s", LATE, late_s, "bar", 2.0, bar)
    yield from _folds(folder, files)


def _folds(folder: Path, files: data.Files) -> Iterator[Row]:
    """The folds of late outcomes alone, without the wait for a batch to be full."""
    from tocsin.app import opened
    from tocsin.service.decoding import Body
    from tocsin.settings import Settings

    spread = {"as they come": _coming(files), "spread over thirty days": _late(files, seed=1)}
    with opened(Settings(folder, "127.0.0.1", 1, "http://x", None)) as app:
        for how, late in spread.items():
            app.ingest.accept("m", "outcomes", Body(arrow(late)))
            begin = time.perf_counter()
            app.fold.fold("m")
            fold_s = time.perf_counter() - begin
            yield Row(f"fold of late outcomes, {how}", LATE, fold_s, "bar", 1.0, Bar(least=1))


def _coming(files: data.Files) -> pa.Table:
    """Outcomes that come one after the other: most of hours ago, some of days ago."""
    first = pq.ParquetFile(files.outcomes).metadata.num_rows // 2
    table = pq.read_table(files.outcomes).slice(first, LATE)
    return table.rename_columns(
        ["actual_outcome" if name == "label" else name for name in table.column_names]
    )


def _late(files: data.Files, *, seed: int = 0) -> pa.Table:
    """Outcomes of predictions of all thirty days."""
    rng = random.Random(seed)
    chosen = np.sort(rng.sample(range(files.rows), LATE))
    table = pq.read_table(files.predictions, columns=["prediction_id", "timestamp"]).take(chosen)
    label = pa.array(rng.choices((0, 1), k=LATE))
    return table.append_column("actual_outcome", label)


def _post(client: httpx2.Client, server: Served, kind: str, body: bytes) -> None:
    headers: dict[str, Any] = {"Content-Type": MEDIA["arrow"]}
    while True:
        answer = client.post(f"{server.url}/api/v1/models/m/{kind}", content=body, headers=headers)
        if answer.status_code != 503:
            break
        time.sleep(float(answer.headers["Retry-After"]))
    answer.raise_for_status()
    assert answer.json()["quarantined"] == 0, answer.text
