"""Made-up predictions and outcomes of every task, and what an engine has to make of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.engines import Source, profile_joined, reference_rows
from tocsin.engines.columns import as_lake, lake_columns, lake_labels
from tocsin.profiles import Plan, Profile, ProfileKey, plan_from_reference
from tocsin.schema import Feature, Kind, Ratio, Schema, Segment, Task
from tocsin.values import DAY, HOUR

START = 1_767_225_600_000_000
HORIZON = 7 * DAY
GRANULARITY = HOUR

_FEATURES = (
    Feature("amount", Kind.NUMERIC),
    Feature("net worth", Kind.NUMERIC),
    Feature("country", Kind.CATEGORICAL),
    Feature("member", Kind.BOOLEAN),
    Feature("opened", Kind.DATETIME),
)
_SEGMENTS = (
    Segment("country", "country", protected=True),
    Segment("amount", "amount", cuts=(50.0, 100.0)),
    Segment("rich", where="`net worth` > 0 and country != 'FR'"),
)

SCHEMAS = {
    Task.BINARY: Schema(
        Task.BINARY, _FEATURES, "p", "said", "truth", positive="yes", negative="no",
        thresholds=(0.2,), segments=_SEGMENTS,
        ratios=(Ratio("lost", "amount * (label == 1 and prediction == 0)", "amount"),),
    ),
    Task.MULTICLASS: Schema(
        Task.MULTICLASS, _FEATURES, None, None, "truth", classes=("a", "b", "c"),
        scores=("p a", "p_b", "p_c"), segments=_SEGMENTS,
        ratios=(Ratio("missed", "label == 'a' and prediction != 'a'"),),
    ),
    Task.REGRESSION: Schema(
        Task.REGRESSION, _FEATURES, None, "said", "truth", segments=_SEGMENTS,
        ratios=(Ratio("mean amount", "amount"),),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A model's predictions and outcomes as tables of somebody's own."""

    schema: Schema
    predictions: pa.Table
    outcomes: pa.Table

    def source(self, folder: Path, *, files: int = 1, **more: Any) -> Source:
        """The tables as files of a few row groups."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = self.predictions.num_rows
        size = -(-rows // files)
        names = []
        for i in range(files):
            names.append(str(folder / f"predictions [{i}].parquet"))
            part = self.predictions.slice(i * size, size)
            pq.write_table(part, names[-1], row_group_size=max(1, size // 3))
        pq.write_table(self.outcomes, folder / "outcomes.parquet")
        outcomes = str(folder / "outcomes.parquet")
        return Source(**{"predictions": tuple(names), "outcomes": (outcomes,), "horizon": HORIZON,
                         **more})  # fmt: skip

    def plan(self) -> Plan:
        first = self.predictions.slice(0, 300)
        labels = _values(self.schema.task, 300, np.random.default_rng(9))
        found = reference_rows(self.schema, first.append_column("truth", pa.array(labels)))
        return plan_from_reference(self.schema, found.rows, found.labels)


def made(task: Task, rows: int = 1_000, seed: int = 0) -> Made:
    """Predictions over three days with nulls, repeats and odd values; outcomes of all sorts."""
    rng = np.random.default_rng([seed, rows])
    at = START + np.sort(rng.integers(0, 3 * DAY, rows))
    amount = rng.gamma(2, 50, rows)
    columns: dict[str, Any] = {
        "prediction_id": [f"id-{i}" for i in range(rows)],
        "timestamp": pa.array(at).cast(pa.timestamp("us", "UTC")),
        "model_version": rng.choice(["1", "2"], rows),
        "amount": pa.array(np.where(rng.random(rows) < 0.05, np.nan, amount), from_pandas=True),
        "net worth": pa.array(rng.normal(0, 1e12, rows).astype(np.float32)),
        "country": pa.array(
            np.where(rng.random(rows) < 0.05, None, rng.choice(["DE", "FR", "IT"], rows))
        ),
        "member": pa.array(rng.random(rows) < 0.5),
        "opened": pa.array(at - rng.integers(0, 400 * DAY, rows)).cast(pa.timestamp("us", "UTC")),
    }
    if task is Task.BINARY:
        columns["p"] = pa.array(
            np.where(rng.random(rows) < 0.02, np.nan, rng.random(rows)), from_pandas=True
        )
        columns["said"] = rng.choice(["yes", "no"], rows)
    elif task is Task.MULTICLASS:
        scores = rng.dirichlet([1, 1, 1], rows)
        columns |= dict(zip(("p a", "p_b", "p_c"), scores.T, strict=True))
    else:
        columns["said"] = rng.normal(1e9, 100, rows)
    predictions = pa.table(columns)
    # A repeat later on, with other values: it must not count.
    again = predictions.slice(0, rows // 20)
    later = pa.array(at[: rows // 20] + HOUR).cast(pa.timestamp("us", "UTC"))
    again = again.set_column(1, "timestamp", later)
    return Made(
        SCHEMAS[task],
        pa.concat_tables([predictions, again]),
        _outcomes(task, columns["prediction_id"], at, rng),
    )


def _outcomes(task: Task, ids: Sequence[str], at: np.ndarray, rng: np.random.Generator) -> pa.Table:
    """Outcomes of nine in ten; some twice, some too late, some too early, some of nobody."""
    parts = []
    for share, low, high in ((0.9, 0, 2 * DAY), (0.2, 0, 3 * DAY), (0.05, 8 * DAY, 9 * DAY),
                             (0.05, -3 * DAY, -2 * DAY)):  # fmt: skip
        chosen = np.flatnonzero(rng.random(len(ids)) < share)
        parts.append(
            pd.DataFrame(
                {
                    "prediction_id": [ids[i] for i in chosen],
                    "timestamp": at[chosen] + rng.integers(low, high, len(chosen)),
                    "truth": _values(task, len(chosen), rng),
                }
            )
        )
    parts.append(pd.DataFrame({"prediction_id": ["nobody"], "timestamp": [START],
                               "truth": _values(task, 1, rng)}))  # fmt: skip
    frame = pd.concat(parts).sample(frac=1, random_state=1)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return table.set_column(
        1, "timestamp", table["timestamp"].cast(pa.int64()).cast(pa.timestamp("us", "UTC"))
    ).rename_columns(["prediction_id", "timestamp", "label"])


def _values(task: Task, n: int, rng: np.random.Generator) -> np.ndarray:
    if task is Task.REGRESSION:
        return rng.normal(1e9, 100, n)
    return rng.choice(["yes", "no"] if task is Task.BINARY else ["a", "b", "c"], n)


def expected(made: Made, plan: Plan) -> dict[ProfileKey, Profile]:
    """What pandas joins, row by row, folded at once."""
    frame = made.predictions.select(["prediction_id", "timestamp"]).to_pandas()
    frame["row"] = np.arange(len(frame))
    first = frame.sort_values(["timestamp", "row"]).drop_duplicates("prediction_id")
    truths = made.outcomes.to_pandas().rename(columns={"timestamp": "told"})
    joined = first.merge(truths, on="prediction_id")
    apart = joined["told"] - joined["timestamp"]
    inside = (apart >= -pd.Timedelta("1D")) & (apart <= pd.Timedelta(HORIZON, "us"))
    latest = joined[inside].sort_values(["told", "label"]).drop_duplicates("row", keep="last")
    rows = first.merge(latest[["row", "label", "told"]], on="row", how="left").sort_values("row")
    table = made.predictions.take(pa.array(rows["row"].to_numpy()))
    source = Source((), (), HORIZON)
    lake = as_lake(made.schema, table, lake_columns(source, made.schema, table.column_names))
    labels = pa.array(rows["label"].to_numpy(), from_pandas=True)
    lake = lake.append_column("label", lake_labels(made.schema, labels))
    told = pa.array(rows["told"].to_list(), pa.timestamp("us", "UTC"), from_pandas=True)
    return profile_joined(
        plan, made.schema, lake.append_column("outcome_timestamp", told), GRANULARITY
    )


def assert_same(found: dict[ProfileKey, Profile], wanted: dict[ProfileKey, Profile]) -> None:
    """Counts bit for bit, sums to 1e-9 of what was summed up."""
    assert found.keys() == wanted.keys()
    for key, profile in wanted.items():
        vector = found[key].vector
        whole = (profile.vector == np.round(profile.vector)) & (np.abs(profile.vector) < 1e9)
        assert (vector[whole] == profile.vector[whole]).all(), key
        assert np.allclose(vector, profile.vector, rtol=1e-9, atol=1e-6), key
