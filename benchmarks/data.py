"""Predictions, outcomes and a reference, all from a seed, as Parquet files."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

NUMBERS = tuple(f"x{i}" for i in range(14))
CATEGORIES = tuple(f"c{i}" for i in range(6))
# In predictions, features are prefixed as in Tocsin's lake; in the reference they are not.
PREFIX = "input_"
TEXTS = ("model_version", *(PREFIX + name for name in CATEGORIES))
PREDICTION_COLUMNS = (
    *("prediction_id", "timestamp", "model_version", "score", "prediction"),
    *(PREFIX + name for name in (*NUMBERS, *CATEGORIES)),
)
DAYS = 30
HOUR = 3_600_000_000
SPAN = DAYS * 24 * HOUR
START = 1_767_225_600_000_000  # 2026-01-01 UTC in microseconds
REFERENCE_ROWS = 100_000
ROW_GROUP = 131_072
# No outcome comes later after its prediction.
HORIZON = 5 * 24 * HOUR

_LABELLED, _CORRECTED, _NULL = 0.9, 0.02, 0.01
_TIME = pa.timestamp("us", "UTC")
_ID_STEP = 11_400_714_819_323_198_485  # odd, so that its multiples modulo 2^64 never meet

Ints = NDArray[np.int64]
Labels = NDArray[np.int8]


@dataclass(frozen=True)
class Files:
    """Thirty days of a model: predictions by time, outcomes by the time at which they came."""

    rows: int
    predictions: Path
    outcomes: Path


def reference(folder: Path) -> Path:
    """A file of labelled rows from the thirty days before."""
    file = folder / "reference.parquet"
    at = START - SPAN + np.arange(REFERENCE_ROWS) * (SPAN // REFERENCE_ROWS)
    columns, labels = _rows(np.random.default_rng(0), REFERENCE_ROWS)
    _write(file, iter([{"timestamp": pa.array(at, _TIME), **columns, "label": pa.array(labels)}]))
    return file


def days(folder: Path, rows: int) -> Files:
    """Files of so many predictions and their outcomes, written a row group at a time."""
    files = Files(rows, folder / f"predictions-{rows}.parquet", folder / f"outcomes-{rows}.parquet")
    rng = np.random.default_rng(rows)
    at = START + np.arange(rows) * (SPAN // rows)
    labels: list[Labels] = []

    def predictions(first: int) -> dict[str, pa.Array]:
        part = slice(first, min(first + ROW_GROUP, rows))
        columns, truth = _rows(rng, part.stop - first, PREFIX)
        labels.append(truth)
        ids = _ids(np.arange(first, part.stop))
        versions = _text(np.zeros(len(truth), np.int32), ["1"])
        return {
            "prediction_id": ids,
            "timestamp": pa.array(at[part], _TIME),
            "model_version": versions,
            **columns,
        }

    _write(files.predictions, (predictions(first) for first in range(0, rows, ROW_GROUP)))
    of, told, label = _outcomes(rng, at, np.concatenate(labels))

    def outcomes(first: int) -> dict[str, pa.Array]:
        part = slice(first, first + ROW_GROUP)
        return {
            "prediction_id": _ids(of[part]),
            "timestamp": pa.array(told[part], _TIME),
            "label": pa.array(label[part]),
        }

    _write(files.outcomes, (outcomes(first) for first in range(0, len(of), ROW_GROUP)))
    return files


def _rows(rng: np.random.Generator, n: int, prefix: str = "") -> tuple[dict[str, pa.Array], Labels]:
    """Score, prediction and features of n rows, and their true labels."""
    score = rng.beta(2, 5, n)
    columns = {"score": pa.array(score), "prediction": pa.array((score >= 0.5).astype(np.int8))}
    for i, name in enumerate(NUMBERS):
        # Every seventh column has nulls.
        mask = rng.random(n) < _NULL if i % 7 == 0 else None
        columns[prefix + name] = pa.array(rng.normal(i, 1 + i / 10, n), mask=mask)
    for i, name in enumerate(CATEGORIES):
        levels = [f"{name}-level-{j}" for j in range(5 + 10 * i)]
        codes = (rng.zipf(1.5, n) % len(levels)).astype(np.int32)
        columns[prefix + name] = _text(codes, levels)
    return columns, (rng.random(n) < score).astype(np.int8)


def _outcomes(rng: np.random.Generator, at: Ints, labels: Labels) -> tuple[Ints, Ints, Labels]:
    """Which prediction each outcome is of, when it came, and its label."""
    of = np.flatnonzero(rng.random(len(at)) < _LABELLED)
    told = at[of] + np.minimum(rng.exponential(6 * HOUR, len(of)).astype(np.int64), HORIZON // 2)
    again = rng.random(len(of)) < _CORRECTED
    # The later outcome is the true one.
    first = np.where(again, 1 - labels[of], labels[of])
    later = told[again] + rng.integers(HOUR, HORIZON // 2, again.sum())
    of = np.concatenate([of, of[again]])
    told = np.concatenate([told, later])
    label = np.concatenate([first, labels[of[len(first) :]]]).astype(np.int8)
    order = np.argsort(told, kind="stable")
    return of[order], told[order], label[order]


def _ids(rows: Ints) -> pa.Array:
    """A text of up to 20 digits for each row, without order."""
    return pa.array(rows.astype(np.uint64) * np.uint64(_ID_STEP)).cast(pa.string())


def _text(codes: NDArray[np.int32], levels: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(codes, pa.array(levels)).cast(pa.string())


def _write(file: Path, groups: Iterator[dict[str, pa.Array]]) -> None:
    first = pa.table(next(groups))
    texts = [name for name in first.column_names if name in (*TEXTS, *CATEGORIES)]
    options = {"compression": "zstd", "use_dictionary": texts}
    with pq.ParquetWriter(file, first.schema, **options) as writer:
        for table in chain([first], map(pa.table, groups)):
            writer.write_table(table, row_group_size=ROW_GROUP)
