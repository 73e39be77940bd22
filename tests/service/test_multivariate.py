"""Whether all columns together have moved, from the rows of reference and lake."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from tests.world import Feed, monitor_document, reference

from tocsin.api.server import application
from tocsin.app import App, opened
from tocsin.errors import InvalidInputError, UnavailableError
from tocsin.settings import Settings
from tocsin.values import HOUR, Bounded


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with opened(Settings(tmp_path / "data", "127.0.0.1", 1, "http://tocsin.test", None)) as running:
        running.register.add("late", monitor_document(windows=["1h"]), reference(2_000))
        yield running


def test_a_window_that_moved_is_told_from_the_reference_and_by_what(app: App) -> None:
    feed = Feed(app, "late")
    feed.hours(0, 1, rows=500)
    feed.hours(1, 3, rows=500, distance_factor=1.6)
    feed.work()
    found = app.multivariate.find("late", window=HOUR)
    assert (found.rows, found.reference_rows) == (500, 2_000)
    assert found.told.low > 0.8
    assert found.told.p_value < 1e-6
    assert next(iter(found.told.importances)) == "distance"
    assert "mostly by `distance`" in found.sentence
    # Asked again it is known; another seed would be another answer.
    assert app.multivariate.known("late", window=HOUR) is found
    assert app.multivariate.known("late", window=HOUR, seed=1) is None


def test_a_window_like_the_reference_is_not_told_from_it(app: App) -> None:
    feed = Feed(app, "late")
    feed.hours(0, 2, rows=500)
    feed.work()
    found = app.multivariate.find("late", window=HOUR)
    assert 0.4 < found.told.auc < 0.6
    assert found.sentence.startswith("No difference from the reference is found")


def test_only_rows_of_the_window_are_sampled_and_the_same_each_time(app: App) -> None:
    feed = Feed(app, "late")
    feed.hours(0, 4, rows=60)
    feed.work()
    with app.records.read() as connection:
        from tocsin.records import models

        record = models.model_named(connection, "late")
    from tests.world import START

    from tocsin.declared import parse_monitor
    from tocsin.values import from_datetime

    schema = parse_monitor("late", record.monitor).schema
    lake = app.multivariate._lake.model(record.id, "late", schema)
    begin = from_datetime(START) + HOUR
    some, again = (lake.sample_predictions(begin, begin + HOUR, 20, seed=3) for _ in range(2))
    other = lake.sample_predictions(begin, begin + HOUR, 20, seed=4)
    whole = lake.sample_predictions(begin, begin + HOUR, 1_000, seed=3)
    assert some["prediction_id"].to_pylist() == again["prediction_id"].to_pylist()
    assert some["prediction_id"].to_pylist() != other["prediction_id"].to_pylist()
    assert set(whole["prediction_id"].to_pylist()) == {f"h1-{i}" for i in range(60)}


def test_what_cannot_be_learned_from_says_what_is_needed(app: App) -> None:
    feed = Feed(app, "late")
    with pytest.raises(InvalidInputError, match="no window of 1h of 'late' has closed yet"):
        app.multivariate.find("late", window=HOUR)
    feed.hours(0, 2, rows=60)
    feed.work()
    with pytest.raises(InvalidInputError, match="the window has 60 rows, and 100 are needed"):
        app.multivariate.find("late", window=HOUR)


def test_only_one_window_is_compared_at_a_time(app: App) -> None:
    feed = Feed(app, "late")
    feed.hours(0, 2, rows=200)
    feed.work()
    with app.multivariate._one, pytest.raises(UnavailableError, match="one at a time"):
        app.multivariate.find("late", window=HOUR)
    assert app.multivariate.find("late", window=HOUR).rows == 200


def test_the_api_knows_nothing_before_it_is_asked_to_find_out(app: App) -> None:
    feed = Feed(app, "late")
    feed.hours(0, 2, rows=200)
    feed.work()
    client = TestClient(application(app))
    address = "/api/v1/models/late/drift/multivariate?window=1h"
    assert client.get(address).status_code == 404
    posted = client.post(address)
    assert posted.status_code == 200
    assert client.get(address).json() == posted.json()
    assert list(posted.json()["importances"]) != []


def test_estimates_by_the_weighted_reference_stand_beside_those_by_scores(app: App) -> None:
    feed = Feed(app, "late")
    feed.hours(0, 2, rows=500)
    feed.work()
    found = app.multivariate.find("late", window=HOUR).estimates
    assert found is not None
    assert found.cover.supported
    assert (found.cover.rows, found.cover.window, found.flags) == (2_000, 500, ())
    assert found.sentence.startswith("Weighted to be like the window, 2,000 labelled rows")
    both = found.metrics["accuracy_score"]
    assert both.by_scores is not None
    first, second = both.weighted, both.by_scores.measure
    assert isinstance(first, Bounded)
    assert isinstance(second, Bounded)
    # Nothing moved: both are the reference's, within what 500 rows can tell.
    assert first.value == pytest.approx(second.value, abs=0.03)
    assert first.low is not None
    assert first.high is not None
    assert first.low < second.value < first.high
    assert 0.02 < first.high - first.low < 0.12
    assert "by weighting the reference" in both.sentence
    assert "fewer than 8 earlier windows" in both.sentence


def test_where_the_reference_has_no_such_rows_those_by_scores_stand(app: App) -> None:
    feed = Feed(app, "late")
    feed.hours(0, 1, rows=500)
    feed.hours(1, 3, rows=500, distance_factor=3.0)
    feed.work()
    document = _found(app)["estimates"]
    assert document["supported"] is False
    assert document["flags"] == ["out_of_support"]
    assert document["reason"] in document["sentence"]
    assert "the estimates by scores stand" in document["sentence"]
    both = document["metrics"]["roc_auc"]
    assert both["importance_weighting"]["value"] is None
    assert both["importance_weighting"]["reason"] == document["reason"]
    assert 0.5 < both["cbpe"]["low"] < both["cbpe"]["value"] < both["cbpe"]["high"]
    assert "out_of_support" in both["cbpe"]["flags"]


def test_only_labelled_rows_of_the_reference_are_weighted(app: App) -> None:
    table = reference(3_000)
    labels = [label if i % 2 else None for i, label in enumerate(table["late"].to_pylist())]
    for name, column in (("half", labels), ("none", None)):
        some = table.drop_columns(["late"])
        if column is not None:
            some = some.append_column("late", pa.array(column))
        app.register.add(name, monitor_document(windows=["1h"]), some)
        feed = Feed(app, name)
        feed.hours(0, 2, rows=200)
        feed.work()
    half = app.multivariate.find("half", window=HOUR)
    assert half.estimates is not None
    assert (half.reference_rows, half.estimates.cover.rows) == (3_000, 1_500)
    assert app.multivariate.find("none", window=HOUR).estimates is None


def _found(app: App) -> dict[str, Any]:
    client = TestClient(application(app))
    answer = client.post("/api/v1/models/late/drift/multivariate?window=1h")
    assert answer.status_code == 200
    return dict(answer.json())
