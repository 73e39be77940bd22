"""Drift of all columns as it is configured, against both references, from rows to verdicts."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.world import (
    HOUR,
    START,
    Feed,
    flights,
    monitor_document,
    outcome,
    prediction,
    reference,
)

from tocsin.app import App, opened
from tocsin.drift import STATISTICS, Verdict
from tocsin.errors import InvalidInputError, SchemaError
from tocsin.service.views import DriftPoint
from tocsin.settings import Settings
from tocsin.values import DAY

ONE_HOUR = DAY // 24


@pytest.fixture
def app(tmp_path: Path):
    with opened(Settings(tmp_path / "data", "127.0.0.1", 1, "http://tocsin.test", None)) as running:
        yield running


def fed(app: App, hours: int = 12, rows: int = 400, **drift: Any) -> Feed:
    rules = [{"alert": "Drift", "expr": {"metric": "drift", "window": "1h"}}]
    document = monitor_document(windows=["1h"], rules=rules, drift=drift)
    app.register.add("late", document, reference())
    feed = Feed(app, "late")
    feed.hours(0, hours, rows=rows)
    feed.work()
    return feed


def newest(app: App, **more: Any) -> DriftPoint:
    return app.read.drift("late", window=ONE_HOUR, **more)[-1]


def test_a_chosen_method_decides_without_any_history(app: App) -> None:
    feed = fed(app, features={"distance": {"method": "wasserstein", "threshold": 0.5}})
    feed.hours(12, 14, rows=400, distance_factor=1.6)
    feed.work()
    shift = newest(app).shifts["distance"]
    assert (shift.verdict, shift.method, shift.threshold) == (Verdict.DRIFT, "wasserstein", 0.5)
    # 1.6 times a mean of 1000 is 2 deviations of 300 more.
    assert shift.value == pytest.approx(2, abs=0.2)
    assert shift.reason.endswith("is over 0.5")
    assert newest(app).shifts["carrier"].method is None
    (incident,) = app.read.incidents(open_only=True)
    assert incident.title == "distance has drifted over 1h"


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.15, Verdict.INSUFFICIENT), (1.6, Verdict.DRIFT)]
)
def test_in_few_rows_a_chosen_method_calls_drift_what_is_no_chance(
    app: App, factor: float, verdict: Verdict
) -> None:
    feed = fed(app, method="psi", threshold=0.1)
    feed.hours(12, 14, rows=60, distance_factor=factor)
    feed.work()
    shift = newest(app).shifts["distance"]
    assert shift.value is not None
    assert shift.value > 0.1
    assert shift.n < shift.minimum_n
    assert shift.verdict is verdict
    assert len(app.read.incidents()) == (verdict is Verdict.DRIFT)


def test_another_threshold_judges_later_windows_only(app: App) -> None:
    feed = fed(app, method="js", threshold=0.9)
    feed.hours(12, 14, rows=400, distance_factor=1.6)
    feed.work()
    assert newest(app).shifts["distance"].verdict is Verdict.NONE
    document = monitor_document(windows=["1h"], rules=[], drift={"method": "js", "threshold": 0.2})
    app.register.change("late", document)
    feed.hours(14, 16, rows=400, distance_factor=1.6)
    feed.work()
    points = app.read.drift("late", window=ONE_HOUR)
    before, now = points[12], points[14]
    assert before.shifts["distance"].threshold == 0.9
    assert before.shifts["distance"].verdict is Verdict.NONE
    assert now.shifts["distance"].verdict is Verdict.DRIFT


def test_a_slow_change_is_far_from_the_frozen_and_near_to_the_trailing_reference(app: App) -> None:
    feed = fed(app, hours=0)
    feed.hours(0, 30, rows=300, distance_factor=1.5)
    feed.work()
    frozen, trailing = newest(app), newest(app, reference="trailing")
    assert frozen.shifts["distance"].js_distance > 0.5
    assert trailing.shifts["distance"].js_distance < 0.1
    assert trailing.shifts["distance"].verdict is not Verdict.DRIFT
    assert frozen.shifts["distance"] == newest(app, reference="frozen").shifts["distance"]


def test_a_monitor_may_judge_by_the_trailing_reference(app: App) -> None:
    feed = fed(app, hours=0, reference="trailing", trailing="12h", method="js", threshold=0.4)
    feed.hours(0, 8, rows=300)
    feed.hours(8, 30, rows=300, distance_factor=1.5)
    feed.work()
    shifts = [point.shifts["distance"] for point in app.read.drift("late", window=ONE_HOUR)]
    drifted = [i for i, shift in enumerate(shifts) if shift.verdict is Verdict.DRIFT]
    # The first hours of the change, until the reference holds about as much of it.
    assert drifted[0] == 8
    assert 8 < drifted[-1] < 16
    # Nothing came before the first hour: it is measured from the frozen reference.
    assert shifts[0].verdict is Verdict.NONE


def test_predicted_classes_and_labels_are_watched_beside_features(app: App) -> None:
    feed = fed(app)
    shifts = newest(app).shifts
    # The newest hour has no label yet; they come two hours late.
    assert {"distance", "carrier", "p", "prediction"} <= set(shifts)
    labelled = app.read.drift("late", window=ONE_HOUR)[0].shifts["label"]
    assert labelled.n == 400
    assert labelled.verdict in (Verdict.NONE, Verdict.LEARNING)
    feed.hours(12, 13, rows=400, flip_labels=True)
    feed.hours(13, 16, rows=400)
    feed.work()
    flipped = app.read.drift("late", window=ONE_HOUR)[12].shifts
    assert flipped["label"].n == 400


def test_labels_are_not_judged_before_half_of_them_are_there(app: App) -> None:
    feed = fed(app, hours=0)
    feed.hours(0, 2, rows=300, labelled=False)
    feed.hours(2, 5, rows=300)
    feed.work()
    points = app.read.drift("late", window=ONE_HOUR)
    assert "label" not in points[0].shifts
    assert "label" in points[2].shifts


def test_late_labels_change_the_verdict_on_labels_and_leave_the_others(app: App) -> None:
    feed = fed(app, hours=0, features={"label": {"method": "chi2", "threshold": 0.001}})
    feed.hours(0, 4, rows=300, labelled=False)
    feed.work()
    before = app.read.drift("late", window=ONE_HOUR)[0].shifts
    from tests.world import outcome

    feed.outcomes(*(outcome(f"h0-{i}", 1, timestamp=START + 5 * HOUR) for i in range(300)))
    feed.work()
    after = app.read.drift("late", window=ONE_HOUR)[0].shifts
    assert after["label"].verdict is Verdict.DRIFT
    assert {name: after[name] for name in before} == before


def test_the_labels_of_a_regression_are_judged_by_their_moments(app: App) -> None:
    made = flights(4_000, seed=1)
    table = pa.table({"distance": made.distance, "m": made.distance / 10, "delay": made.distance})
    schema = {
        "task": "regression",
        "features": [{"name": "distance", "kind": "numeric"}],
        "prediction": "m",
        "label": "delay",
    }
    app.register.add("flat", {"schema": schema, "windows": ["1h"], "rules": []}, table)
    feed = Feed(app, "flat")
    now = flights(500, seed=2)
    for hour, factor in ((0, 1.0), (1, 1.5), (2, 1.0), (3, 1.0)):
        at = START + HOUR * hour
        rows = [{"prediction_id": f"{hour}-{i}", "timestamp": at.isoformat()} for i in range(500)]
        feed.predictions(
            *(
                row | {"inputs": {"distance": float(d)}, "outputs": {"m": float(d) / 10}}
                for row, d in zip(rows, now.distance, strict=True)
            )
        )
        feed.outcomes(
            *(
                row | {"actual_outcome": float(d) * factor}
                for row, d in zip(rows, now.distance, strict=True)
            )
        )
    feed.work()
    first, second = app.read.drift("flat", window=ONE_HOUR)[:2]
    assert first.shifts["label"].js_distance < 0.1
    assert second.shifts["label"].js_distance > 0.4
    assert second.shifts["m"].js_distance < 0.15


def test_all_statistics_of_a_column_are_told_against_both_references(app: App) -> None:
    fed(app, method="psi", threshold=0.2)
    found = app.read.statistics("late", "distance", window=ONE_HOUR)
    assert found is not None
    frozen, trailing = found.references
    assert (frozen.kind, frozen.rows, frozen.decides) == ("frozen", 5_000, True)
    assert (trailing.kind, trailing.rows, trailing.decides) == ("trailing", 10 * 400, False)
    for each in found.references:
        assert [j.statistic.name for j in each.judgements] == list(STATISTICS)
    psi = next(j for j in frozen.judgements if j.statistic.name == "psi")
    assert psi.threshold == 0.2
    # The table and the stored verdict are of one number.
    assert psi.value == newest(app).shifts["distance"].value
    js = next(j for j in frozen.judgements if j.statistic.name == "jensen_shannon")
    assert js.value == pytest.approx(newest(app).shifts["distance"].js_distance)


@pytest.mark.parametrize("column", ["p", "prediction", "label"])
def test_outputs_and_labels_have_statistics_too(app: App, column: str) -> None:
    fed(app)
    found = app.read.statistics("late", column, window=ONE_HOUR)
    assert found is not None
    ks = next(j for j in found.references[0].judgements if j.statistic.name == "ks_test")
    assert (ks.value is None) == (column != "p")


def test_a_column_that_is_not_watched_is_refused_with_those_that_are(app: App) -> None:
    fed(app, hours=2)
    with pytest.raises(InvalidInputError, match="'weight'; there are carrier, distance, label"):
        app.read.statistics("late", "weight", window=ONE_HOUR)


def test_a_rule_on_features_does_not_ring_for_labels_and_classes(app: App) -> None:
    rules = [
        {"alert": name, "expr": {"metric": name, "window": "1h"}}
        for name in ("drift", "prediction_drift", "label_drift")
    ]
    app.register.add("late", monitor_document(rules=rules), reference())
    feed = Feed(app, "late")
    feed.hours(0, 24 * 9, rows=300)
    feed.work()
    assert app.read.incidents() == []
    # Other outcomes for the same rows.
    feed.hours(24 * 9, 24 * 9 + 4, rows=300, flip_labels=True)
    feed.work()
    flipped = app.read.incidents()

    for hour in range(24 * 9 + 4, 24 * 9 + 8):
        time = START + HOUR * hour
        rows = [prediction(f"one-{hour}-{i}", timestamp=time, p=0.9) for i in range(300)]
        feed.predictions(*rows)
        feed.outcomes(*(outcome(row["prediction_id"], 1, timestamp=time) for row in rows))
    feed.work()
    rang = {
        (episode.rule, episode.instance)
        for incident in app.read.incidents()
        if (detail := app.read.incident(incident.id)) is not None
        for episode in detail.episodes
    }
    # Half of the labels are 1 either way: what flips them is for other signals.
    assert flipped == []
    assert {rule for rule, instance in rang if instance == "label"} == {"label_drift"}
    for output in ("prediction", "p"):
        assert {rule for rule, instance in rang if instance == output} == {"prediction_drift"}
    assert {instance for rule, instance in rang if rule == "drift"} <= {"distance", "carrier"}


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("carrier", "the reference has 3 categories, not two categories"),
        ("distance", "the reference has 20 bins of numbers, not two categories"),
    ],
)
def test_a_method_that_can_never_judge_a_column_is_refused(
    app: App, column: str, said: str
) -> None:
    drift = {"features": {column: {"method": "z_test"}}}
    with pytest.raises(SchemaError, match=f"z_test cannot judge '{column}': {said}"):
        app.register.add("late", monitor_document(drift=drift), reference())
    app.register.add("late", monitor_document(), reference())
    with pytest.raises(SchemaError, match=said):
        app.register.change("late", monitor_document(drift=drift))
    two = {"features": {"prediction": {"method": "z_test"}}}
    app.register.change("late", monitor_document(drift=two))


def test_a_window_keeps_the_method_by_which_it_was_judged(app: App) -> None:
    feed = fed(app, hours=3)
    methods = {"features": {"distance": {"method": "psi", "threshold": 0.3}}}
    app.register.change("late", monitor_document(windows=["1h"], drift=methods))
    before = app.read.statistics("late", "distance", window=ONE_HOUR)
    assert before is not None
    assert before.method is None
    feed.hours(3, 5, rows=400)
    feed.work()
    after = app.read.statistics("late", "distance", window=ONE_HOUR)
    assert after is not None
    assert after.method == "psi"
    psi = next(j for j in after.references[0].judgements if j.statistic.name == "psi")
    assert psi.threshold == 0.3
