"""Findings of data quality: stored with every window, seen by rules, shown with expectations."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.world import HOUR, START, Feed, flights, monitor_document, outcome, prediction, reference

from tocsin.app import App, opened
from tocsin.errors import InvalidInputError, SchemaError
from tocsin.quality import Finding
from tocsin.records import evaluations, models
from tocsin.records.evaluation import Evaluation
from tocsin.service.quality import findings_of
from tocsin.settings import Settings
from tocsin.values import Bounded, Undefined, from_datetime

RULE = {"alert": "DataQuality", "expr": {"metric": "quality", "window": "1h"}}


def watched(app: App, **changes: Any) -> Feed:
    document = monitor_document(windows=["1h"], rules=[RULE]) | changes
    app.register.add("late", document, reference())
    return Feed(app, "late")


def send(feed: Feed, hour: int, n: int = 80, *, nulls: float = 0.0, **more: Any) -> None:
    """The flights of an hour, `nulls` of them without a distance."""
    made = flights(n, seed=hour)
    feed.predictions(
        *(
            prediction(
                f"{hour}-{i}",
                timestamp=START + HOUR * hour + HOUR * i / n,
                distance=None if i < nulls * n else float(made.distance[i]),
                **{"carrier": str(made.carrier[i]), **more},
            )
            for i in range(n)
        )
    )


def close(feed: Feed, hour: int) -> None:
    """A row of a later hour, so that those before it are over."""
    feed.predictions(prediction(f"end of {hour}", timestamp=START + HOUR * (hour + 0.5)))


def last(feed: Feed) -> Evaluation:
    with feed.app.records.read() as connection:
        record = models.model_named(connection, "late")
        spec = feed.app.read.model("late").monitor.windows[0]
        end = evaluations.newest_end(connection, record.id, spec)
        assert end is not None
        return evaluations.at(connection, record.id, spec.size, [end])[end]


def found(feed: Feed) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings_of(last(feed))}


def episodes(feed: Feed) -> list[tuple[str, bool]]:
    """The alerts of all incidents by instance, and whether they are over."""
    return [
        (episode.instance, episode.resolved is not None)
        for incident in feed.app.read.incidents()
        for episode in (feed.app.read.incident(incident.id) or pytest.fail("gone")).episodes
    ]


def test_nulls_that_the_reference_never_had_alert_at_once_and_resolve(app: App) -> None:
    feed = watched(app)
    send(feed, 0)
    send(feed, 1, nulls=0.5)
    close(feed, 2)
    feed.work()
    assert episodes(feed) == [("distance/null_rate", False)]
    (incident,) = feed.app.read.incidents()
    assert incident.title == "Nulls of distance beyond what is expected over 1h"
    said = "`distance` has no value in 50.0 % of 80 rows; the reference has none"
    assert found(feed)["distance/null_rate"].reason == said
    # Before there are windows like it, the finding is what is known of the cause.
    assert [(cause["kind"], cause["sentence"]) for cause in incident.causes] == [("nulls", said)]
    send(feed, 3)
    close(feed, 4)
    feed.work()
    assert episodes(feed) == [("distance/null_rate", True)]


def test_a_quiet_window_of_few_rows_ends_no_alert(app: App) -> None:
    feed = watched(app)
    send(feed, 1, nulls=0.5)
    send(feed, 2, n=5)
    close(feed, 3)
    feed.work()
    assert episodes(feed) == [("distance/null_rate", False)]


def test_an_old_window_that_is_revised_wakes_nobody(app: App) -> None:
    feed = watched(app)
    send(feed, 1)
    send(feed, 2)
    close(feed, 3)
    feed.work()
    feed.predictions(
        *(prediction(f"later-{i}", timestamp=START + HOUR * 1.5, distance=None) for i in range(80))
    )
    feed.work()
    # It is on record, as over; the hour after it was well.
    assert episodes(feed) == [("distance/null_rate", True)]
    assert feed.app.read.status().outbox == {}


def test_a_rule_on_a_rate_has_an_instance_for_each_feature(app: App) -> None:
    expr = {"metric": "null_rate", "by": ["feature"], "window": "1h", "op": ">", "value": 0.05}
    feed = watched(app, rules=[{"alert": "Nulls", "expr": expr}])
    send(feed, 1, nulls=0.3)
    close(feed, 2)
    feed.work()
    assert episodes(feed) == [("distance", False)]
    (incident,) = feed.app.read.incidents()
    assert incident.title == "Nulls of distance is above 0.05 over 1h"
    (episode,) = (feed.app.read.incident(incident.id) or pytest.fail("gone")).episodes
    assert episode.category == "data_quality"


def test_a_rule_on_the_volume_counts_rows(app: App) -> None:
    expr = {"metric": "volume", "window": "1h", "op": "<", "value": 50}
    feed = watched(app, rules=[{"alert": "Few", "expr": expr}])
    send(feed, 1)
    send(feed, 2, n=30)
    close(feed, 3)
    feed.work()
    assert episodes(feed) == [("", False)]


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        ({"metric": "quality", "op": ">", "value": 1}, "takes no `op`"),
        ({"metric": "null_rate"}, "needs `op` and `value`"),
        ({"metric": "volume", "by": "feature", "op": "<", "value": 1}, "has no `by"),
        ({"metric": "nulls", "op": ">", "value": 1}, "null_rate"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(app: App, expr: dict[str, Any], said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        watched(app, rules=[{"alert": "X", "expr": {"window": "1h", **expr}}])


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"speed": {"null_rate": 0.1}}, "there is no feature 'speed'; there are distance, carrier"),
        ({"carrier": {"range": [0, 1]}}, "a categorical feature has no `range`; write `values`"),
        ({"distance": {"values": ["a"]}}, "a numeric feature has no `values`; write `range`"),
        ({"distance": {"range": [2, 1]}}, r"range \[2, 1\] needs two finite numbers"),
        ({"distance": {"null_rate": 2}}, "less than or equal to 1"),
        ({"distance": {"nulls": 0.1}}, "nulls"),
    ],
)
def test_expectations_that_cannot_be_meant_are_refused(
    app: App, features: dict[str, Any], said: str
) -> None:
    with pytest.raises(SchemaError, match=said):
        watched(app, quality={"features": features})


def test_a_declared_limit_counts_from_the_next_window_on(app: App) -> None:
    feed = watched(app)
    send(feed, 1, nulls=0.06)
    close(feed, 2)
    feed.work()
    assert episodes(feed) == []
    document = monitor_document(
        windows=["1h"], rules=[RULE], quality={"features": {"distance": {"null_rate": 0.0}}}
    )
    app.register.change("late", document)
    send(feed, 3, nulls=0.06)
    close(feed, 4)
    feed.work()
    assert episodes(feed) == [("distance/null_rate", False)]


def test_a_range_and_values_are_told_exactly_after_the_rebuild_that_they_cause(app: App) -> None:
    feed = watched(app)
    send(feed, 1, carrier="AA")
    close(feed, 2)
    feed.work()
    document = monitor_document(
        windows=["1h"],
        rules=[RULE],
        quality={
            "features": {"distance": {"range": [0, 900]}, "carrier": {"values": ["B6", "ZZ"]}}
        },
    )
    app.register.change("late", document)
    feed.work()
    newest = app.quality.view("late").points[-1]
    rates = {m.cell.name: m.measure for m in newest.measured}
    made = flights(80, seed=1)
    out = rates["distance/out_of_range_rate"]
    assert isinstance(out, Bounded)
    assert out.value == pytest.approx(((made.distance < 0) | (made.distance > 900)).mean())
    unseen = rates["carrier/unseen_rate"]
    assert isinstance(unseen, Bounded)
    assert (unseen.value, unseen.n) == (1.0, 80)


def test_a_declared_range_is_meant_whatever_the_reference_has(app: App) -> None:
    features = {"distance": {"range": [0, 100]}, "carrier": {"values": ["ZZ"]}}
    feed = watched(app, quality={"features": features})
    send(feed, 1)
    close(feed, 2)
    feed.work()
    reasons = {name: finding.reason for name, finding in found(feed).items()}
    assert set(reasons) == {"distance/out_of_range_rate", "carrier/unseen_rate"}
    said = "; its range is declared, at most 1.0 % may be outside"
    assert reasons["distance/out_of_range_rate"].endswith(said)
    notes = app.read.model("late").notes
    assert len(notes) == 2
    words = "`distance` is out of range in 99.9 % of the reference, as its range or values are"
    assert notes[0].startswith(words)
    assert notes[1].startswith("`carrier` has unseen values in")


def test_a_feature_that_is_off_alerts_nobody(app: App) -> None:
    feed = watched(app, quality={"features": {"distance": "off"}})
    send(feed, 1, nulls=1.0)
    close(feed, 2)
    feed.work()
    assert episodes(feed) == []


def test_what_is_expected_can_be_put_back_into_the_monitor(app: App) -> None:
    watched(app)
    view = app.quality.expectations("late")
    assert view.document["features"]["carrier"]["values"] == ["AA", "B6", "UA"]
    document = monitor_document(windows=["1h"], rules=[RULE], quality=view.document)
    app.register.change("late", document)
    again = app.quality.expectations("late")
    assert again.document == view.document
    assert all(e.declared for e in again.expectations if e.cell.check.share and e.limit < 1)


def test_repeats_and_misfits_are_counted_in_the_window_of_their_events(app: App) -> None:
    feed = watched(app)
    send(feed, 1, n=40)
    send(feed, 1, n=40)
    wrong = [
        prediction(f"bad-{i}", timestamp=START + HOUR * 1.5, distance="far") for i in range(10)
    ]
    feed.predictions(*wrong, prediction("odd", timestamp=START + HOUR * 2.2, distance="far"))
    close(feed, 3)
    feed.work()
    view = app.quality.view("late")
    (first,) = [p for p in view.points if p.window.start == from_datetime(START + HOUR)]
    rates = {m.cell.name: m.measure for m in first.measured}
    repeats, misfits = rates["duplicate_rate"], rates["quarantine_rate"]
    assert isinstance(repeats, Bounded)
    assert isinstance(misfits, Bounded)
    assert (repeats.value, repeats.n, misfits.value, misfits.n) == (0.5, 80, 0.2, 50)


def test_why_rows_are_in_quarantine_is_kept_without_their_values(app: App) -> None:
    feed = watched(app)
    send(feed, 1, n=30)
    feed.predictions(
        *(
            prediction(f"bad-{i}", timestamp=START + HOUR * 1.5, distance=f"far {i}")
            for i in range(3)
        )
    )
    close(feed, 2)
    feed.work()
    assert app.quality.view("late").because == {"inputs.distance: expected a number, not …": 3}


def test_fields_that_the_schema_does_not_know_are_counted(app: App) -> None:
    feed = watched(app)
    rows = [prediction(f"p{i}", timestamp=START + timedelta(minutes=i)) for i in range(30)]
    for row in rows[:15]:
        row["inputs"]["dist_km"] = 1.0
    feed.predictions(*rows)
    close(feed, 2)
    feed.work()
    rates = {m.cell.name: m.measure for m in app.quality.view("late").points[-1].measured}
    unknown = rates["unknown_field_rate"]
    assert isinstance(unknown, Bounded)
    assert (unknown.value, unknown.n) == (0.5, 30)


def test_a_rebuild_leaves_what_came_in_as_it_was(app: App) -> None:
    feed = watched(app)
    send(feed, 1, n=40)
    send(feed, 1, n=40)
    close(feed, 2)
    feed.work()
    before = app.quality.view("late").points
    app.rebuild.rebuild("late")
    feed.work()
    assert [p.measured for p in app.quality.view("late").points] == [p.measured for p in before]


def test_numbers_too_large_to_sum_are_found_and_not_only_labelled(settings: Settings) -> None:
    document = {
        "schema": {
            "task": "regression",
            "features": [{"name": "distance", "kind": "numeric"}],
            "prediction": "minutes",
            "label": "took",
        },
        "windows": ["1h"],
        "rules": [RULE],
    }
    table = reference()
    table = table.append_column("minutes", table["p"]).append_column("took", table["p"])
    with opened(settings) as app:
        app.register.add("late", document, table)
        feed = Feed(app, "late")
        rows = [
            {
                "prediction_id": f"p{i}",
                "timestamp": (START + timedelta(minutes=i)).isoformat(),
                "inputs": {"distance": 1000.0},
                "outputs": {"minutes": 0.5},
            }
            for i in range(40)
        ]
        feed.predictions(*rows, {**rows[0], "prediction_id": "end", "timestamp": at(3)})
        feed.outcomes(
            *(outcome(f"p{i}", 1e300 if i < 20 else 0.5, timestamp=START) for i in range(40))
        )
        feed.work()
        newest = app.quality.view("late").points[-1]
    (finding,) = [f for f in newest.findings if f.check == "uncounted_label_rate"]
    assert finding.reason == (
        "outcome or prediction cannot be compared, being missing, not finite or too large, in "
        "50.0 % of 40 labelled rows; the reference has none"
    )


def at(hour: int) -> str:
    moment: datetime = START + HOUR * hour
    return moment.isoformat()


def test_labels_that_should_be_there_by_now_are_missed(app: App) -> None:
    feed = watched(app, labels={"max": "1d", "delay": "3h"})
    feed.hours(0, 40)
    feed.hours(40, 46, labelled=False)
    feed.work()
    points = app.quality.view("late").points
    assert points[20].labels.missing == pytest.approx(0, abs=0.02)
    assert points[41].labels.missing == 1.0
    # As many are expected of a window, however few are looked at.
    (alone,) = app.quality.view("late", span=int(HOUR.total_seconds()) * 1_000_000).points
    assert alone.labels == points[-1].labels
    assert alone.labels.expected is not None
    late = points[20].labels.late
    assert isinstance(late, Bounded)
    assert late.value < 0.02


def test_a_rate_may_learn_what_is_usual_for_it(app: App) -> None:
    expr = {"metric": "null_rate", "window": "1h", "op": ">", "value": "auto"}
    feed = watched(app, rules=[{"alert": "NullsWent", "expr": expr}])
    send(feed, 1)
    close(feed, 2)
    feed.work()
    assert set(last(feed).trends["NullsWent"]) == {"distance", "carrier"}


def test_the_volume_is_compared_with_windows_of_the_same_time_of_day(app: App) -> None:
    feed = watched(app)
    for day in range(9):
        send(feed, 24 * day + 3, n=100 if day < 8 else 20)
    close(feed, 24 * 8 + 4)
    feed.work()
    said = found(feed)["volume"]
    assert said.reason == (
        "only 20 rows; windows like this have about 100, and at least 100 but for one"
    )
    assert ("volume", False) in episodes(feed)


def test_freshness_is_declared_or_learned_and_a_replay_is_never_late(app: App) -> None:
    feed = watched(app, quality={"freshness": "2h"})
    send(feed, 1)
    feed.work()
    fresh = app.quality.view("late").freshness
    assert (fresh.stale, fresh.limit) == (False, None)
    assert "replay" in fresh.reason


def test_the_number_of_rows_has_a_series_as_rules_may_look_at_it(app: App) -> None:
    feed = watched(app)
    feed.hours(0, 3)
    send(feed, 3, n=40)
    close(feed, 4)
    feed.work()
    series = app.read.series("late", "volume", window=int(HOUR.total_seconds()) * 1_000_000)
    assert [p.measure.value for p in series.points if isinstance(p.measure, Bounded)] == [
        *(80, 80, 80, 40)
    ]
    assert isinstance(series.reference, Undefined)
    with pytest.raises(InvalidInputError, match="did you mean"):
        app.read.series("late", "label_rat")


def test_a_declared_number_of_rows_is_one_of_the_shortest_windows(app: App) -> None:
    feed = watched(app, windows=["1h", "6h"], quality={"volume": {"max": 100}})
    feed.hours(0, 13)
    feed.work()
    for size in (1, 6):
        view = app.quality.view("late", window=size * int(HOUR.total_seconds()) * 1_000_000)
        assert view.points[-1].rows == 80 * size
        assert [f.name for f in view.points[-1].findings if f.name == "volume"] == []
