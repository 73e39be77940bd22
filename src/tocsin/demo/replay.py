"""Time passes: flights are predicted when they are scheduled, and known when they have landed."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.client import Client
from tocsin.demo.flights import FEATURES, HOME
from tocsin.demo.model import SCORE, score

if TYPE_CHECKING:
    import pandas as pd

KILOMETRES = 1.609344
FAULTY = "distance"


@dataclass(frozen=True, eq=False)
class Day:
    """What happens on the feed from one moment to the next, in the order of time."""

    until: "pd.Timestamp"
    predictions: "pd.DataFrame"
    outcomes: "pd.DataFrame"


def with_fault(flights: "pd.DataFrame", start: "pd.Timestamp") -> "pd.DataFrame":
    """The flights as the feed reports them: from `start` on, distances are in kilometres."""
    faulty = flights["scheduled"] >= start
    return flights.assign(distance=flights[FAULTY].where(~faulty, flights[FAULTY] * KILOMETRES))


def steps(
    flights: "pd.DataFrame", first: "pd.Timestamp", last: "pd.Timestamp", fault: "pd.Timestamp"
) -> Iterator[Day]:
    """The feed from `first` to `last`: by days, on the morning of the fault by 5 minutes.

    The morning is in small steps so that what was known when can be told exactly.
    """
    import pandas as pd

    morning = fault + pd.Timedelta(hours=9)
    days = pd.date_range(first, last, freq="D", tz=HOME)
    times = days.union(pd.date_range(fault, morning, freq="5min"))
    known = flights[flights["landed"].notna() & flights["late"].notna()].sort_values("landed")
    for begin, end in pairwise(times):
        yield Day(
            until=end,
            predictions=_between(flights, "scheduled", begin, end),
            outcomes=_between(known, "landed", begin, end),
        )


def send(client: Client, model: Any, day: Day) -> None:
    """Score the step's flights and log them with the outcomes, mixed as time mixed them."""
    scheduled = day.predictions
    probabilities = score(model, scheduled) if len(scheduled) else np.empty(0)
    records = [
        (
            row["scheduled"],
            "prediction",
            {
                "prediction_id": row["flight_id"],
                "timestamp": row["scheduled"].to_pydatetime(),
                "inputs": {name: row[name] for name in FEATURES},
                "outputs": {SCORE: float(probability)},
            },
        )
        for row, probability in zip(scheduled.to_dict("records"), probabilities, strict=True)
    ] + [
        (
            row["landed"],
            "outcome",
            {
                "prediction_id": row["flight_id"],
                "timestamp": row["landed"].to_pydatetime(),
                "actual_outcome": int(row["late"]),
            },
        )
        for row in day.outcomes[["flight_id", "landed", "late"]].to_dict("records")
    ]
    # A step's rows by the hour: the order of time where it matters, in requests worth sending.
    records.sort(key=lambda record: (record[0].floor("h"), record[1] == "outcome", record[0]))
    run: list[dict[str, Any]] = []
    kind = "prediction"
    for _, next_kind, record in records:
        if next_kind != kind:
            _log(client, kind, run)
            run, kind = [], next_kind
        run.append(record)
    _log(client, kind, run)


def _log(client: Client, kind: str, records: list[dict[str, Any]]) -> None:
    if kind == "prediction":
        client.log_predictions(records)
    else:
        client.log_outcomes(records)


def _between(
    frame: "pd.DataFrame", column: str, begin: "pd.Timestamp", end: "pd.Timestamp"
) -> "pd.DataFrame":
    """Rows whose time is in [begin, end); the frame ascends by it."""
    at = frame[column].searchsorted([begin.tz_convert("UTC"), end.tz_convert("UTC")])
    return frame.iloc[at[0] : at[1]]
