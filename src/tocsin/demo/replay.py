"""Time passes: flights are predicted when they are scheduled, and known when they have landed."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tocsin.client import Client
from tocsin.demo.flights import FEATURES, HOME
from tocsin.demo.model import SCORE, score

if TYPE_CHECKING:
    import pandas as pd

KILOMETRES = 1.609344
FAULTY = "distance"


@dataclass(frozen=True, eq=False)
class Step:
    """What happens on the feed until a moment, since the step before."""

    until: "pd.Timestamp"
    predictions: "pd.DataFrame"
    outcomes: "pd.DataFrame"


def with_fault(flights: "pd.DataFrame", start: "pd.Timestamp") -> "pd.DataFrame":
    """The flights as the feed reports them: from `start` on, distances are in kilometres."""
    faulty = flights["scheduled"] >= start
    return flights.assign(distance=flights[FAULTY].where(~faulty, flights[FAULTY] * KILOMETRES))


def steps(
    flights: "pd.DataFrame", first: "pd.Timestamp", last: "pd.Timestamp", fault: "pd.Timestamp"
) -> Iterator[Step]:
    """The feed from `first` to `last`: by days, on the morning of the fault by 5 minutes.

    The morning is in small steps so that what was known when can be told exactly.
    """
    import pandas as pd

    morning = fault + pd.Timedelta(hours=9)
    days = pd.date_range(first, last, freq="D", tz=HOME)
    times = days.union(pd.date_range(fault, morning, freq="5min"))
    known = flights[flights["landed"].notna() & flights["late"].notna()].sort_values("landed")
    for begin, end in pairwise(times):
        yield Step(
            until=end,
            predictions=_between(flights, "scheduled", begin, end),
            outcomes=_between(known, "landed", begin, end),
        )


def send(client: Client, model: Any, step: Step) -> None:
    """Score the step's flights and log them, then what became of those that landed in it."""
    if len(step.predictions):
        probabilities = score(model, step.predictions)
        client.log_predictions(
            {
                "prediction_id": flight["flight_id"],
                "timestamp": flight["scheduled"].to_pydatetime(),
                "inputs": {name: flight[name] for name in FEATURES},
                "outputs": {SCORE: float(probability)},
            }
            for flight, probability in zip(
                step.predictions.to_dict("records"), probabilities, strict=True
            )
        )
    client.log_outcomes(
        {
            "prediction_id": flight["flight_id"],
            "timestamp": flight["landed"].to_pydatetime(),
            "actual_outcome": int(flight["late"]),
        }
        for flight in step.outcomes[["flight_id", "landed", "late"]].to_dict("records")
    )


def _between(
    frame: "pd.DataFrame", column: str, begin: "pd.Timestamp", end: "pd.Timestamp"
) -> "pd.DataFrame":
    """Rows whose time is in [begin, end); the frame ascends by it."""
    at = frame[column].searchsorted([begin.tz_convert("UTC"), end.tz_convert("UTC")])
    return frame.iloc[at[0] : at[1]]
