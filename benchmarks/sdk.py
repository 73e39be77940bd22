"""What logging costs the thread that serves, and how fast rows leave the process."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

import tocsin
from benchmarks.table import Bar, Row

CALLS, QUICK_CALLS = 50_000, 5_000
TABLE_ROWS, QUICK_TABLE_ROWS = 100_000, 10_000
LIMIT_S = 50e-6
NOWHERE = "http://127.0.0.1:9"  # the port is for discarding, and nobody listens there
INPUTS = {f"x{i}": i * 1.37 for i in range(14)} | {f"c{i}": f"level {i}" for i in range(6)}
OUTPUTS = {"probability": 0.31}


@dataclass(frozen=True)
class Calls:
    """Seconds of each call, and of writing its row as JSON right after it."""

    logged: list[float]
    written: list[float]

    def rows(self, work: str) -> Iterator[Row]:
        """The median and the 99th percentile, as the time of all calls."""
        number = len(self.logged)
        for name, share in (("median", 0.5), ("99th percentile", 0.99)):
            at = int(number * share)
            ours, other = sorted(self.logged)[at] * number, sorted(self.written)[at] * number
            bar = Bar(least=0.0, within_s=LIMIT_S * number)
            yield Row(f"{work}, {name}", number, ours, f"json.dumps of it, {name}", other, bar)


@contextmanager
def sink() -> Iterator[str]:
    """The address of a server that takes everything."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def calls(url: str, number: int) -> Calls:
    """Log predictions of 20 inputs without a pause."""
    logged, written = [], []
    row = {"inputs": INPUTS, "outputs": OUTPUTS}
    client = _client(url, number)
    try:
        for _ in range(number):
            begin = time.perf_counter()
            client.log_prediction(INPUTS, OUTPUTS)
            middle = time.perf_counter()
            json.dumps(row)
            logged.append(middle - begin)
            written.append(time.perf_counter() - middle)
    finally:
        client.close(0.0)
    return Calls(logged, written)


def frame(rows: int) -> pd.DataFrame:
    """Predictions of 20 inputs, and the column `probability`."""
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {
        name: [value] * rows if isinstance(value, str) else rng.normal(size=rows)
        for name, value in INPUTS.items()
    }
    return pd.DataFrame(columns | {"probability": rng.random(rows)})


def table(url: str, rows: Any) -> tuple[float, float]:
    """Seconds of the call alone, and until the server has all rows of a table."""
    client = _client(url, len(rows))
    begin = time.perf_counter()
    client.log_predictions(rows, outputs="probability")
    called = time.perf_counter()
    arrived = client.flush(600)
    end = time.perf_counter()
    client.close(0.0)
    assert arrived, client.stats
    return called - begin, end - begin


def comparisons(*, quick: bool) -> Iterator[Row]:
    """Calls with the server up and away, tables of two libraries."""
    number = QUICK_CALLS if quick else CALLS
    logging.getLogger("tocsin").setLevel(logging.ERROR)
    with sink() as url:
        yield from calls(url, number).rows("log_prediction")
        yield from calls(NOWHERE, number).rows("log_prediction, server away")
        predictions = frame(QUICK_TABLE_ROWS if quick else TABLE_ROWS)
        tables = {"pandas": predictions, "Arrow": pa.Table.from_pandas(predictions)}
        records: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "pandas": lambda: predictions.to_dict("records"),
            "Arrow": lambda: tables["Arrow"].to_pylist(),
        }
        for name, rows in tables.items():
            call_s, all_s = table(url, rows)
            begin = time.perf_counter()
            for record in records[name]():
                json.dumps(record)
            plain_s = time.perf_counter() - begin
            other = "json.dumps of its rows"
            yield Row(f"log_predictions, {name}, the call", len(rows), call_s, other, plain_s)
            yield Row(f"log_predictions, {name}, until sent", len(rows), all_s, other, plain_s)


def _client(url: str, rows: int) -> tocsin.Client:
    return tocsin.Client(url, model="m", model_version="3", max_queue=rows)
