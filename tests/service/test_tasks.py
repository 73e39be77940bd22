"""Models of every task from the request to the number, against scikit-learn and by segment."""

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics as oracle
from tests.world import START, Feed

from tocsin.app import App
from tocsin.errors import InvalidInputError, SchemaError
from tocsin.metrics import METRICS, Metric, register
from tocsin.values import HOUR as HOUR_US
from tocsin.values import Bounded

HOUR = timedelta(hours=1)
CLASSES = ["cat", "dog", "owl"]

MULTICLASS = {
    "schema": {
        "task": "multiclass",
        "features": [
            {"name": "weight", "kind": "numeric"},
            {"name": "shelter", "kind": "categorical"},
            {"name": "found", "kind": "datetime"},
        ],
        "classes": CLASSES,
        "scores": ["p cat", "p dog", "p owl"],
        "label": "animal",
    },
    "segments": ["shelter", {"name": "heavy", "where": "weight > 1 and shelter != 'south'"}],
    "protected": ["shelter"],
    "metrics": [
        {"name": "bites", "costs": {"dog": {"cat": 10, "owl": 20}}},
        {"name": "weight_wrong", "sum": "weight * (label != prediction)", "per": "weight"},
    ],
    "rules": [
        {
            "alert": "DogsMissed",
            "expr": {"metric": "recall_score@dog", "window": "1h", "op": "<", "value": 0.1},
        }
    ],
}
REGRESSION = {
    "schema": {
        "task": "regression",
        "features": [{"name": "size", "kind": "numeric"}, {"name": "old", "kind": "boolean"}],
        "prediction": "price",
        "label": "paid",
    },
    "segments": [{"column": "size", "cuts": [0]}],
    "rules": [],
}


