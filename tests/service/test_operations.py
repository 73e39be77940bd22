"""What serving costs: each summary counts once, and windows say what all of them come to."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.world import monitor_document, reference

from tocsin.app import App, opened
from tocsin.errors import InvalidInputError, UnknownModelError
from tocsin.metrics.latency import latency_quantile
from tocsin.operations import LATENCY_BINS, Summary, latency_bin
from tocsin.service.operations import TOO_LATE, OperationsPoint
from tocsin.settings import Settings
from tocsin.values import DAY, HOUR, MINUTE, SECOND, Bounded, Undefined

NOW = 1_800_000_000 * SECOND // DAY * DAY


@dataclass
class Clock:
    now: int = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[App]:
    with opened(settings, clock) as application:
        application.register.add(
            "late",
            monitor_document(labels={"max": "1d"}, windows=["1h", "24h"], retention="3d"),
            reference(300),
        )
        yield application


def summary(sequence: int = 0, *, process: str = "p", start: int = NOW - HOUR) -> Summary:
    return Summary(
        process,
        sequence,
        start,
        start + 10 * SECOND,
        "1",
        {"requests": 10, "rows": 20, "cpu_us": SECOND, "serving_us": 10 * SECOND},
        {latency_bin(0.005): 10},
        rss_bytes=1000 + sequence,
    )


def only(app: App, **options: int) -> OperationsPoint:
    (point,) = app.operations.points("late", **{"window": HOUR, "span": DAY, **options})
    return point


def test_a_summary_that_is_sent_again_counts_once(app: App) -> None:
    first = app.operations.add("late", [summary(0)])
    again = app.operations.add("late", [summary(0), summary(1)])

    assert (first.added, again.added, again.repeated) == (1, 1, 1)
    assert only(app).counts["requests"] == 20


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_summaries_count_in_whatever_order_they_come(app: App, order: tuple[int, ...]) -> None:
    for sequence in (*order, *order):
        app.operations.add("late", [summary(sequence)])

    assert only(app).counts["requests"] == 30


@given(st.lists(st.integers(0, 60), min_size=1, max_size=80))
def test_any_sequence_of_repeats_and_gaps_counts_each_once(sequences: list[int]) -> None:
    import tempfile
    from pathlib import Path

    from tocsin.records import Records, operations
    from tocsin.records.tables import models

    with tempfile.TemporaryDirectory() as folder:
        records = Records(Path(folder) / "records.db")
        with records.write() as connection:
            connection.execute(
                models.insert().values(
                    id=1, name="m", monitor={}, plan={}, plan_digest="", reference=b"", notes=[],
                    created_at=0,
                )
            )  # fmt: skip
            added = [operations.add(connection, 1, summary(i)) for i in sequences]
            (cost,) = operations.stored(connection, 1, 0, 2 * NOW)
        records.close()
    assert sum(added) == len(set(sequences))
    assert cost.count("requests") == 10 * len(set(sequences))


def test_processes_that_count_alike_are_told_apart(app: App) -> None:
    app.operations.add("late", [summary(0, process="p"), summary(0, process="q")])

    assert only(app).counts["requests"] == 20


def test_what_was_added_outlives_the_server(settings: Settings, clock: Clock, app: App) -> None:
    app.operations.add("late", [summary(0)])
    data = replace(settings, data=settings.data.with_name("copy"))
    settings.data.with_name("copy").mkdir()
    for file in settings.data.glob("records.db*"):
        data.data.joinpath(file.name).write_bytes(file.read_bytes())
    with opened(data, clock) as other:
        assert other.operations.add("late", [summary(0)]).repeated == 1
        assert only(other).counts["requests"] == 10


def test_a_summary_that_is_too_old_to_be_told_from_a_repeat_is_not_added(app: App) -> None:
    heard = app.operations.add("late", [summary(0, start=NOW - TOO_LATE - HOUR)])

    assert (heard.added, heard.late) == (0, 1)
    assert app.operations.points("late", window=HOUR, span=DAY) == []


def test_a_window_says_what_all_processes_and_versions_came_to(app: App) -> None:
    other = replace(
        summary(1, process="q"),
        model_version="2",
        counts={"requests": 90, "client_errors": 20, "server_errors": 5, "timeouts": 2,
                "cpu_us": 0, "serving_us": 10 * SECOND},
        latencies={latency_bin(0.5): 90},
        rss_bytes=5000,
    )  # fmt: skip
    app.operations.add("late", [summary(0), other])
    point = only(app)

    assert point.counts["rows"] == 20
    assert point.versions == {"1": 10, "2": 90}
    assert isinstance(point.error_rate, Bounded)
    assert point.error_rate.value == 7 / 80
    assert point.error_rate.low is not None
    assert point.error_rate.high is not None
    assert 0 < point.error_rate.low < 7 / 80 < point.error_rate.high < 1
    assert point.per_second == pytest.approx(100 / 3600)
    assert point.cpu == pytest.approx(1 / 20)
    assert point.rss_bytes == 5000
    assert point.complete


def test_windows_in_which_nothing_was_heard_are_left_out(app: App) -> None:
    app.operations.add("late", [summary(0, start=NOW - 5 * HOUR), summary(1, start=NOW - HOUR)])
    starts = [point.window.start for point in app.operations.points("late", window=HOUR, span=DAY)]

    assert starts == [NOW - 5 * HOUR, NOW - HOUR]


def test_a_window_that_is_not_over_is_told(app: App, clock: Clock) -> None:
    clock.now = NOW + 10 * MINUTE
    app.operations.add("late", [summary(0, start=NOW)])
    point = only(app)

    assert not point.complete
    assert point.per_second == pytest.approx(10 / 600)


@pytest.mark.parametrize("window", [MINUTE, 7 * MINUTE, 0])
def test_windows_that_buckets_do_not_fill_are_refused(app: App, window: int) -> None:
    with pytest.raises(InvalidInputError, match="multiple of 5m"):
        app.operations.points("late", window=window, span=DAY)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"end": NOW - HOUR}, "ends before"),
        ({"end": NOW + DAY}, "ahead of the server's clock"),
        ({"counts": {"request": 1}}, "counts 'request'"),
        ({"latencies": {LATENCY_BINS: 1}}, "outside the bins"),
        ({"latencies": {-1: 1}}, "outside the bins"),
    ],
)
def test_a_summary_that_cannot_be_is_refused(app: App, change: dict[str, int], what: str) -> None:
    heard = app.operations.add("late", [replace(summary(0), **change), summary(1)])
    (reason,) = heard.reasons
    assert what in reason
    assert (heard.added, heard.refused) == (1, 1)
    assert only(app).counts["requests"] == 10


def test_summaries_of_a_model_that_is_not_monitored_are_refused(app: App) -> None:
    with pytest.raises(UnknownModelError):
        app.operations.add("nobody", [summary(0)])


def test_costs_expire_by_the_wall_clock_with_the_rows(app: App, clock: Clock) -> None:
    app.operations.add("late", [summary(0)])
    clock.now = NOW + 2 * DAY
    app.retain.retain("late")
    kept = app.operations.points("late", window=HOUR, span=DAY)
    clock.now = NOW + 4 * DAY
    app.retain.retain("late")

    assert len(kept) == 1
    assert app.operations.points("late", window=HOUR, span=DAY) == []


@given(
    st.lists(st.floats(1e-5, 99), min_size=1, max_size=300),
    st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_a_quantile_of_bins_holds_the_one_of_the_values(values: list[float], share: float) -> None:
    bins = np.bincount([latency_bin(value) for value in values], minlength=LATENCY_BINS)
    exact = np.quantile(values, share, method="inverted_cdf")
    found = latency_quantile(bins, share)

    assert isinstance(found, Bounded)
    assert abs(found.value - exact) <= found.error * (1 + 1e-9)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= exact <= found.high * (1 + 1e-9)


def test_the_interval_of_a_quantile_covers_the_truth_nineteen_times_of_twenty() -> None:
    rng = np.random.default_rng(0)
    truth = np.exp(-5)
    hits = 0
    for _ in range(400):
        values = rng.lognormal(-5, 0.8, 200)
        bins = np.bincount([latency_bin(value) for value in values], minlength=LATENCY_BINS)
        found = latency_quantile(bins, 0.5)
        assert isinstance(found, Bounded)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= truth <= found.high
    assert hits >= 0.95 * 400


def test_latencies_of_no_requests_are_undefined() -> None:
    assert isinstance(latency_quantile(np.zeros(LATENCY_BINS, int), 0.5), Undefined)


def test_latencies_beyond_all_bins_have_no_upper_end() -> None:
    bins = np.zeros(LATENCY_BINS, int)
    bins[-1] = 5
    found = latency_quantile(bins, 0.5)

    assert isinstance(found, Bounded)
    assert found.value == 100
    assert found.high == np.inf


def test_a_thousand_predictions_cost_what_hours_and_predictions_cost(app: App) -> None:
    prices = {"process_hour": 3.6, "cpu_hour": 7.2, "prediction": 0.001, "currency": "EUR"}
    document = monitor_document(windows=["1h", "24h"], prices=prices)
    app.register.change("late", document)
    app.operations.add("late", [summary(0), summary(1)])

    point = only(app)
    # 20 s of a process, 2 s of a processor, 40 predictions.
    assert isinstance(point.price, Bounded)
    assert point.price.value == pytest.approx(1000 * ((0.02 + 0.004) / 40 + 0.001))
    assert (point.price.n, point.currency) == (40, "EUR")


def test_without_prices_or_predictions_nothing_is_said_of_what_they_cost(app: App) -> None:
    app.operations.add("late", [summary(0)])
    assert only(app).price is None

    app.register.change("late", monitor_document(windows=["1h", "24h"], prices={"cpu_hour": 1}))
    app.operations.add("late", [replace(summary(0, process="q", start=NOW - 5 * HOUR), counts={})])
    assert app.operations.points("late", window=HOUR, span=DAY)[0].price == Undefined(
        "no predictions", 0
    )
