"""What one extreme row does: nothing to windows without it, and nothing once it is taken back."""

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.world import START, Feed, monitor_document, reference

from tocsin.app import App, opened
from tocsin.errors import InvalidInputError, SchemaError, StartupError
from tocsin.metrics import Measured, Metric, register
from tocsin.profiles import Profile
from tocsin.records import models
from tocsin.service.stacks import _between
from tocsin.settings import Settings
from tocsin.values import HOUR as HOUR_US
from tocsin.values import Bounded, Undefined

HOUR = timedelta(hours=1)
DOCUMENT = {
    "schema": {
        "task": "regression",
        "features": [{"name": "x", "kind": "numeric"}],
        "prediction": "said",
        "label": "paid",
    },
    "windows": ["1h", "6h"],
    "rules": [],
}


@pytest.fixture
def house(app: App) -> Feed:
    rng = np.random.default_rng(0)
    paid = rng.normal(100, 5, 500)
    said = paid + rng.normal(0, 2, 500)
    app.register.add("house", DOCUMENT, pa.table({"x": paid, "said": said, "paid": paid}))
    return Feed(app, "house")


def send(feed: Feed, hours: int, rows: int = 20) -> None:
    rng = np.random.default_rng(1)
    predictions, outcomes = [], []
    for hour in range(hours):
        for i in range(rows):
            at, paid = START + HOUR * hour + HOUR * i / rows, float(rng.normal(100, 5))
            predictions.append(
                {"prediction_id": f"{hour}-{i}", "timestamp": at.isoformat(),
                 "inputs": {"x": paid}, "outputs": {"said": paid + float(rng.normal(0, 2))}}
            )  # fmt: skip
            outcomes.append(
                {"prediction_id": f"{hour}-{i}", "timestamp": (at + HOUR).isoformat(),
                 "actual_outcome": paid}
            )  # fmt: skip
    for kind, rows_of in (("predictions", predictions), ("outcomes", outcomes)):
        feed.app.ingest.accept("house", kind, json.dumps(rows_of).encode())  # type: ignore[arg-type]
    feed.work()


def correct(feed: Feed, prediction_id: str, paid: float, hours: int) -> None:
    record = {"prediction_id": prediction_id, "actual_outcome": paid,
              "timestamp": (START + HOUR * hours).isoformat()}  # fmt: skip
    feed.app.ingest.accept("house", "outcomes", json.dumps(record).encode())
    feed.work()


def measures(feed: Feed, metric: str, window: int) -> list[Any]:
    return [p.measure for p in feed.app.read.series("house", metric, window=window).points]


@pytest.mark.parametrize("extreme", [1e9, 1e20])
def test_windows_without_an_extreme_row_do_not_notice_it(house: Feed, extreme: float) -> None:
    send(house, 20)
    names = ["root_mean_squared_error", "r2_score", "mean_absolute_percentage_error"]
    before = {name: measures(house, name, 6 * HOUR_US) for name in names}
    correct(house, "2-3", extreme, 30)
    for name, old in before.items():
        new = measures(house, name, 6 * HOUR_US)
        # Windows of six hours that begin after hour 2.
        assert new[9:] == old[9:], name
        assert new[3] != old[3], name


@pytest.mark.parametrize("extreme", [0.0, 1e-12, 1e12])
def test_an_extreme_label_that_is_corrected_leaves_nothing_behind(
    house: Feed, extreme: float
) -> None:
    send(house, 4)
    names = ["root_mean_squared_error", "r2_score", "mean_absolute_percentage_error"]
    correct(house, "1-3", 100.0, 10)
    before = {name: measures(house, name, HOUR_US)[1] for name in names}
    correct(house, "1-3", extreme, 11)
    assert measures(house, names[0], HOUR_US)[1] != before[names[0]]
    correct(house, "1-3", 100.0, 12)
    for name, old in before.items():
        new = measures(house, name, HOUR_US)[1]
        assert isinstance(new, Bounded)
        assert (new.value, new.low, new.high) == pytest.approx((old.value, old.low, old.high))


def test_an_error_is_not_relative_to_a_label_of_zero(house: Feed) -> None:
    send(house, 2)
    correct(house, "0-3", 0.0, 10)
    assert measures(house, "mean_absolute_percentage_error", HOUR_US)[0] == Undefined(
        "a label is 0, and no error is relative to it", 20
    )


def test_sums_between_buckets_are_those_of_each_window_alone() -> None:
    values = np.array([[1.0], [1e20], [2.0], [3.0]])
    assert _between(values, [0, 2, 1], [1, 4, 1]).tolist() == [[1.0], [5.0], [0.0]]


