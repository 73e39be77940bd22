"""Prints ratios, and writes them with `--json FILE`; `--quick` takes a tenth of the rows.

Absolute times drift with the machine: only the ratios of one run are worth comparing.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.engines import profile_predictions, reference_rows
from tocsin.profiles import Plan, Profile, plan_from_reference
from tocsin.schema import Feature, Kind, Schema, Task
from tocsin.service.measure import measure
from tocsin.service.register import reference_profile
from tocsin.values import HOUR

NUMBERS, CATEGORIES, DAYS = 14, 6, 30
START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
REPEATS = 3

SCHEMA = Schema(
    task=Task.BINARY,
    features=tuple(
        [Feature(f"x{i}", Kind.NUMERIC) for i in range(NUMBERS)]
        + [Feature(f"c{i}", Kind.CATEGORICAL) for i in range(CATEGORIES)]
    ),
    score="score",
    prediction=None,
    label="label",
)


@dataclass(frozen=True)
class Row:
    """One comparison; ratio = other_s / tocsin_s."""

    work: str
    rows: int
    tocsin_s: float
    other: str
    other_s: float
    ratio: float


def made(rows: int, seed: int) -> dict[str, pa.Array]:
    """Columns by feature name, with score and label."""
    rng = np.random.default_rng(seed)
    columns = {f"x{i}": pa.array(rng.normal(i, 1 + i / 10, rows)) for i in range(NUMBERS)}
    for i in range(CATEGORIES):
        levels = np.array([f"level-{j}" for j in range(5 + 10 * i)])
        codes = rng.zipf(1.5, rows) % len(levels)
        columns[f"c{i}"] = pa.DictionaryArray.from_arrays(
            codes.astype(np.int32), pa.array(levels)
        ).cast(pa.string())
    score = rng.beta(2, 5, rows)
    columns["score"] = pa.array(score)
    columns["label"] = pa.array((rng.random(rows) < score).astype(float))
    return columns


def predictions(rows: int, file: Path) -> None:
    """A lake file of `rows` predictions over 30 days."""
    columns = made(rows, seed=2)
    at = START + np.arange(rows, dtype=np.int64) * (DAYS * 24 * HOUR // rows)
    table = {f.column: columns[f.name] for f in SCHEMA.features}
    table |= {
        "timestamp": pa.array(at).cast(pa.timestamp("us", "UTC")),
        "model_version": pa.array(["1"] * rows),
        "score": columns["score"],
        "prediction": pa.array((columns["score"].to_numpy() >= 0.5).astype(np.int8)),
    }
    pq.write_table(pa.table(table), file)


def seconds(work: Callable[[], object]) -> float:
    """The median of some runs."""
    taken = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def profiling(plan: Plan, file: Path, rows: int) -> Row:
    """Hourly unlabelled profiles from a Parquet file, against merely reading it."""

    def profile() -> None:
        for batch in pq.ParquetFile(file).iter_batches(200_000):
            profile_predictions(plan, SCHEMA, pa.Table.from_batches([batch]), HOUR)

    ours = seconds(profile)
    other = seconds(lambda: pq.read_table(file, use_threads=False))
    name = "read of the same Parquet by pyarrow, 1 thread"
    return Row("hourly profile of 20 features", rows, ours, name, other, other / ours)


def evaluating(reference: Profile, file: Path, rows: int) -> Row:
    """All metrics and divergences of 720 windows, against the same with ten times the rows."""
    hours = profile_predictions(reference.plan, SCHEMA, pq.read_table(file), HOUR)
    few = Profile(reference.plan, np.stack([hours[key].vector for key in sorted(hours)]))
    many = Profile(reference.plan, few.vector * 10)
    ours = seconds(lambda: measure(reference, few, score_name="score"))
    other = seconds(lambda: measure(reference, many, score_name="score"))
    name = "the same windows with ten times the rows"
    return Row(f"evaluation of {len(hours)} windows", rows, ours, name, other, other / ours)


def main() -> None:
    """Run all comparisons."""
    options = argparse.ArgumentParser(prog="make bench")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    rows = 100_000 if chosen.quick else 1_000_000
    reference = pa.table(made(100_000, seed=1))
    kept, labels = reference_rows(SCHEMA, reference)
    plan = plan_from_reference(kept.scores, labels, kept.features, threshold=0.5)
    profile = reference_profile(SCHEMA, reference)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "predictions.parquet"
        predictions(rows, file)
        table = [profiling(plan, file, rows), evaluating(profile, file, rows)]
    for row in table:
        print(
            f"{row.work}, {row.rows:,} rows: {row.tocsin_s:.3f} s; "
            f"{row.other}: {row.other_s:.3f} s; ratio {row.ratio:.2f}"
        )
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([asdict(row) for row in table], indent=2) + "\n")


main()
