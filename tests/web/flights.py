"""A stream of flights as a test needs it: a reference, days of predictions, and one broken day."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

MODEL = "flight-delay"
BEGIN = datetime(2013, 5, 1, tzinfo=UTC)
DOCUMENT = {
    "version": "3",
    "schema": {
        "features": [
            {"name": "distance", "kind": "numeric"},
            {"name": "departure_minute", "kind": "numeric"},
            {"name": "temp", "kind": "numeric"},
            {"name": "wind_speed", "kind": "numeric"},
            {"name": "humidity", "kind": "numeric"},
            {"name": "carrier", "kind": "categorical"},
            {"name": "origin", "kind": "categorical"},
            {"name": "dest", "kind": "categorical"},
        ],
        "score": "probability_late",
        "label": "late",
    },
    "windows": ["1h", "24h", "7d"],
    "rules": [
        {"alert": "FeatureDrift", "expr": {"metric": "drift", "window": "1h"},
         "labels": {"category": "drift"}},
        {"alert": "AucLow", "expr": {"metric": "roc_auc", "window": "24h", "op": "<",
         "value": 0.6}, "labels": {"severity": "critical"}},
    ],
}  # fmt: skip
_CARRIERS = ("UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX", "FL", "AS", "F9")
_ORIGINS = ("EWR", "JFK", "LGA")
_DESTS = ("ATL", "ORD", "LAX", "BOS", "MCO", "CLT", "SFO", "FLL", "MIA", "DCA", "DTW", "DFW")


def rows(count, seed):
    """`count` flights by column, the score and the truth among them."""
    rng = np.random.default_rng(seed)
    carrier = rng.choice(_CARRIERS, count, p=_falling(len(_CARRIERS)))
    wind = rng.gamma(4, 2.6, count).round(1)
    minute = (300 + 1_080 * rng.beta(1.4, 1.2, count)).round()
    risk = -2.6 + 0.09 * wind + (minute - 700) / 420 + np.where(carrier == "EV", 0.7, 0.0)
    probability = 1 / (1 + np.exp(-risk))
    return {
        "distance": rng.choice([200, 500, 760, 1_020, 1_400, 2_475], count) + rng.normal(0, 40, count),
        "departure_minute": minute,
        "temp": rng.normal(62, 13, count).round(1),
        "wind_speed": wind,
        "humidity": (100 * rng.beta(4, 3, count)).round(1),
        "carrier": carrier,
        "origin": rng.choice(_ORIGINS, count),
        "dest": rng.choice(_DESTS, count, p=_falling(len(_DESTS))),
        "probability_late": probability.round(4),
        "late": (rng.random(count) < probability).astype(int),
    }  # fmt: skip


def reference(count=8_000, seed=1):
    """The rows that the model was trained on."""
    return pa.table(rows(count, seed))


def bodies(hours, *, first=0, per_hour=80, seed=2, labelled=0.97, broken=()):
    """(predictions, outcomes) as request bodies, one pair per hour from `BEGIN` + `first` hours.

    broken: the hours in which the distance is sent in kilometres.
    """
    for hour in range(first, first + hours):
        flights = rows(per_hour, seed * 10_000 + hour)
        rng = np.random.default_rng(hour)
        at = BEGIN + timedelta(hours=hour)
        predictions, outcomes = [], []
        for i in range(per_hour):
            moment = at + timedelta(seconds=3_600 * i / per_hour)
            inputs = {name: flights[name][i].item() for name in list(flights)[:8]}
            if hour in broken:
                inputs["distance"] *= 1.6
            identity = f"{seed}-{hour}-{i}"
            predictions.append(
                {
                    "prediction_id": identity,
                    "timestamp": moment.isoformat(),
                    "inputs": inputs,
                    "outputs": {"probability_late": flights["probability_late"][i].item()},
                }
            )
            if rng.random() < labelled:
                outcomes.append(
                    {
                        "prediction_id": identity,
                        "timestamp": (moment + timedelta(hours=2)).isoformat(),
                        "actual_outcome": flights["late"][i].item(),
                    }
                )
        yield json.dumps(predictions).encode(), json.dumps(outcomes).encode()


def fill(app, model=MODEL, *, hours=24 * 10, broken=None, **options):
    """Send hours of flights to a model through the services, and let the worker finish."""
    broken = range(hours - 3, hours) if broken is None else broken
    for predictions, outcomes in bodies(hours, broken=broken, **options):
        app.ingest.accept(model, "predictions", predictions)
        app.ingest.accept(model, "outcomes", outcomes)
    while app.worker.work():
        pass


def _falling(count):
    weights = 1 / np.arange(1, count + 1)
    return weights / weights.sum()
