import pandas as pd
import pytest

from tocsin.demo.flights import CATEGORICAL, FEATURES, HOME, NUMERIC, _data_folder, _zones, flights


@pytest.fixture(scope="module")
def year():
    return flights()


@pytest.fixture(scope="module")
def by_id(year):
    return year.set_index("flight_id")


def test_every_flight_of_the_year_is_there_once_in_the_order_of_the_schedule(year):
    assert len(year) == 336_776
    assert year["flight_id"].is_unique
    assert year["scheduled"].is_monotonic_increasing


def test_columns_have_the_types_that_a_model_signature_needs(year):
    assert list(year.columns) == ["flight_id", "scheduled", "landed", "late", *FEATURES]
    assert str(year["scheduled"].dtype) == str(year["landed"].dtype) == "datetime64[us, UTC]"
    assert str(year["late"].dtype) == "Int8"
    assert all(pd.api.types.is_string_dtype(year[name]) for name in CATEGORICAL)
    assert all(year[name].dtype == "float64" for name in NUMERIC)


def test_the_schedule_is_new_york_time_in_winter_and_in_summer(by_id):
    assert by_id.loc["2013-01-01-UA1545-EWR-0515", "scheduled"] == pd.Timestamp("2013-01-01T10:15Z")
    assert by_id.loc["2013-07-15-US1431-EWR-0500", "scheduled"] == pd.Timestamp("2013-07-15T09:00Z")


def test_no_flight_is_scheduled_in_an_hour_that_the_clock_repeats_or_skips(year):
    local = year["scheduled"].dt.tz_convert(HOME)
    assert (local.dt.hour * 60 + local.dt.minute == year["departure_minute"]).all()
    changes = local.dt.strftime("%m-%d").isin(["03-10", "11-03"])
    assert changes.sum() > 1000
    assert local[changes].dt.hour.min() >= 5


def test_landing_is_read_off_the_clock_at_the_destination(by_id):
    # 08:30 in Houston, 10:04 in San Juan (which airports.csv lacks), 15:16 in Honolulu.
    assert by_id.loc["2013-01-01-UA1545-EWR-0515", "landed"] == pd.Timestamp("2013-01-01T14:30Z")
    assert by_id.loc["2013-01-01-B6725-JFK-0545", "landed"] == pd.Timestamp("2013-01-01T14:04Z")
    assert by_id.loc["2013-01-01-HA51-JFK-0900", "landed"] == pd.Timestamp("2013-01-02T01:16Z")


def test_every_landing_is_the_scheduled_arrival_plus_the_recorded_delay(by_id):
    folder = _data_folder()
    raw = pd.read_csv(folder / "flights.csv.zip").dropna(subset="arr_delay")
    days = pd.to_datetime(raw[["year", "month", "day"]]).dt.strftime("%Y-%m-%d-")
    flight = raw["carrier"] + raw["flight"].astype(str) + "-" + raw["origin"]
    raw.index = days + flight + raw["sched_dep_time"].map("-{:04d}".format)
    on_time = by_id["landed"].loc[raw.index] - pd.to_timedelta(raw["arr_delay"], unit="min")
    for zone, arrivals in on_time.groupby(raw["dest"].map(_zones(folder))):
        clock = arrivals.dt.tz_convert(zone).dt.strftime("%H%M").astype(int)
        assert (clock == raw["sched_arr_time"].loc[arrivals.index] % 2400).all(), zone


def test_flights_land_after_they_leave_and_within_two_days(year):
    minutes = (year["landed"] - year["scheduled"]).dropna().dt.total_seconds() / 60
    # The promise was "nearly all land no sooner than an hour before the schedule": all do.
    assert (minutes > -60).mean() == 1.0
    assert minutes.min() == 18
    assert minutes.max() < 2 * 24 * 60


def test_a_flight_has_a_label_exactly_if_it_landed(year):
    assert (year["landed"].isna() == year["late"].isna()).all()
    assert year["late"].isna().sum() == 9_430
    assert year["late"].mean() == pytest.approx(0.2371, abs=1e-4)


def test_the_weather_is_that_of_the_origin_in_the_hour_of_departure(by_id):
    # weather.csv: EWR, 2013-01-01, hour 5.
    flight = by_id.loc["2013-01-01-UA1545-EWR-0515"]
    assert (flight["temp"], flight["humidity"], flight["pressure"]) == (39.02, 64.43, 1011.9)


def test_the_weather_is_missing_for_few_flights_and_the_pressure_for_one_in_nine(year):
    missing = year[list(NUMERIC)].isna().mean()
    assert missing[["distance", "departure_minute"]].max() == 0
    assert missing[["temp", "wind_speed", "humidity"]].max() < 0.005
    assert missing["pressure"] == pytest.approx(0.115, abs=1e-3)
