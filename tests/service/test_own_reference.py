"""`reference: {window: 28d}`: the model's own past is its reference, as it is when applied."""

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.declared.faulty import HEAD
from tests.world import START, Feed, monitor_document, reference

from tocsin.app import App
from tocsin.declared.configuration import Checked, Source, check
from tocsin.declared.yaml_text import as_yaml
from tocsin.errors import ConfigurationError
from tocsin.profiles.layout import DELAYS
from tocsin.records import models
from tocsin.records.models import ModelRecord
from tocsin.service.plan import Planned

OWN = HEAD + "  reference: {window: 2d}\n"


@pytest.fixture
def feed(app: App) -> Feed:
    app.register.add("late", monitor_document(), reference(400))
    return Feed(app, "late")


def checked(text: str) -> Checked:
    found = check([Source("late.yaml", text)])
    assert found.faults == ()
    return found


def apply(app: App, text: str) -> int | None:
    return app.configure.apply(checked(text), actor="anna").number


def planned(app: App, text: str) -> Planned:
    (found,) = app.configure.plan(checked(text)).things
    return found


def record(app: App) -> ModelRecord:
    with app.records.read() as connection:
        return models.model_named(connection, "late")


def _features(*kinds: tuple[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "kind": kind} for name, kind in kinds]


_NUMBER = _features(("distance", "numeric"))
_MANY = _features(("distance", "numeric"), ("found", "datetime"), ("old", "boolean"))
TASKS = {
    "binary": (
        {"features": _MANY, "score": "p", "label": "late"},
        lambda rng: ({"p": rng.random()}, int(rng.random() < 0.4)),
    ),
    "words for classes": (
        {"features": _NUMBER, "prediction": "said", "positive": "yes", "negative": "no",
         "label": "late"},
        lambda rng: ({"said": rng.choice(["yes", "no"])}, str(rng.choice(["yes", "no"]))),
    ),
    "multiclass": (
        {"task": "multiclass", "features": _MANY, "classes": ["a", "b"], "scores": ["p a", "p b"],
         "label": "kind"},
        lambda rng: ({"p a": (p := rng.random()), "p b": 1 - p}, str(rng.choice(["a", "b"]))),
    ),
    "regression": (
        {"task": "regression", "features": _NUMBER, "prediction": "price", "label": "paid"},
        lambda rng: ({"price": rng.normal()}, rng.normal()),
    ),
}  # fmt: skip


@pytest.mark.parametrize("keys", [False, True], ids=["by id", "by keys"])
@pytest.mark.parametrize("task", TASKS)
def test_a_reference_of_all_there_is_is_the_sum_of_the_profiles(
    app: App, task: str, keys: bool
) -> None:
    schema, drawn = TASKS[task]
    rng = np.random.default_rng(5)
    rows = [_row(i, rng, schema, drawn, keys=keys) for i in range(400)]
    first = [{**p["inputs"], **p["outputs"], schema["label"]: o["actual_outcome"]} for p, o in rows]
    more = {"join": {"on": ["tail"], "within": "10h"}} if keys else {}
    document = {"schema": schema, "rules": [], **more}
    app.register.add("late", document, pa.Table.from_pylist(first[:350]))
    feed = Feed(app, "late")
    assert feed.predictions(*(p for p, _ in rows)).quarantined == 0
    assert feed.outcomes(*(o for i, (_, o) in enumerate(rows) if i % 3)).quarantined == 0
    feed.work()

    named = {"name": "late", **document, "reference": {"window": "46h"}}
    apply(app, as_yaml({"apiVersion": "tocsin/v1", "monitors": [named]}))
    feed.work()
    own = record(app).reference
    delays = own.plan.layout.blocks[DELAYS]
    there = np.ones(len(own.vector), bool)
    there[delays.start : delays.stop] = False  # which a reference has not
    total = sum(feed.profiles().values(), np.zeros(len(own.vector)))
    np.testing.assert_allclose(own.vector[there], total[there], rtol=1e-9, atol=1e-6)
    assert own.total("n") == 400
    assert 200 < own.total("labelled") < 300


def _row(
    i: int, rng: Any, schema: dict[str, Any], drawn: Any, *, keys: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    at = START + timedelta(hours=2 + 45 * i / 400)
    values = {
        "distance": rng.normal(),
        "found": (at - timedelta(hours=float(rng.integers(900)))).isoformat(),
        "old": bool(rng.random() < 0.5),
    }
    outputs, label = drawn(rng)
    told = {"timestamp": (at + timedelta(hours=1)).isoformat(), "actual_outcome": label}
    who = {"keys": {"tail": str(rng.integers(20))}} if keys else {}
    return (
        {
            "prediction_id": f"p{i}",
            "timestamp": at.isoformat(),
            "inputs": {f["name"]: values[f["name"]] for f in schema["features"]},
            "outputs": outputs,
            **who,
        },
        {**told, **(who or {"prediction_id": f"p{i}"})},
    )


def test_a_plan_tells_which_rows_they_are(feed: Feed) -> None:
    feed.hours(0, 50, rows=20)
    feed.work()
    plan = planned(feed.app, OWN)
    assert [(d.before, d.after) for d in plan.differences] == [("as it is", {"window": "2d"})]
    assert "2013-05-01T01:57:00.000001Z to 2013-05-03T01:57:00.000001Z" in " ".join(plan.costs)


def test_it_is_taken_once_and_again_only_when_the_line_changes(feed: Feed) -> None:
    feed.hours(0, 50, rows=20)
    feed.work()
    apply(feed.app, OWN)
    first = record(feed.app).plan.digest
    feed.hours(50, 60, rows=20, distance_factor=2.0)
    feed.work()
    assert planned(feed.app, OWN).differences == ()
    assert apply(feed.app, OWN) is None
    assert record(feed.app).plan.digest == first
    apply(feed.app, OWN.replace("2d", "1d"))
    assert record(feed.app).plan.digest != first


def test_the_export_has_the_window_and_changes_nothing(feed: Feed) -> None:
    feed.hours(0, 50, rows=20)
    feed.work()
    apply(feed.app, OWN)
    exported = feed.app.configure.export()
    assert exported["monitors"][0]["reference"] == {"window": "2d"}
    assert planned(feed.app, as_yaml(exported)).differences == ()


@pytest.mark.parametrize(
    ("hours", "window", "words"),
    [
        (0, "2d", "'late' has none yet.*`file`"),
        (30, "28d", "begins on 2013-04-0., and the predictions of 'late' begin on 2013-05-01"),
        (30, "5h", "have 50 predictions, and a reference needs 300; write a longer window"),
    ],
)
def test_too_short_a_past_is_a_fault_with_its_line(
    feed: Feed, hours: int, window: str, words: str
) -> None:
    feed.hours(0, hours, rows=10)
    feed.work()
    with pytest.raises(ConfigurationError, match=words) as told:
        apply(feed.app, OWN.replace("2d", window))
    assert told.value.faults[0]["line"] == 3


def test_a_model_that_is_not_there_has_no_past(app: App) -> None:
    with pytest.raises(ConfigurationError, match="'late' has none yet"):
        app.configure.plan(checked(OWN))
