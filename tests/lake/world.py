"""A lake of one model, and rows for it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.lake import Folder, Lake, ModelLake, Table, folder_at
from tocsin.schema import Feature, Kind, Schema, Task

DAY_1 = datetime(2024, 2, 27, tzinfo=UTC)
SCHEMA = Schema(
    task=Task.BINARY,
    features=(
        Feature("amount", Kind.NUMERIC),
        Feature("city", Kind.CATEGORICAL),
        Feature("since", Kind.DATETIME),
    ),
    score="p",
    prediction=None,
    label="truth",
)


def lake_in(place: Path | Folder, schema: Schema = SCHEMA) -> ModelLake:
    folder = place if isinstance(place, Folder) else folder_at(str(place), {})
    return Lake(folder).model(1, "a model", schema)


def folder_of(place: Path) -> Path:
    return place / "a-model-1"


def predictions(lake: ModelLake, *ids: str, day: int = 0, offset: int = 1, **more: Any) -> pa.Table:
    """Rows with some ids, on one day."""
    n = len(ids)
    columns = {
        "prediction_id": list(ids),
        "timestamp": [DAY_1 + timedelta(days=day, seconds=i % 86_400) for i in range(n)],
        "model_version": ["1"] * n,
        "score": np.linspace(0, 1, n),
        "prediction": [0] * n,
        "input_amount": np.arange(n) * 1.5,
        "input_city": ["Rome", "Oslo"] * (n // 2) + ["Bern"] * (n % 2),
        "input_since": [DAY_1] * n,
        "extra": [None] * n,
        "inbox_offset": [offset] * n,
        **more,
    }
    return pa.table([columns[f.name] for f in lake.schema(Table.PREDICTIONS)],
                    schema=lake.schema(Table.PREDICTIONS))  # fmt: skip


def outcomes(lake: ModelLake, *ids: str, day: int = 0, offset: int = 1) -> pa.Table:
    n = len(ids)
    places = list(range(n))
    columns = [list(ids), [DAY_1 + timedelta(days=day)] * n, [1] * n, [offset] * n, places]
    return pa.table(columns, schema=lake.schema(Table.OUTCOMES))


def ids_in(lake: ModelLake, *, until: int = 2**62) -> list[str]:
    days = [rows for _, rows in lake.scan_predictions(until=until)]
    return sorted(i for rows in days for i in rows["prediction_id"].to_pylist())
