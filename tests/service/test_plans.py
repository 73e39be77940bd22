"""What profiles are made of can change: they are rebuilt from the lake, as if it had been so."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.world import START, Feed, monitor_document, outcome, prediction, reference

from tocsin.app import App, opened
from tocsin.errors import SchemaError
from tocsin.records import models
from tocsin.records.models import Rebuilding
from tocsin.service import rebuild as rebuild_module
from tocsin.settings import Settings
from tocsin.values import HOUR as HOUR_US

FEATURES = [
    {"name": "distance", "kind": "numeric"},
    {"name": "carrier", "kind": "categorical"},
]
OUTPUTS = {"score": "p", "label": "late"}


def changed(**schema: Any) -> dict[str, Any]:
    return monitor_document(schema={"features": FEATURES, **OUTPUTS, **schema})


@pytest.mark.parametrize(
    "document",
    [
        monitor_document(labels={"max": "3d"}),
        monitor_document(granularity="30m"),
        monitor_document(segments=["carrier", {"column": "distance", "cuts": [1000]}]),
        monitor_document(metrics=[{"name": "far", "sum": "distance > 1000"}]),
        changed(thresholds=[0.2, 0.8]),
        changed(features=FEATURES[:1]),
    ],
    ids=["labels.max", "granularity", "segments", "metrics", "thresholds", "features"],
)
def test_a_change_gives_the_profiles_that_a_model_added_so_would_have(
    app: App, document: dict[str, Any]
) -> None:
    app.register.add("late", monitor_document(), reference())
    app.register.add("other", document, reference())
    for name in ("late", "other"):
        feed = Feed(app, name)
        feed.hours(0, 6)
        feed.work()
    feed = Feed(app, "late")
    app.register.change("late", document)
    # Rows that wait while the plan changes are on the new one too.
    for name in ("late", "other"):
        Feed(app, name).hours(6, 8)
    feed.work()

    with app.records.read() as connection:
        late, other = (models.model_named(connection, name) for name in ("late", "other"))
    assert late.plan == other.plan
    found, wanted = feed.profiles(), Feed(app, "other").profiles()
    assert found.keys() == wanted.keys()
    for key, vector in wanted.items():
        np.testing.assert_allclose(found[key], vector, rtol=1e-9, atol=1e-9)
    points = app.read.series("late", "mean_score", window=HOUR_US).points
    assert [p.rows for p in points if p.window.end % HOUR_US == 0] == [80] * 7
    assert max(p.revision for p in points) > 1
    assert app.rebuild.waiting() == []


def test_a_new_reference_gives_the_plan_and_the_drift_that_follow_from_it(feed: Feed) -> None:
    feed.hours(0, 4)
    feed.work()
    before = feed.app.read.drift("late", window=HOUR_US)[0].shifts["distance"].js_distance
    table = reference()
    further = pa.array(table["distance"].to_numpy() * 3)
    feed.app.register.replace_reference("late", table.set_column(0, "distance", further))
    feed.work()
    after = feed.app.read.drift("late", window=HOUR_US)[0].shifts["distance"].js_distance
    assert before < 0.3 < 0.8 < after
    assert feed.total("n") == 320


def test_a_new_feature_is_null_in_the_rows_of_before(feed: Feed) -> None:
    feed.predictions(prediction("a"))
    feed.work()
    features = [*FEATURES, {"name": "wind", "kind": "numeric"}]
    table = reference()
    windy = table.append_column("wind", pa.array(np.linspace(0, 10, table.num_rows)))
    feed.app.register.change("late", changed(features=features), windy)
    record = prediction("b")
    record["inputs"]["wind"] = 4.0
    feed.predictions(record)
    feed.outcomes(outcome("a", 1), outcome("b", 0))
    feed.work()
    (vector,) = feed.profiles().values()
    from tocsin.profiles import Profile

    with feed.app.records.read() as connection:
        plan = models.model_named(connection, "late").plan
    wind = Profile(plan, vector).feature("wind")
    assert dict(zip(wind.bins.labels, wind.n.tolist(), strict=True))["null"] == 1
    assert wind.n.sum() == 2
    assert wind.labelled.sum() == 2


def test_a_new_threshold_decides_new_rows_only(feed: Feed) -> None:
    feed.predictions(prediction("a", p=0.4))
    feed.work()
    feed.app.register.change("late", changed(threshold=0.3))
    feed.predictions(prediction("b", p=0.4))
    feed.work()
    assert feed.total("n") == 2
    assert feed.total("predicted_positive") == 1


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (changed(score="q"), "task, outputs, label and classes of 'late' are what its rows mean"),
        (changed(label="delay"), "cannot be changed"),
        (changed(positive="late", negative="not"), "cannot be changed"),
        (
            changed(features=[*FEATURES, {"name": "wind", "kind": "numeric"}]),
            "the reference lacks wind",
        ),
    ],
)
def test_what_rows_of_the_lake_mean_cannot_be_changed(
    feed: Feed, document: dict[str, Any], message: str
) -> None:
    before = feed.app.read.model("late").monitor
    with pytest.raises(SchemaError, match=message):
        feed.app.register.change("late", document)
    assert feed.app.read.model("late").monitor.schema == before.schema


def test_a_crash_before_the_rebuild_is_made_good_by_the_next_one(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.hours(0, 3)
    feed.work()
    rebuild = type(feed.app.rebuild)

    def dying(*_: Any) -> int:
        raise OSError("the process dies here")

    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "rebuild", dying)
        feed.app.register.change("late", changed(thresholds=[0.2]))
        feed.hours(3, 4)
        with pytest.raises(ExceptionGroup):
            feed.app.worker.work()
        # Neither folded nor evaluated meanwhile: the profiles are of two plans.
        assert feed.app.fold.waiting() == ["late"]
    feed.work()
    assert feed.total("n") == 320


def test_the_time_of_a_prediction_is_kept_by_a_rebuild(feed: Feed) -> None:
    feed.predictions(prediction("a", timestamp=START))
    feed.work()
    feed.app.register.change("late", monitor_document(granularity="5m"))
    feed.work()
    assert [key.bucket for key in feed.profiles()] == [int(START.timestamp() * 1e6)]


def test_a_rebuild_tells_how_many_days_are_done_until_it_is(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(3):
        feed.hours(24 * day, 24 * day + 2)
    feed.work()
    assert feed.app.read.status().rebuilding == ()
    real = rebuild_module.labels_of_day
    read: list[date] = []
    shown: list[Rebuilding | None] = []

    def failing(day: date, *rest: Any, **more: Any) -> pa.Table:
        read.append(day)
        if len(read) == 3:
            shown.append(feed.app.read.model("late").rebuilding)
            raise OSError("the disk is gone")
        return real(day, *rest, **more)

    feed.app.register.replace_reference("late", reference(300))
    assert feed.app.read.status().rebuilding == (Rebuilding("late", None, None),)
    monkeypatch.setattr(rebuild_module, "labels_of_day", failing)
    monkeypatch.setattr(rebuild_module, "_TOLD_EVERY", 0)
    with pytest.raises(OSError, match="gone"):
        feed.app.rebuild.rebuild("late")
    assert shown == [Rebuilding("late", 2, 3)]
    # Nobody rebuilds it now, but it waits for it.
    assert feed.app.read.model("late").rebuilding == Rebuilding("late", None, None)

    told: list[tuple[int, int]] = []
    feed.app.rebuild.rebuild("late", progress=lambda done, days: told.append((done, days)))
    assert told == [(0, 3), (1, 3), (2, 3)]
    assert feed.app.read.model("late").rebuilding is None


def test_a_rebuild_that_is_interrupted_is_not_shown_for_ever(feed: Feed) -> None:
    feed.hours(0, 2)
    feed.hours(24, 26)
    feed.work()

    def interrupted(done: int, _: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feed.app.rebuild.rebuild("late", progress=interrupted)
    assert feed.app.read.model("late").rebuilding is None


def test_a_rebuild_that_died_with_its_process_is_not_shown_by_the_next(settings: Settings) -> None:
    with opened(settings) as app:
        app.register.add("late", monitor_document(), reference(400))
        with app.records.write() as connection:
            record = models.model_named(connection, "late")
            models.rebuilt(connection, record.id, record.plan)
            models.rebuild_went_on(connection, record.id, done=1, days=3)
    with opened(settings) as app:
        assert app.read.model("late").rebuilding is None