def test_a_rule_may_write_its_threshold_in_any_way(app: App) -> None:
    rule = {"alert": "A", "expr": {"metric": "recall_score@0.50", "window": "1h", "op": "<",
                                   "value": 0.99}}  # fmt: skip
    app.register.add("late", monitor_document(rules=[rule]), reference())
    feed = Feed(app, "late")
    feed.hours(0, 4)
    feed.work()
    assert len(app.read.incidents()) == 1
    assert app.read.series("late", "recall_score@.50", window=HOUR_US).metric.name == (
        "recall_score@0.5"
    )


def test_a_function_that_fails_keeps_no_other_metric_from_being_measured(app: App) -> None:
    def failing(_: Profile) -> Measured:
        raise ZeroDivisionError("by nothing")

    register(Metric("failing", "Failing", failing, None))
    document = monitor_document(metrics=[{"name": "ours", "function": "failing"}])
    app.register.add("late", document, reference())
    feed = Feed(app, "late")
    feed.hours(0, 3)
    feed.work()
    (ours, score) = (
        app.read.series("late", name, window=HOUR_US).points[0].measure
        for name in ("ours", "mean_score")
    )
    assert ours == Undefined("failing failed: ZeroDivisionError: by nothing", 0)
    assert isinstance(score, Bounded)


def test_a_feature_that_comes_back_has_to_be_spelt_as_before(feed: Feed) -> None:
    feed.hours(0, 2)
    feed.work()
    outputs = {"score": "p", "label": "late"}
    carrier = {"name": "carrier", "kind": "categorical"}
    without = monitor_document(schema={"features": [carrier], **outputs})
    feed.app.register.change("late", without)
    feed.work()
    features = [carrier, {"name": "Distance", "kind": "numeric"}]
    columns = reference().column_names
    table = reference().rename_columns([c.replace("distance", "Distance") for c in columns])
    again = monitor_document(schema={"features": features, **outputs})
    with pytest.raises(SchemaError, match="input_Distance already, in another spelling"):
        feed.app.register.change("late", again, table)
    feed.app.register.change("late", monitor_document())
    feed.work()
    assert feed.total("n") == 160


def test_coarser_steps_leave_the_windows_of_finer_ones_behind(feed: Feed) -> None:
    feed.hours(0, 60)
    feed.work()
    feed.app.register.change("late", monitor_document(granularity="6h", windows=["6h", "24h"]))
    feed.work()
    points = feed.app.read.series("late", "coverage").points
    assert all(p.window.end % (6 * HOUR_US) == 0 for p in points)
    assert points[-1].rows == 24 * 80


def test_data_of_another_format_is_told_at_once(settings: Settings) -> None:
    with opened(settings) as app:
        app.register.add("late", monitor_document(), reference())
        from tocsin.records.tables import models as table

        with app.records.write() as connection:
            plan = {**models.model_named(connection, "late").plan.to_dict(), "format": 1}
            connection.execute(table.update().values(plan=plan))
    with pytest.raises(StartupError, match="another version of Tocsin, whose profiles of late"):
        opened(settings).__enter__()


def test_a_server_with_a_model_of_several_classes_starts_again(settings: Settings) -> None:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([2, 1, 1], 500)
    columns = {f"p{i}": scores[:, i] for i in range(3)}
    table = pa.table({**columns, "x": rng.normal(size=500), "y": rng.choice(["0", "1", "2"], 500)})
    schema = {
        "task": "multiclass",
        "features": [{"name": "x", "kind": "numeric"}],
        "classes": ["0", "1", "2"],
        "scores": list(columns),
        "label": "y",
    }
    with opened(settings) as app:
        app.register.add("several", {"schema": schema}, table)
    with opened(settings) as app:
        assert [overview.name for overview in app.read.overviews()] == ["several"]


def test_a_name_that_is_a_feature_and_an_output_is_refused_in_metrics(app: App) -> None:
    features = [{"name": "score", "kind": "numeric"}, {"name": "carrier", "kind": "categorical"}]
    document = monitor_document(
        schema={"features": features, "score": "p", "label": "late"},
        metrics=[{"name": "mean", "sum": "score"}],
    )
    table = reference().rename_columns(["score", "carrier", "p", "late"])
    with pytest.raises(SchemaError, match="uses score, which is a feature and an output"):
        app.register.add("late", document, table)
    with pytest.raises(InvalidInputError):
        app.read.series("late", "coverage")
