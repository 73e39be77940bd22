"""Routing as documents: read strictly, all faults at once, each with its field and a remedy."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.declared import parse_routing, parse_silence, routing_document
from tocsin.errors import SchemaError
from tocsin.routing import DEFAULT_INHIBIT_RULES, told_by
from tocsin.values import DAY, HOUR, MINUTE, SECOND, from_datetime, isoformat

RECEIVERS = ("log", "oncall", "slack")
NOW = from_datetime(datetime(2026, 7, 1, tzinfo=UTC))
WHOLE: dict[str, Any] = {
    "route": {
        "receiver": "slack",
        "group_by": ["model", "category"],
        "group_wait": "1m",
        "mute_times": ["nights"],
        "routes": [
            {
                "matchers": ['severity="critical"'],
                "receiver": "oncall",
                "continue": True,
                "mute_times": [],
                "repeat_interval": "1h",
                "routes": [{"matchers": "team=flights", "group_wait": "0s"}],
            }
        ],
    },
    "inhibit_rules": [
        {
            "source_matchers": ['category="data_quality"'],
            "target_matchers": ["category=~early|performance"],
            "equal": ["model"],
            "max_duration": "6h",
        }
    ],
    "mute_times": [
        {
            "name": "nights",
            "intervals": [
                {
                    "times": [
                        {"start": "22:00", "end": "24:00"},
                        {"start": "00:00", "end": "06:00"},
                    ],
                    "weekdays": ["monday:friday", "sunday"],
                    "days_of_month": [1, "-3:-1"],
                    "months": ["january:march", 12],
                    "location": "Europe/Berlin",
                }
            ],
        }
    ],
}


def test_a_node_has_what_its_parent_has_unless_it_says_otherwise() -> None:
    root = parse_routing(WHOLE, RECEIVERS).root
    assert root is not None
    (critical,) = root.routes
    (flights,) = critical.routes
    assert (root.group_wait, root.group_interval, root.repeat_interval) == (
        MINUTE, 5 * MINUTE, 12 * HOUR,
    )  # fmt: skip
    assert (critical.group_wait, critical.repeat_interval) == (MINUTE, HOUR)
    assert (flights.receiver, flights.group_wait, flights.repeat_interval) == ("oncall", 0, HOUR)
    assert flights.group_by == ("model", "category")
    assert (root.mute_times, critical.mute_times, flights.mute_times) == (("nights",), (), ())
    assert not flights.continues


def test_mute_times_are_read_as_numbers() -> None:
    (nights,) = parse_routing(WHOLE, RECEIVERS).mute_times
    (interval,) = nights.intervals
    assert interval.times == ((1320, 1440), (0, 360))
    assert interval.weekdays == ((0, 4), (6, 6))
    assert interval.days == ((1, 1), (-3, -1))
    assert interval.months == ((1, 3), (12, 12))
    assert str(interval.zone) == "Europe/Berlin"


def test_where_nothing_is_written_all_are_told_and_bad_data_inhibits() -> None:
    routing = parse_routing({}, RECEIVERS)
    assert routing.inhibit_rules == DEFAULT_INHIBIT_RULES
    assert tuple(told_by(routing.tree(RECEIVERS), {"model": "m"})) == RECEIVERS
    assert parse_routing({"inhibit_rules": []}, RECEIVERS).inhibit_rules == ()


def test_what_holds_is_a_document_that_reads_back() -> None:
    routing = parse_routing(WHOLE, RECEIVERS)
    document = routing_document(routing, RECEIVERS)
    assert parse_routing({**document, "mute_times": WHOLE["mute_times"]}, RECEIVERS) == routing


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"routes": []}, "`routes`: Extra inputs"),
    ({"route": {}}, "`route.receiver`: the root needs one"),
    ({"route": {"receiver": "slak"}}, "no receiver 'slak'; there are log, oncall, slack"),
    ({"route": {"receiver": "log", "matchers": ["a=b"]}}, "the root takes every alert"),
    ({"route": {"receiver": "log", "continue": True}}, "the root takes every alert"),
    ({"route": {"receiver": "log", "repeat_interval": "1m"}}, "1m is shorter than group_interval"),
    ({"route": {"receiver": "log", "group_interval": "0s"}}, "`route.group_interval`"),
    ({"route": {"receiver": "log", "group_wait": 30}}, "write a duration"),
    ({"route": {"receiver": "log", "mute_times": ["x"]}}, "no mute time 'x'; there are none"),
    ({"route": {"receiver": "log", "routes": [{"matchers": ["a"]}]}}, "routes.0.matchers.0"),
    ({"route": {"receiver": "log", "routes": [{"matchers": ['a=~"("']}]}}, "never closed"),
    (
        {"route": {"receiver": "log", "routes": [{"matchers": ["a=b"]}, {"matchers": ["a=b"]}]}},
        "`route.routes.1`: no alert can come here: route 1 before it",
    ),
    (
        {"route": {"receiver": "log", "routes": [{"matchers": ["a=b", "a=c"]}]}},
        'a="b" and a="c" never hold together',
    ),
    ({"inhibit_rules": [{"source_matchers": ["a=b"], "target_matchers": ["a=c"]}]}, "equal"),
    (
        {"inhibit_rules": [{"source_matchers": [], "target_matchers": ["a=c"], "equal": ["m"]}]},
        "source_matchers",
    ),
    ({"mute_times": [{"name": "n", "intervals": []}]}, "mute_times.0.intervals"),
]
INTERVAL_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"times": [{"start": "22:00", "end": "06:00"}]}, "write two: 22:00 to 24:00, and 00:00 to"),
    ({"times": [{"start": "9:00", "end": "10:00"}]}, "no time of the day"),
    ({"times": [{"start": "09:00", "end": "24:30"}]}, "no time of the day"),
    ({"weekdays": ["mon"]}, "monday:sunday"),
    ({"weekdays": ["saturday:monday"]}, "ends before it begins"),
    ({"days_of_month": ["0"]}, "no range"),
    ({"days_of_month": ["-1:5"]}, "ends before it begins"),
    ({"days_of_month": [32]}, "no range"),
    ({"months": ["13"]}, "no range"),
    ({"location": "Europe/Berln"}, "no time zone 'Europe/Berln'"),
    ({"location": "../etc"}, "no time zone"),
    ({"years": ["2026"]}, "Extra inputs"),
]


@pytest.mark.parametrize(("document", "words"), FAULTS)
def test_a_faulty_document_says_where_and_what_to_write(
    document: dict[str, Any], words: str
) -> None:
    with pytest.raises(SchemaError) as error:
        parse_routing(document, RECEIVERS)
    assert words in str(error.value)


@pytest.mark.parametrize(("interval", "words"), INTERVAL_FAULTS)
def test_a_faulty_interval_says_what_to_write(interval: dict[str, Any], words: str) -> None:
    document = {"mute_times": [{"name": "n", "intervals": [interval]}]}
    with pytest.raises(SchemaError) as error:
        parse_routing(document, RECEIVERS)
    assert words in str(error.value)
    assert "mute_times.0.intervals.0" in str(error.value)


def test_all_faults_are_told_at_once() -> None:
    twice = {"name": "n", "intervals": [{}]}
    document = {"route": {"receiver": "x", "mute_times": ["y"]}, "mute_times": [twice, twice]}
    with pytest.raises(SchemaError) as error:
        parse_routing(document, RECEIVERS)
    assert len(str(error.value).split("; there are")) == 3
    assert "two are called 'n'" in str(error.value)


def test_a_silence_is_from_now_for_a_while_or_between_two_times() -> None:
    mine = {"matchers": ["model=flights"], "comment": "deploy"}
    found = parse_silence({**mine, "duration": "2h"}, author="ann", now=NOW)
    assert (found.start, found.end, found.author) == (NOW, NOW + 2 * HOUR, "ann")
    between = {"starts_at": isoformat(NOW + DAY), "ends_at": isoformat(NOW + 2 * DAY)}
    found = parse_silence({**mine, **between, "author": "bob"}, author="ann", now=NOW)
    assert (found.start, found.end, found.author) == (NOW + DAY, NOW + 2 * DAY, "bob")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"duration": None}, "either `ends_at` or `duration`"),
        ({"ends_at": isoformat(NOW + DAY)}, "either `ends_at` or `duration`"),
        ({"duration": "400d"}, "at most 366 days"),
        ({"duration": None, "ends_at": isoformat(NOW - SECOND)}, "would be over"),
        ({"matchers": []}, "matchers"),
        ({"matchers": ['team!="a"', "x=~.*"]}, "name at least one label"),
        ({"comment": ""}, "comment"),
        ({"duration": None, "ends_at": "2026-07-02T00:00:00"}, "timezone"),
    ],
)
def test_a_faulty_silence_says_what_to_write(changes: dict[str, Any], words: str) -> None:
    document = {"matchers": ["model=flights"], "comment": "deploy", "duration": "2h", **changes}
    with pytest.raises(SchemaError) as error:
        parse_silence(document, author="ann", now=NOW)
    assert words in str(error.value)
