"""Rows of every task as the lake holds them, and the same rows as the pure core takes them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from tests.profiles.synthetic import category, numeric

from tocsin.profiles import Rows
from tocsin.schema import Feature, Kind, Ratio, Schema, Segment, Task
from tocsin.values import DAY, HOUR

START = datetime(2024, 2, 28, tzinfo=UTC)
ZERO = int(START.timestamp()) * 1_000_000
CLASSES = ("ash", "elm", "oak")
FEATURES = (
    Feature("amount", Kind.NUMERIC),
    Feature("net income", Kind.NUMERIC),
    Feature("city", Kind.CATEGORICAL),
    Feature("flag", Kind.BOOLEAN),
    Feature("since", Kind.DATETIME),
)
SEGMENTS = (Segment("place", column="city"), Segment("rich", where="`net income` > 10"))
MOMENTS = pa.timestamp("us", tz="UTC")


def schema_of(task: Task) -> Schema:
    """A schema of each task, with segments and a ratio."""
    fields: dict[Task, dict[str, Any]] = {
        Task.BINARY: {"score": "p", "ratios": (Ratio("cost", "label * amount"),)},
        Task.MULTICLASS: {
            "prediction": "tree",
            "classes": CLASSES,
            "scores": ("p ash", "p elm", "p oak"),
            "ratios": (Ratio("oaks", "prediction == 'oak'"),),
        },
        Task.REGRESSION: {
            "prediction": "price",
            "ratios": (Ratio("over", "prediction > label", "abs(label)"),),
        },
    }
    common: dict[str, Any] = {"score": None, "prediction": None, "label": "truth"}
    return Schema(
        **{**common, "task": task, "features": FEATURES, "segments": SEGMENTS, **fields[task]}
    )


@dataclass(frozen=True)
class Made:
    """The same rows twice: as a table of the lake, and as columns of NumPy."""

    schema: Schema
    table: pa.Table
    rows: Rows
    labels: np.ndarray
    delays: np.ndarray
    versions: list[str]
    timestamps: np.ndarray


def made(task: Task, n: int, seed: int = 0, *, versions: int = 2, days: int = 3) -> Made:
    """Random rows with nulls; numbers are quarters, so that float32 and decimals hold them."""
    rng = np.random.default_rng(seed)

    def holed(values: list[Any]) -> list[Any]:
        return [None if rng.random() < 0.1 else value for value in values]

    amount = holed(rng.integers(-5, 50, n).tolist())
    income = holed((rng.integers(0, 100, n) / 4).tolist())
    city = holed(rng.choice(["Rome", "Oslo", "Bern", "Nome"], n).tolist())
    flag = holed(rng.choice(["true", "false"], n).tolist())
    timestamps = ZERO + rng.integers(0, days * DAY, n)
    ages = rng.integers(0, 400, n) * HOUR
    since = holed((timestamps - ages).tolist())
    version = [f"v{i}" for i in rng.integers(0, versions, n)]
    delays = rng.integers(0, 5 * DAY, n)
    outputs, scores, predicted, labels, label_column = _outputs(task, n, rng)
    schema = schema_of(task)
    table = pa.table(
        {
            "prediction_id": [f"id{i}" for i in range(n)],
            "timestamp": pa.array(timestamps, MOMENTS),
            "model_version": version,
            **outputs,
            "input_amount": pa.array(amount, pa.float64()),
            "input_net_income": pa.array(income, pa.float64()),
            "input_city": pa.array(city, pa.string()),
            "input_flag": pa.array(flag, pa.string()),
            "input_since": pa.array(since, MOMENTS),
            "label": label_column,
            "outcome_timestamp": pa.array(timestamps + delays, MOMENTS),
        }
    )
    hours = [
        None if moment is None else (at - moment) / HOUR
        for moment, at in zip(since, timestamps.tolist(), strict=True)
    ]
    rows = Rows(
        scores,
        predicted.astype(np.int32),
        {
            "amount": numeric(amount),
            "net income": numeric(income),
            "city": category(city),
            "flag": category(flag),
            "since": numeric(hours),
        },
    )
    return Made(schema, table, rows, labels, delays, version, timestamps)


def _outputs(task: Task, n: int, rng: np.random.Generator) -> tuple[Any, ...]:
    """The columns of the outputs, scores, predicted, labels, and the column of labels."""
    if task is Task.BINARY:
        score = rng.random(n)
        score[rng.random(n) < 0.1] = np.nan
        said = np.where(np.isnan(score), rng.integers(0, 2, n), score >= 0.5)
        labels = rng.integers(0, 2, n)
        columns = {
            "score": pa.array(score, pa.float64(), from_pandas=True),
            "prediction": pa.array(said, pa.int8()),
        }
        return columns, score[:, None], said, labels.astype(float), pa.array(labels, pa.int8())
    if task is Task.MULTICLASS:
        scores = rng.dirichlet(np.ones(3), n)
        said = rng.integers(-1, 3, n)
        labels = rng.integers(0, 3, n)
        columns = {
            f"output_p_{name}": pa.array(scores[:, i], pa.float64())
            for i, name in enumerate(CLASSES)
        }
        columns["prediction"] = pa.array([None if i < 0 else CLASSES[i] for i in said], pa.string())
        # Where no class is given, the largest score decides.
        decided = np.where(said < 0, scores.argmax(1), said)
        text = pa.array([CLASSES[i] for i in labels], pa.string())
        return columns, scores, decided, labels.astype(float), text
    said, labels = rng.integers(0, 400, n) / 4, rng.integers(-4, 400, n) / 4
    columns = {"prediction": pa.array(said, pa.float64())}
    return columns, said[:, None], np.full(n, -1), labels, pa.array(labels, pa.float64())