def animals(n: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    weight = rng.gamma(2, 1, n).round(3)
    scores = rng.dirichlet([1, 1, 1], n)
    found = [START - timedelta(hours=float(h)) for h in rng.integers(0, 900, n)]
    return {
        "weight": weight,
        "shelter": rng.choice(["north", "south"], n),
        "found": found,
        "scores": scores,
        "animal": np.array([rng.choice(3, p=s / s.sum()) for s in scores]),
    }


def animal_rows(n: int, seed: int) -> pa.Table:
    made = animals(n, seed)
    scores = {f"p {name}": made["scores"][:, i] for i, name in enumerate(CLASSES)}
    return pa.table(
        {
            **{name: made[name] for name in ("weight", "shelter")},
            "found": pa.array(made["found"], pa.timestamp("us", "UTC")),
            **scores,
            "animal": [CLASSES[i] for i in made["animal"]],
        }
    )


def send(feed: Feed, kind: str, records: list[dict[str, Any]]) -> None:
    assert feed.app.ingest.accept(feed.model, kind, json.dumps(records).encode()).quarantined == 0


@pytest.fixture
def zoo(app: App) -> tuple[Feed, dict[str, Any]]:
    app.register.add("zoo", MULTICLASS, animal_rows(2_000, seed=1))
    feed, made = Feed(app, "zoo"), animals(500, seed=2)
    send(
        feed,
        "predictions",
        [
            {
                "prediction_id": str(i),
                "timestamp": (START + HOUR * i / 500).isoformat(),
                "inputs": {
                    "weight": float(made["weight"][i]),
                    "shelter": str(made["shelter"][i]),
                    "found": made["found"][i].isoformat(),
                },
                "outputs": {
                    f"p {name}": float(made["scores"][i, j]) for j, name in enumerate(CLASSES)
                },
            }
            for i in range(500)
        ],
    )
    send(
        feed,
        "outcomes",
        [
            {
                "prediction_id": str(i),
                "timestamp": (START + 2 * HOUR).isoformat(),
                "actual_outcome": CLASSES[made["animal"][i]],
            }
            for i in range(500)
        ],
    )
    # One of a later hour, so that the first one closes.
    later = {"weight": 1.0, "shelter": "north", "found": None}
    send(
        feed,
        "predictions",
        [
            {
                "timestamp": (START + 3 * HOUR).isoformat(),
                "inputs": later,
                "outputs": {"p cat": 0.5, "p dog": 0.3, "p owl": 0.2},
            }
        ],
    )
    feed.work()
    return feed, made


def value(feed: Feed, metric: str, **more: Any) -> Bounded:
    point = feed.app.read.series(feed.model, metric, window=HOUR_US, **more).points[0]
    assert isinstance(point.measure, Bounded), (metric, point.measure)
    return point.measure


def test_a_multiclass_model_is_measured_as_scikit_learn_does(zoo: Any) -> None:
    feed, made = zoo
    truth, said = made["animal"], made["scores"].argmax(1)
    scores = made["scores"]
    exact = {
        "accuracy_score": oracle.accuracy_score(truth, said),
        "f1_macro": oracle.f1_score(truth, said, average="macro"),
        "log_loss": oracle.log_loss(truth, scores),
        "top_k_accuracy_score@2": oracle.top_k_accuracy_score(truth, made["scores"], k=2),
        "recall_score@dog": oracle.recall_score(truth == 1, said == 1),
    }
    for name, number in exact.items():
        assert value(feed, name).value == pytest.approx(number, abs=1e-9), name
    auc = value(feed, "roc_auc_ovr_macro")
    assert abs(auc.value - oracle.roc_auc_score(truth, scores, multi_class="ovr")) <= auc.error
    costs = np.zeros((3, 3))
    costs[1, 0], costs[1, 2] = 10, 20
    assert value(feed, "bites").value == pytest.approx(costs[truth, said].mean())
    wrong = made["weight"][truth != said].sum() / made["weight"].sum()
    assert value(feed, "weight_wrong").value == pytest.approx(wrong)


def test_a_segment_is_measured_by_itself(zoo: Any) -> None:
    feed, made = zoo
    truth, said = made["animal"], made["scores"].argmax(1)
    north = made["shelter"] == "north"
    heavy = (made["weight"] > 1) & ~north
    found = value(feed, "accuracy_score", segment="shelter=north")
    assert found.value == pytest.approx(np.mean(truth[north] == said[north]))
    assert found.n == north.sum()
    heavy = (made["weight"] > 1) & (made["shelter"] != "south")
    assert value(feed, "accuracy_score", segment="heavy=true").n == heavy.sum()
    with pytest.raises(InvalidInputError, match="no segment 'shelter=west'; there are shelter=nor"):
        feed.app.read.series("zoo", "accuracy_score", segment="shelter=west")


def test_the_lake_and_a_rebuild_hold_classes_as_they_are_written(zoo: Any) -> None:
    feed, _ = zoo
    before = feed.profiles()
    with feed.app.records.read() as connection:
        from tocsin.records import models

        record = models.model_named(connection, "zoo")
    from tocsin.declared import parse_monitor

    lake = feed.app.read._lake.model(record.id, "zoo", parse_monitor("zoo", MULTICLASS).schema)
    (rows,) = [table for _, table in lake.scan_predictions(until=2**40)]
    assert set(rows["prediction"].to_pylist()) <= set(CLASSES)
    assert rows["output_p_cat"].null_count == 0
    feed.app.rebuild.rebuild("zoo")
    after = feed.profiles()
    assert after.keys() == before.keys()
    for key, vector in before.items():
        np.testing.assert_allclose(after[key], vector, rtol=1e-9, atol=1e-9)


def test_a_regression_is_measured_as_scikit_learn_does(app: App) -> None:
    rng = np.random.default_rng(3)
    size = rng.normal(0, 1, 1_500)
    paid = 1e9 + 50 * size + rng.normal(0, 10, 1_500)
    price = paid + rng.normal(1, 10, 1_500)
    reference = pa.table({"size": size[:1_000], "old": size[:1_000] > 1,
                          "price": price[:1_000], "paid": paid[:1_000]})  # fmt: skip
    app.register.add("house", REGRESSION, reference)
    feed = Feed(app, "house")
    records = [
        {
            "prediction_id": str(i),
            "timestamp": (START + HOUR * (i - 1_000) / 500).isoformat(),
            "inputs": {"size": size[i], "old": bool(size[i] > 1)},
            "outputs": {"price": price[i]},
        }
        for i in range(1_000, 1_500)
    ]
    send(feed, "predictions", records)
    told = (START + HOUR).isoformat()
    send(
        feed,
        "outcomes",
        [
            {"prediction_id": str(i), "timestamp": told, "actual_outcome": paid[i]}
            for i in range(1_000, 1_500)
        ],
    )
    send(feed, "predictions", [{**records[0], "prediction_id": "later",
                                "timestamp": (START + 3 * HOUR).isoformat()}])  # fmt: skip
    feed.work()

    truth, said = paid[1_000:], price[1_000:]
    exact = {
        "mean_absolute_error": oracle.mean_absolute_error(truth, said),
        "root_mean_squared_error": oracle.root_mean_squared_error(truth, said),
        "r2_score": oracle.r2_score(truth, said),
        "mean_absolute_percentage_error": oracle.mean_absolute_percentage_error(truth, said),
    }
    for name, number in exact.items():
        assert value(feed, name).value == pytest.approx(number, rel=1e-6), name
    middle = value(feed, "median_absolute_error")
    assert abs(middle.value - oracle.median_absolute_error(truth, said)) <= middle.error
    small = size[1_000:] < 0
    assert value(feed, "mean_absolute_error", segment="size=below 0").n == small.sum()


@pytest.mark.parametrize(
    ("document", "kind", "record", "reason"),
    [
        (MULTICLASS, "predictions", {"inputs": {}, "outputs": {"p cat": 0.2}}, "is missing"),
        (MULTICLASS, "predictions", {"inputs": {"found": "soon"}, "outputs": {}}, "ISO 8601"),
        (MULTICLASS, "outcomes", {"prediction_id": "a", "actual_outcome": "emu"},
         'actual_outcome: "emu" is none of the classes cat, dog, owl'),
        (REGRESSION, "predictions", {"inputs": {}, "outputs": {}}, "outputs.price is missing"),
        (REGRESSION, "predictions", {"inputs": {}, "outputs": {"price": "high"}},
         "expected a number"),
        (REGRESSION, "outcomes", {"prediction_id": "a", "actual_outcome": True},
         "expected a number"),
    ],
)  # fmt: skip
def test_a_row_that_does_not_fit_its_task_goes_to_quarantine(
    app: App, document: dict[str, Any], kind: Any, record: dict[str, Any], reason: str
) -> None:
    table = animal_rows(50, 1)
    if document is REGRESSION:
        table = pa.table({"size": [1.0, 2.0], "old": [True, False], "price": [1.0, 2.0],
                          "paid": [1.0, 2.0]})  # fmt: skip
    app.register.add("m", document, table)
    receipt = app.ingest.accept("m", kind, json.dumps(record).encode())
    assert receipt.quarantined == 1
    assert reason in receipt.reasons[0][1]


def test_a_function_of_a_profile_can_be_registered_and_named(app: App) -> None:
    own = Metric("plain_coverage", "Coverage, ours", METRICS["mean_score"].measure, None)
    register(own)
    document = {**MULTICLASS, "segments": [], "protected": [], "rules": [],
                "metrics": [{"name": "ours", "function": "plain_coverage"}]}  # fmt: skip
    monitor = app.register.add("m", document, animal_rows(50, 1))
    assert monitor.metrics["ours"].title == "Coverage, ours"
    unknown = {**document, "metrics": [{"name": "ours", "function": "nobody"}]}
    with pytest.raises(SchemaError, match="'nobody' is not registered; registered are:"):
        app.register.change("m", unknown)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ({"name": "x"}, "needs either `sum`"),
        ({"name": "x", "sum": "weight", "costs": {}}, "needs either `sum`"),
        ({"name": "accuracy_score", "sum": "weight"}, "built in"),
        ({"name": "x", "sum": "height"}, "uses height; there are"),
        ({"name": "x", "sum": "shelter + 1"}, "text"),
        ({"name": "x", "sum": "__import__('os')"}, "__import__"),
        ({"name": "x", "costs": {"emu": {"cat": 1}}}, "no class 'emu'"),
        ({"name": "x", "costs": {"cat": 1}}, "for each true class"),
    ],
)
def test_a_metric_that_cannot_be_is_refused(app: App, metric: dict[str, Any], message: str) -> None:
    document = {**MULTICLASS, "metrics": [metric], "rules": []}
    with pytest.raises(SchemaError, match=message):
        app.register.add("m", document, animal_rows(50, 1))


