"""Rules on how a model is served: latency, failures and requests, of windows and of versions."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.world import START, Feed, monitor_document, reference

from tocsin.api.server import application
from tocsin.app import App, opened
from tocsin.declared import parse_monitor
from tocsin.errors import SchemaError
from tocsin.operations import Summary, latency_bin
from tocsin.records import alerts, models
from tocsin.settings import Settings
from tocsin.values import HOUR, MINUTE, SECOND

# As many hours as tell a season of days.
LEARNED = 24 * 9
T0 = int(START.timestamp()) * SECOND


def rule(metric: str, op: str = ">", value: Any = "250ms", **more: Any) -> dict[str, Any]:
    expr = {"metric": metric, "window": "1h", "op": op, "value": value} | more.pop("expr", {})
    return {"alert": "Serving", "expr": expr, **more}


class World:
    """A model that is served by one process, whose clock is that of the events."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.now = T0
        self.sequence = 0
        self.feed = Feed(app, "late")

    def begin(self, *rules: dict[str, Any]) -> None:
        document = monitor_document(windows=["1h"], rules=list(rules), labels={"max": "1d"})
        self.app.register.add("late", document, reference(300))

    def served(
        self,
        hour: int,
        latency_s: float = 0.02,
        *,
        version: str = "1",
        summaries: int = 12,
        **counts: int,
    ) -> None:
        """Summaries of an hour since START, five minutes apart and each of 100 requests."""
        for number in range(summaries):
            start = T0 + hour * HOUR + number * 5 * MINUTE
            told = Summary(
                "p",
                self.sequence,
                start,
                start + 10 * SECOND,
                version,
                {"requests": 100, "serving_us": 10 * SECOND, **counts},
                {latency_bin(latency_s): 100},
            )
            self.sequence += 1
            self.now = max(self.now, told.end)
            assert self.app.operations.add("late", [told]).added == 1

    def hour(self, hour: int, *, rows: int = 20) -> None:
        """The predictions of an hour, and some of the next one, which close its windows."""
        self.now = T0 + (hour + 2) * HOUR
        self.feed.hours(hour, hour + 1, rows=rows, labelled=False)
        self.feed.hours(hour + 1, hour + 2, rows=2, labelled=False)
        self.feed.work()

    def firing(self) -> list[str]:
        with self.app.records.read() as connection:
            model = models.model_named(connection, "late").id
            found = alerts.episodes_since(connection, model, 0)
        return [episode.instance for episode in found if episode.resolved is None]


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    with opened(settings, lambda: found.now) as app:
        found = World(app)
        yield found


def test_slow_answers_ring_and_quick_ones_end_it(world: World) -> None:
    world.begin(rule("latency_p99"))
    world.served(0)
    world.hour(0)
    assert world.firing() == []

    world.served(1, 0.8)
    world.hour(1)
    assert world.firing() == [""]
    (incident,) = world.app.read.incidents(model="late", open_only=True)
    assert incident.title == "Latency, p99 is above 250 ms over 1h"

    world.served(2)
    world.served(3)
    world.hour(2)
    world.hour(3)
    assert world.firing() == []


def test_a_summary_that_comes_when_its_window_has_closed_counts(world: World) -> None:
    world.begin(rule("latency_p99"))
    world.hour(0)
    assert world.firing() == []

    world.served(0, 0.8)
    world.feed.work()

    assert world.firing() == [""]


def test_failures_ring_of_requests_that_left_no_row(world: World) -> None:
    world.begin(rule("error_rate", value=0.05, min_samples=200))
    world.served(0, server_errors=0)
    world.hour(0)
    assert world.firing() == []

    world.served(1, server_errors=60, client_errors=30)
    world.hour(1, rows=1)

    assert world.firing() == [""]


def test_no_requests_are_a_number_where_a_process_is_up_and_none_where_nobody_was_heard(
    world: World,
) -> None:
    world.begin(rule("requests_per_second", "<", 0.001))
    world.hour(0)
    assert world.firing() == []

    for hour in (1, 2):
        world.served(hour, requests=0)
        world.hour(hour)

    assert world.firing() == [""]


def test_each_version_is_served_for_itself(world: World) -> None:
    world.begin(rule("latency_p95", expr={"by": "version"}))
    world.served(0)
    world.served(0, 0.8, version="2")
    world.hour(0)

    assert world.firing() == ["version=2"]


def test_what_is_usual_is_learned_of_serving_too(world: World) -> None:
    world.begin(rule("latency_p99", value="auto"))
    for hour in range(LEARNED):
        world.served(hour, 0.02 + 0.001 * (hour % 3), summaries=1)
    world.feed.hours(0, LEARNED, rows=5, labelled=False)
    world.feed.work()
    for hour in range(LEARNED, LEARNED + 4):
        world.served(hour, 1.5, summaries=1)
    world.feed.hours(LEARNED, LEARNED + 4, rows=5, labelled=False)
    world.hour(LEARNED + 4)

    assert world.firing() == [""]


@pytest.mark.parametrize(
    ("expr", "told"),
    [
        ({"metric": "roc_auc", "value": "250ms"}, "250ms is a time, as only latency_p50"),
        ({"metric": "error_rate", "value": "2s"}, "2s is a time, as only latency_p50"),
        ({"metric": "latency_p99", "relative_to": "reference"}, "has no `relative_to`"),
        ({"metric": "latency_p99", "by": "carrier"}, "`by` of latency_p99 may be version"),
        ({"metric": "latency_p99", "value": "auto", "by": "version"}, "leave out `by`"),
        ({"metric": "latency_p90", "value": 0.25}, "there is no metric 'latency_p90'"),
    ],
)
def test_what_no_request_can_tell_is_refused(expr: dict[str, Any], told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        parse_monitor("m", monitor_document(rules=[rule("latency_p99", expr=expr)]))


def test_windows_that_counts_of_requests_do_not_fill_are_refused() -> None:
    document = monitor_document(
        granularity="1m",
        windows=["7m"],
        rules=[rule("latency_p99", expr={"window": "7m"})],
    )

    with pytest.raises(SchemaError, match="window 7m is not a multiple of 5m"):
        parse_monitor("m", document)


def test_a_limit_may_be_written_as_a_time() -> None:
    limits = [
        parse_monitor("m", monitor_document(rules=[rule("latency_p50", value=value)]))
        .rules[0]
        .value
        for value in ("250ms", "1.5s", 0.25)
    ]

    assert limits == [0.25, 1.5, 0.25]


def test_pages_say_limits_in_the_unit_of_people(world: World) -> None:
    failing = {**rule("error_rate", value=0.05), "alert": "Failing"}
    world.begin(rule("latency_p99"), failing)
    with TestClient(application(world.app), base_url="http://localhost:8765") as client:
        page = client.get("/models/late").text.replace("\u00a0", " ")
    assert "Latency, p99 above 250 ms" in page
    assert "Error rate above 5.0 %" in page


def test_rules_on_serving_are_of_operations() -> None:
    monitor = parse_monitor("m", monitor_document(rules=[rule("latency_p50")]))

    assert monitor.rules[0].category == "operations"
    assert timedelta(microseconds=monitor.rules[0].window) == timedelta(hours=1)
