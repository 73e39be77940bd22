"""A schema may change: what was recorded before is read as what it is called now."""

from typing import Any

import pytest
from tests.world import HOUR, START, Feed, monitor_document, outcome, prediction

from tocsin.declared import parse_monitor
from tocsin.errors import SchemaError
from tocsin.records import models


def _document(*features: dict[str, Any]) -> dict[str, Any]:
    schema = {"features": list(features), "score": "p", "label": "late"}
    return monitor_document(schema=schema)


MILES = {"name": "miles", "kind": "numeric", "was": "distance"}
CARRIER = {"name": "carrier", "kind": "categorical"}


def test_a_renamed_feature_goes_on_where_it_was(feed: Feed) -> None:
    feed.hours(0, 2)
    feed.work()
    before = feed.app.read.feature("late", "distance", window=3_600_000_000)
    # Some are stored, some wait in the inbox, some still come under the old name.
    feed.hours(2, 3)
    feed.app.register.change("late", _document(MILES, CARRIER))
    feed.hours(3, 4)
    feed.predictions(prediction("end", timestamp=START + 5 * HOUR))
    feed.work()

    after = feed.app.read.feature("late", "miles", window=3_600_000_000)
    assert before is not None
    assert after is not None
    assert feed.total("n") == feed.sent + 1
    assert abs(sum(after.current) - 1) < 1e-9
    # Nothing is missing: the last bins of a feature are those of odd values.
    assert sum(after.current[after.regular :]) == 0
    assert after.bins[: after.regular] == before.bins[: before.regular]


def test_a_feature_of_another_kind_is_read_anew(feed: Feed) -> None:
    feed.predictions(prediction("a", distance=7.0), prediction("b", distance=7))
    feed.work()
    feed.predictions(prediction("c", distance=8.5))
    feed.app.register.change(
        "late", _document({"name": "distance", "kind": "categorical"}, CARRIER)
    )
    feed.predictions(prediction("d", distance="7"), prediction("e", distance="seven"))
    feed.outcomes(outcome("a", 1))
    feed.work()

    lake = feed.app.rebuild._lake
    with feed.app.records.read() as connection:
        record = models.model_named(connection, "late")
    found = lake.model(record.id, "late", parse_monitor("late", record.monitor).schema)
    rows = [row for _, part in found.scan_predictions(until=99) for row in part.to_pylist()]
    assert {r["prediction_id"]: r["input_distance"] for r in rows} == {
        "a": "7",
        "b": "7",
        "c": "8.5",
        "d": "7",
        "e": "seven",
    }
    assert (feed.total("n"), feed.total("labelled")) == (5, 1)


def test_a_removed_feature_is_kept_beside(feed: Feed) -> None:
    feed.hours(0, 2)
    feed.app.register.change("late", _document(CARRIER))
    feed.predictions(prediction("a"))
    feed.work()

    assert feed.total("n") == feed.sent + 1


def test_a_name_cannot_be_two_features(feed: Feed) -> None:
    with pytest.raises(SchemaError, match="leave it out of `was`"):
        feed.app.register.change("late", _document({**MILES, "was": "carrier"}, CARRIER))


def test_nothing_is_folded_between_a_change_and_its_rebuild(feed: Feed) -> None:
    feed.hours(0, 2)
    feed.work()
    feed.app.register.change("late", _document(MILES, CARRIER))
    feed.hours(2, 3)

    # As if the worker had looked for what waits a moment before the change.
    assert feed.app.fold.fold("late") == 0
    feed.work()
    assert feed.total("n") == feed.sent