def test_a_reference_of_classes_is_weighted_to_be_like_a_window(
    zoo: tuple[Feed, dict[str, Any]],
) -> None:
    feed, _ = zoo
    found = feed.app.multivariate.find("zoo", window=HOUR_US).estimates
    assert found is not None
    assert found.cover.supported
    both = found.metrics["accuracy_score"]
    assert both.by_scores is not None
    first, second = both.weighted, both.by_scores.measure
    assert isinstance(first, Bounded)
    assert isinstance(second, Bounded)
    assert first.low is not None
    assert first.high is not None
    assert first.low < second.value < first.high


def test_weighting_sees_that_a_regression_gets_more_of_the_rows_that_are_hard(app: App) -> None:
    rng = np.random.default_rng(4)

    def homes(n: int, middle: float) -> tuple[Any, Any, Any]:
        size, price = rng.normal(middle, 1, n), rng.normal(10, 2, n)
        # What is predicted does not tell how hard a row is.
        return size, price, price + rng.normal(0, np.where(size > 0, 2.0, 0.5))

    size, price, paid = homes(8_000, 0.0)
    old = rng.random(8_000) < 0.5
    app.register.add(
        "home", REGRESSION, pa.table({"size": size, "old": old, "price": price, "paid": paid})
    )
    feed, n = Feed(app, "home"), 1_000
    size, price, paid = homes(n, 0.8)
    send(
        feed,
        "predictions",
        [
            {
                # The last one is of a later hour, so that the first closes.
                "timestamp": (START + HOUR * (3 if i == n - 1 else i / n)).isoformat(),
                "inputs": {"size": float(size[i]), "old": bool(old[i])},
                "outputs": {"price": float(price[i])},
            }
            for i in range(n)
        ],
    )
    feed.work()
    found = app.multivariate.find("home", window=HOUR_US).estimates
    assert found is not None
    both = found.metrics["mean_absolute_error"]
    assert both.by_scores is not None
    first, second = both.weighted, both.by_scores.measure
    assert isinstance(first, Bounded)
    assert isinstance(second, Bounded)
    came_out = float(np.abs(paid - price).mean())
    assert first.low is not None
    assert first.high is not None
    assert first.low < came_out < first.high
    assert abs(first.value - came_out) < abs(second.value - came_out) / 2
