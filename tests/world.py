"""A small made-up model, `late`, and the feed of its predictions and outcomes."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.app import App
from tocsin.profiles import ProfileKey
from tocsin.records import models, profiles
from tocsin.service.ingest import Receipt

START = datetime(2013, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
CARRIERS = ("AA", "B6", "UA")


def monitor_document(**changes: Any) -> dict[str, Any]:
    return {
        "schema": {
            "features": [
                {"name": "distance", "kind": "numeric"},
                {"name": "carrier", "kind": "categorical"},
            ],
            "score": "p",
            "label": "late",
        },
        **changes,
    }


@dataclass(frozen=True)
class Flights:
    """Columns of made-up flights."""

    distance: np.ndarray[Any, Any]
    carrier: np.ndarray[Any, Any]
    score: np.ndarray[Any, Any]
    late: np.ndarray[Any, Any]


def flights(n: int, seed: int) -> Flights:
    rng = np.random.default_rng(seed)
    distance = rng.normal(1000, 300, n).round(1)
    carrier = rng.choice(CARRIERS, n, p=[0.5, 0.3, 0.2])
    score = 1 / (1 + np.exp(-((distance - 1000) / 300 + (carrier == "AA") - 0.5)))
    return Flights(distance, carrier, score.round(6), (rng.random(n) < score).astype(int))


def reference(n: int = 5_000) -> pa.Table:
    made = flights(n, seed=1)
    return pa.table(
        {"distance": made.distance, "carrier": made.carrier, "p": made.score, "late": made.late}
    )


def prediction(
    prediction_id: str,
    *,
    timestamp: datetime = START,
    distance: Any = 1000.0,
    carrier: Any = "AA",
    p: Any = 0.5,
    **more: Any,
) -> dict[str, Any]:
    return {
        "prediction_id": prediction_id,
        "timestamp": timestamp.isoformat(),
        "inputs": {"distance": distance, "carrier": carrier},
        "outputs": {"p": p},
        **more,
    }


def outcome(prediction_id: str, label: Any, *, timestamp: datetime = START) -> dict[str, Any]:
    return {
        "prediction_id": prediction_id,
        "timestamp": timestamp.isoformat(),
        "actual_outcome": label,
    }


@dataclass
class Feed:
    """Sends rows into an application and lets it work."""

    app: App
    model: str
    sent: int = field(default=0)

    def predictions(self, *records: dict[str, Any]) -> Receipt:
        return self.app.ingest.accept(self.model, "predictions", json.dumps(records).encode())

    def outcomes(self, *records: dict[str, Any]) -> Receipt:
        return self.app.ingest.accept(self.model, "outcomes", json.dumps(records).encode())

    def work(self) -> None:
        while self.app.worker.work():
            pass

    def hours(
        self,
        first: int,
        last: int,
        *,
        rows: int = 80,
        distance_factor: float = 1.0,
        flip_labels: bool = False,
        labelled: bool = True,
    ) -> None:
        """Flights of the hours [first, last) since START, with outcomes two hours later."""
        for hour in range(first, last):
            made = flights(rows, seed=1_000 + hour)
            times = [START + HOUR * hour + HOUR * i / rows for i in range(rows)]
            ids = [f"h{hour}-{i}" for i in range(rows)]
            self.predictions(
                *(
                    prediction(
                        ids[i],
                        timestamp=times[i],
                        distance=float(made.distance[i] * distance_factor),
                        carrier=str(made.carrier[i]),
                        p=float(made.score[i]),
                    )
                    for i in range(rows)
                )
            )
            if labelled:
                self.outcomes(
                    *(
                        outcome(
                            ids[i],
                            int(made.late[i]) ^ int(flip_labels),
                            timestamp=times[i] + 2 * HOUR,
                        )
                        for i in range(rows)
                    )
                )
            self.sent += rows

    def profiles(self) -> dict[ProfileKey, np.ndarray[Any, Any]]:
        """All stored profiles of all rows by their key, those of nothing left out."""
        with self.app.records.read() as connection:
            record = models.model_named(connection, self.model)
            found = profiles.stored(connection, record.id, record.plan, 0, 2**62)
            return {key: p.vector for key, p in found if np.any(np.abs(p.vector) > 1e-9)}

    def total(self, name: str) -> float:
        """A total over all stored profiles."""
        with self.app.records.read() as connection:
            record = models.model_named(connection, self.model)
            found = profiles.stored(connection, record.id, record.plan, 0, 2**62)
            return sum(float(p.total(name)) for _, p in found)
