"""Time passes: flights are predicted when they are scheduled, and known when they have landed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx2

from tocsin.client import Client
from tocsin.demo.flights import FEATURES, HOME
from tocsin.errors import StartupError

if TYPE_CHECKING:
    import pandas as pd

KILOMETRES = 1.609344
FAULTY = "distance"
ROWS_A_REQUEST = 2_000


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


def ask(http: httpx2.Client, url: str, step: Step) -> None:
    """Ask a served model about the step's flights, as any client of MLflow's would.

    Raises: StartupError when it does not answer.
    """
    for begin in range(0, len(step.predictions), ROWS_A_REQUEST):
        flights = step.predictions.iloc[begin : begin + ROWS_A_REQUEST]
        scheduled = flights["scheduled"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        beside = {"request_ids": flights["flight_id"].tolist(), "timestamps": scheduled.tolist()}
        # pandas writes a missing number as null, which MLflow's server reads back.
        inputs = flights[list(FEATURES)].to_json(orient="split", index=False)
        body = f'{{"dataframe_split": {inputs}, {json.dumps(beside)[1:-1]}}}'
        answer = http.post(
            f"{url}/invocations", content=body, headers={"Content-Type": "application/json"}
        )
        if not answer.is_success:
            raise StartupError(f"the served model answered {answer.status_code}: {answer.text}")


def tell(client: Client, step: Step) -> None:
    """Log what became of the flights that landed in a step."""
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
