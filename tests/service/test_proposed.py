"""Rules that are proposed where nobody named any."""

import pytest
from tests.world import Feed, flights, monitor_document, reference

from tocsin.app import App
from tocsin.declared import parse_monitor
from tocsin.metrics import METRICS
from tocsin.records import models
from tocsin.rules import Operator, Rule
from tocsin.values import DAY, HOUR, Bounded


def added(app: App, name: str = "late", rows: int = 5_000, **logged: float) -> tuple[Rule, ...]:
    app.register.add(name, monitor_document(), reference(rows), logged=logged)
    with app.records.read() as connection:
        record = models.model_named(connection, name)
    return parse_monitor(name, record.monitor).rules


def test_a_performance_rule_is_as_far_under_the_reference_as_it_says(app: App) -> None:
    drift, low, _ = added(app)
    with app.records.read() as connection:
        measured = METRICS["roc_auc"].measure(models.model_named(connection, "late").reference).at()
    assert isinstance(measured, Bounded)
    assert (drift.metric, drift.window) == ("drift", HOUR)
    assert (low.name, low.metric, low.op, low.window) == (
        "RocAucLow", "roc_auc", Operator.BELOW, DAY,
    )  # fmt: skip
    assert low.value == pytest.approx(measured.value - 0.05, abs=1e-4)
    assert low.clear == pytest.approx(measured.value - 0.03, abs=1e-4)
    assert low.confident
    notes = app.read.model("late").notes
    assert any("RocAucLow" in note and f"{measured.value:.3f}" in note for note in notes)


def test_where_the_reference_has_few_labels_what_mlflow_has_is_taken(app: App) -> None:
    assert added(app, "some", rows=200, roc_auc=0.8)[1].value == pytest.approx(0.75)
    assert added(app, "flattered", rows=200, training_roc_auc=0.9)[1].value == pytest.approx(0.85)
    assert any("flatters" in note for note in app.read.model("flattered").notes)


def test_where_nobody_knows_how_good_it_is_the_rule_learns_it(app: App) -> None:
    drift, went, _ = added(app, rows=200, accuracy_score=0.9)
    assert (drift.name, went.name, went.auto, went.value) == (
        "FeatureDrift",
        "RocAucWent",
        True,
        None,
    )
    assert any("How good it is is not known" in note for note in app.read.model("late").notes)


def test_an_error_may_grow_by_a_fifth(app: App) -> None:
    made = flights(1_000, seed=1)
    table = reference(1_000).drop_columns(["p", "late"])
    table = table.append_column("said", [made.distance]).append_column("minutes", [made.score])
    document = monitor_document()
    document["schema"] = {
        **{k: v for k, v in document["schema"].items() if k == "features"},
        "task": "regression",
        "prediction": "said",
        "label": "minutes",
    }
    app.register.add("delay", document, table, logged={})
    with app.records.read() as connection:
        record = models.model_named(connection, "delay")
    high = parse_monitor("delay", record.monitor).rules[1]
    error = abs(made.distance - made.score).mean()
    assert (high.name, high.op) == ("MeanAbsoluteErrorHigh", Operator.ABOVE)
    assert high.value == pytest.approx(1.2 * error, rel=0.01)
    assert high.clear is not None
    assert high.clear < 1.2 * error


def test_rules_of_ones_own_are_left_as_they_are(app: App) -> None:
    app.register.add("late", monitor_document(rules=[]), reference(), logged={})
    with app.records.read() as connection:
        assert models.model_named(connection, "late").monitor["rules"] == []


def test_the_rule_fires_for_a_model_that_is_worse_and_not_for_one_that_is_not(app: App) -> None:
    added(app)
    feed = Feed(app, "late")
    feed.hours(0, 50)
    feed.work()
    assert app.read.incidents() == []
    feed.hours(50, 80, flip_labels=True)
    feed.work()
    (incident,) = app.read.incidents()
    assert "AUC" in incident.title


def test_who_added_and_changed_a_model_is_recorded(app: App) -> None:
    app.register.add("late", monitor_document(), reference(500), actor="anna")
    app.register.change("late", monitor_document(rules=[]), actor="bert")
    app.register.replace_reference("late", reference(400), actor="cleo")
    found = app.audit.listed(after=0)
    assert [(r.deed.event, r.deed.actor) for r in found] == [
        ("model.added", "anna"),
        ("model.changed", "bert"),
        ("model.reference", "cleo"),
    ]
    assert found[0].deed.after == found[1].deed.before != found[1].deed.after
