"""What is ahead of a model: thresholds that will be crossed, and series that left the usual."""

from collections.abc import Callable

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.world import START, Feed, monitor_document, reference

from tocsin.api.server import application
from tocsin.app import App
from tocsin.cli.trends import trend_lines
from tocsin.records import evaluations, models
from tocsin.records.evaluation import Evaluation
from tocsin.values import DAY, Bounded, Window, from_datetime

AUC_LOW = {
    "alert": "AucLow",
    "expr": {"metric": "roc_auc", "window": "24h", "op": "<", "value": 0.70},
}
WENT = {"alert": "AucWent", "expr": {"metric": "roc_auc", "window": "24h", "value": "auto"}}


def _stored(app: App, auc: Callable[[int], float], days: int = 28, labelled: int = 500) -> None:
    """Days with an AUC that was measured."""
    document = monitor_document(rules=[AUC_LOW, WENT], windows=["24h"])
    app.register.add("late", document, reference())
    start = from_datetime(START)
    with app.records.write() as connection:
        record = models.model_named(connection, "late")
        evaluations.append(
            connection,
            record.id,
            [
                Evaluation(
                    Window(start + day * DAY, start + (day + 1) * DAY),
                    revision=1,
                    rows=500,
                    labelled=labelled,
                    versions={"1": 500},
                    measures={
                        "roc_auc": Bounded(auc(day), 0.0, auc(day) - 0.01, auc(day) + 0.01, 500)
                    },
                    shifts={},
                    delays=(),
                    plan=record.plan.digest,
                    known_offset=0,
                    known_at=0,
                )
                for day in range(days)
            ],
        )


def _falling(day: int) -> float:
    return 0.80 - 0.003 * day + 0.002 * float(np.sin(7 * day))


def test_a_steady_fall_is_ahead_of_its_threshold_and_the_model_at_risk(app: App) -> None:
    _stored(app, _falling)
    (ahead,) = app.read.outlook("late").crossings
    # The line crosses 0.70 after day 33.3; the newest window is that of day 27.
    left = [(end - ahead.window.end) / DAY for end in (ahead.early, ahead.likely, ahead.late)]
    assert left[0] < 6.3 < left[2]
    assert left[1] == pytest.approx(6.3, abs=1)
    assert app.read.overviews()[0].condition == "at risk"


def test_a_steady_level_has_nothing_ahead(app: App) -> None:
    _stored(app, lambda day: 0.75 + 0.002 * float(np.sin(7 * day)))
    assert app.read.outlook("late").crossings == ()
    assert app.read.overviews()[0].condition == "healthy"


def test_days_that_are_hardly_labelled_foretell_nothing(app: App) -> None:
    _stored(app, _falling, labelled=100)
    assert app.read.outlook("late").crossings == ()


def test_api_page_and_terminal_say_the_same(app: App) -> None:
    _stored(app, _falling)
    with TestClient(application(app)) as client:
        found = client.get("/api/v1/models/late/trends").json()
        page = client.get("/models/late").text
    (ahead,) = found["forecasts"]
    assert ahead["threshold"] == 0.70
    assert ahead["early"] < ahead["likely"] < ahead["late"]
    assert ahead["sentence"].startswith("roc_auc over 24h is 0.7")
    assert "crosses 0.7 in 6 days (90 % range" in ahead["sentence"]
    assert ahead["sentence"] in page
    assert f"    {ahead['sentence']}" in list(trend_lines(found))
    assert found["false_alarms_a_month"] == 1.0


def test_a_series_without_history_is_being_learned(feed: Feed) -> None:
    feed.app.register.add("young", monitor_document(rules=[WENT], windows=["24h"]), reference())
    young = Feed(feed.app, "young")
    young.hours(0, 50, rows=25)
    young.work()
    (series,) = feed.app.read.outlook("young").trends
    assert series.trend.usual is None
    # One series, thirty days a month, one false alarm a month.
    assert series.alarm == 30
