"""A law: the same rows in every form of body are the same rows."""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx2
import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.api.formats import FORMS, Form, both_classes, dumped, mlflow, one
from tests.servers import serving
from tests.world import HOUR, START, Feed, monitor_document, outcome, prediction, reference

from tocsin.api.server import application
from tocsin.app import App, opened
from tocsin.declared import parse_monitor
from tocsin.service import decoding
from tocsin.settings import Settings

CLASSES = ["cat", "dog", "owl"]
FEATURES = [
    {"name": "distance", "kind": "numeric"},
    {"name": "carrier", "kind": "categorical"},
    {"name": "found", "kind": "datetime"},
    {"name": "own", "kind": "boolean"},
]
MONITORS: dict[str, dict[str, Any]] = {
    "binary": {
        "schema": {"features": FEATURES, "score": "p", "label": "late"},
        "join": {"on": ["customer"], "within": "30h"},
    },
    "multiclass": {
        "schema": {
            "task": "multiclass",
            "features": FEATURES,
            "classes": CLASSES,
            "scores": ["p cat", "p dog", "p owl"],
            "label": "animal",
        }
    },
    "regression": {
        "schema": {
            "task": "regression",
            "features": FEATURES,
            "prediction": "price",
            "label": "paid",
        }
    },
}
OUTPUTS = {"binary": ["p"], "multiclass": ["p cat", "p dog", "p owl"], "regression": ["price"]}
LABELS = {"binary": [0, 1], "multiclass": CLASSES, "regression": [1.5, 20.0]}


def rows(task: str, n: int, chance: random.Random) -> list[dict[str, Any]]:
    """Made-up predictions, some with their outcomes, with gaps wherever gaps may be."""

    def perhaps(value: Any) -> Any:
        return value if chance.random() < 0.8 else None

    def moment(hours: float) -> str:
        return (START + HOUR * round(hours, 3)).isoformat()

    found = []
    for i in range(n):
        share = chance.random()
        given = {"binary": [share], "multiclass": [share / 2, share / 2, 1 - share]}
        row = {
            "prediction_id": f"r{i}",
            "timestamp": moment(chance.uniform(0, 50)),
            "model_version": "7",
            "inputs": {
                "distance": perhaps(chance.choice([chance.gauss(1000, 300), 1000])),
                "carrier": perhaps(chance.choice(["AA", "B6", "ü ' \" \\", ""])),
                "found": perhaps(moment(-chance.uniform(0, 500))),
                "own": perhaps(chance.choice([True, False])),
                "tail": chance.choice(["N1", "N2"]),
            },
            "outputs": dict(zip(OUTPUTS[task], given.get(task, [chance.gauss(5, 9)]), strict=True)),
            "actual_outcome": perhaps(chance.choice(LABELS[task])),
            "outcome_timestamp": perhaps(moment(chance.uniform(51, 60))),
        }
        if task == "binary":
            row["keys"] = {"customer": perhaps(f"c{i % 3}")}
        found.append(row)
    return found


def known(task: str) -> pa.Table:
    chance, n = random.Random(1), 60
    made = rows(task, n, chance)
    inputs = [row["inputs"] for row in made]
    found = [START - HOUR * i for i in range(n)]
    label = MONITORS[task]["schema"]["label"]
    return pa.table(
        {
            **{f: [row[f] for row in inputs] for f in ("distance", "carrier", "own")},
            "found": pa.array(found, pa.timestamp("us", "UTC")),
            **{name: [row["outputs"][name] for row in made] for name in OUTPUTS[task]},
            label: [chance.choice(LABELS[task]) for _ in made],
        }
    )


ONLY_BINARY = {
    "instances with both probabilities": Form(
        one(lambda rows: mlflow("instances", rows, both_classes(rows)))
    )
}


# What depends on the task; the law below looks at every form with every task.
OF_EVERY_TASK = [
    *(name for name in FORMS if "predictions" in name),
    "flat records",
    "nested columns",
    "Arrow with structs",
    "Parquet, flat",
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, TestClient]]:
    folder = tmp_path_factory.mktemp("formats")
    with opened(Settings(folder, "127.0.0.1", 1, "http://tocsin.test", None)) as app:
        yield app, TestClient(application(app))


def lake_rows(app: App, model: str, table: str) -> list[dict[str, Any]]:
    """The rows of a table without their place in the inbox, by id."""
    (path,) = (app.settings.data / "lake").glob(f"{model}-*/{table}")
    found = DeltaTable(path).to_pyarrow_table().drop_columns(["inbox_offset", "date"])
    if "inbox_place" in found.column_names:
        found = found.drop_columns(["inbox_place"])
    rows = sorted(found.to_pylist(), key=lambda row: row["prediction_id"])
    return [{**row, "extra": json.loads(row["extra"])} if row.get("extra") else row for row in rows]


def kept(served: tuple[App, TestClient], task: str, name: str, form: Form) -> tuple[Any, ...]:
    """What is known of a model after rows were sent to it: lake rows and profiles."""
    app, client = served
    model = f"{task}-{name}".replace(" ", "-").replace(",", "")
    app.register.add(model, MONITORS[task], known(task))
    made = rows(task, 40, random.Random(2))
    accepted = brought = 0
    for body in form.bodies(made):
        answer = client.post(
            f"/api/v1/models/{model}/predictions", content=body, headers=form.headers
        )
        assert answer.status_code == 202, answer.text
        assert answer.json()["quarantined"] == 0, answer.text
        accepted += answer.json()["accepted"]
        brought += answer.json().get("outcomes", 0)
    assert accepted == 40
    assert brought == sum(row["actual_outcome"] is not None for row in made)
    feed = Feed(app, model)
    feed.work()
    return lake_rows(app, model, "predictions"), lake_rows(app, model, "outcomes"), feed.profiles()


@pytest.fixture(scope="module")
def expected(served: tuple[App, TestClient]) -> dict[str, tuple[Any, ...]]:
    return {task: kept(served, task, "expected", FORMS["records"]) for task in MONITORS}


@pytest.mark.parametrize(
    ("task", "name"),
    [("binary", name) for name in (*FORMS, *ONLY_BINARY)]
    + [(task, name) for task in ("multiclass", "regression") for name in OF_EVERY_TASK],
)
def test_rows_in_every_form_give_the_same_lake_and_the_same_profiles(
    served: tuple[App, TestClient],
    expected: dict[str, tuple[Any, ...]],
    task: str,
    name: str,
) -> None:
    form = {**FORMS, **ONLY_BINARY}[name]
    predictions, outcomes, profiles = kept(served, task, name, form)
    as_records = expected[task]

    assert len(as_records[0]) == 40
    assert as_records[1]
    assert predictions == as_records[0]
    assert outcomes == as_records[1]
    assert profiles.keys() == as_records[2].keys()
    for key, vector in as_records[2].items():
        np.testing.assert_allclose(profiles[key], vector, rtol=1e-12, atol=1e-12)


@with_settings(max_examples=25, deadline=None)
@given(
    task=st.sampled_from(sorted(MONITORS)),
    name=st.sampled_from(sorted(name for name in FORMS if "request" not in name)),
    n=st.integers(1, 30),
    chance=st.randoms(use_true_random=False),
)
def test_any_rows_are_decoded_alike_from_every_form(
    task: str, name: str, n: int, chance: random.Random
) -> None:
    made, form = rows(task, n, chance), FORMS[name]
    (body,) = form.bodies(made)
    media, encoding = (form.headers.get(f"content-{what}", "") for what in ("type", "encoding"))
    monitor = parse_monitor("m", MONITORS[task])
    by = decoding.Reading(monitor.schema, "unknown", now=2**52, skew=0)

    def decoded(body: decoding.Body) -> decoding.Decoded:
        found = decoding.given(decoding.records_of(body), monitor.schema, "a prediction")
        return decoding.predictions(found, by)

    plain = decoded(decoding.Body(dumped(made)))
    other = decoded(decoding.Body(body, media, encoding))
    assert other.predictions.drop_columns("extra") == plain.predictions.drop_columns("extra")
    assert other.outcomes == plain.outcomes
    assert other.told.tolist() == plain.told.tolist()
    assert plain.predictions.num_rows == n


# MLflow's shapes are of what a model took and gave.
OF_OUTCOMES = [name for name in FORMS if not name.startswith(("dataframe_", "instances"))]


@pytest.mark.parametrize("name", OF_OUTCOMES)
def test_outcomes_come_in_every_form(served: tuple[App, TestClient], name: str) -> None:
    app, client = served
    model = f"told-{name}".replace(" ", "-").replace(",", "")
    app.register.add(model, MONITORS["binary"], known("binary"))
    Feed(app, model).predictions(*(prediction(f"r{i}", carrier="AA") for i in range(20)))
    told = [outcome(f"r{i}", i % 2, timestamp=START + HOUR) for i in range(20)]
    for body in FORMS[name].bodies(told):
        answer = client.post(
            f"/api/v1/models/{model}/outcomes", content=body, headers=FORMS[name].headers
        )
        assert answer.json()["accepted"] > 0, answer.text
    feed = Feed(app, model)
    feed.work()

    assert (feed.total("labelled"), feed.total("label")) == (20, 10)


@pytest.fixture
def client(feed: Feed) -> TestClient:
    return TestClient(application(feed.app))


def post(client: TestClient, kind: str, records: Any) -> Any:
    answer = client.post(f"/api/v1/models/late/{kind}", content=json.dumps(records))
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_repeats_are_told_and_counted_once(feed: Feed, client: TestClient) -> None:
    first = post(client, "predictions", [prediction("a"), prediction("b"), prediction("a")])
    again = post(client, "predictions", [prediction("c"), prediction("b", distance="far")])
    third = post(client, "predictions", [prediction("b"), prediction("c"), prediction("d")])
    feed.work()

    assert [told["repeated"] for told in (first, again, third)] == [1, 0, 2]
    assert feed.total("n") == 4


@pytest.mark.parametrize("name", [name for name in FORMS if "request" not in name])
def test_ids_made_by_the_server_are_those_in_the_lake(
    feed: Feed, client: TestClient, name: str
) -> None:
    rows = [prediction(f"r{i}", distance=float(i)) for i in range(12)]
    for row in rows[:6]:
        row["prediction_id"] = None
    form = FORMS[name]
    (body,) = form.bodies(rows)
    answer = client.post("/api/v1/models/late/predictions", content=body, headers=form.headers)
    feed.work()

    assigned = {each["row"]: each["prediction_id"] for each in answer.json()["prediction_ids"]}
    assert sorted(assigned) == [0, 1, 2, 3, 4, 5]
    stored = {row["input_distance"]: row["prediction_id"] for row in _predictions(feed)}
    assert stored == {float(i): assigned.get(i, f"r{i}") for i in range(12)}


def _predictions(feed: Feed) -> list[dict[str, Any]]:
    return lake_rows(feed.app, "late", "predictions")


def test_requests_that_come_at_once_share_commits_and_each_gets_its_own_answer(
    feed: Feed,
) -> None:
    clients, each = 16, 12
    together = Barrier(clients)

    def send(number: int) -> int:
        accepted = 0
        with httpx2.Client(base_url=f"{address}/api/v1/models/late", timeout=60) as http:
            together.wait()
            for i in range(each):
                good = prediction(f"{number}-{i}", actual_outcome=1 if number % 2 else None)
                records = [good, prediction("bad", distance=f"far {number}"), good]
                answer = http.post("/predictions", json=records[: 1 + (i + number) % 3]).json()
                wanted = (i + number) % 3
                assert answer["accepted"] == (2 if wanted == 2 else 1)
                assert answer["repeated"] == (1 if wanted == 2 else 0)
                assert answer["quarantined"] == (1 if wanted else 0)
                assert answer.get("outcomes", 0) == (answer["accepted"] if number % 2 else 0)
                for told in answer["reasons"]:
                    assert told["row"] == 1
                    assert f"far {number}" in told["reason"]
                accepted += answer["accepted"] - answer["repeated"]
        return accepted

    with serving(feed.app) as address, ThreadPoolExecutor(clients) as pool:
        # Nothing is folded, so that all entries can be counted.
        feed.app.worker._working.acquire()
        try:
            before = _entries(feed.app)
            accepted = sum(pool.map(send, range(clients)))
            entries = _entries(feed.app) - before
        finally:
            feed.app.worker._working.release()
    feed.work()

    assert accepted == feed.total("n") == clients * each
    assert entries < clients * each / 2


def _entries(app: App) -> int:
    """How many times predictions were stored."""
    with app.records.read() as connection:
        query = "SELECT count(*) FROM inbox WHERE kind = 'predictions'"
        return int(connection.execute(sa.text(query)).scalar() or 0)


def test_the_answer_counts_the_outcomes_of_its_own_rows(feed: Feed) -> None:
    from tocsin.service.decoding import Body
    from tocsin.service.ingest import Receipt, Request

    bodies = [
        [prediction("a", actual_outcome=1), prediction("b", actual_outcome=0)],
        [prediction("c")],
        [prediction("d", actual_outcome="maybe"), prediction("e", actual_outcome=1)],
    ]
    answers = feed.app.ingest.accept_all(
        [Request("late", "predictions", Body(dumped(rows))) for rows in bodies]
    )
    told = [answer.outcomes for answer in answers if isinstance(answer, Receipt)]
    assert told == [2, 0, 1]


def test_keys_are_found_wherever_each_row_has_them(app: App) -> None:
    app.register.add(
        "late", monitor_document(join={"on": ["customer"], "within": "9h"}), reference(300)
    )
    feed = Feed(app, "late")
    inside = prediction("c")
    inside["inputs"]["customer"] = "c3"
    feed.predictions(
        prediction("a", keys={"customer": "c1"}), prediction("b", customer="c2"), inside
    )
    feed.work()

    found = lake_rows(app, "late", "predictions")
    assert [row["key_customer"] for row in found] == ["c1", "c2", "c3"]


def test_a_renamed_feature_is_found_under_the_name_that_each_row_uses(app: App) -> None:
    document = monitor_document()
    document["schema"]["features"][0]["was"] = ["miles"]
    app.register.add("late", document, reference(300))
    feed = Feed(app, "late")
    old = prediction("b")
    old["inputs"]["miles"] = 7.0
    del old["inputs"]["distance"]
    feed.predictions(prediction("a"), old)
    feed.work()

    found = lake_rows(app, "late", "predictions")
    assert [row["input_distance"] for row in found] == [1000.0, 7.0]


def test_lines_are_known_without_their_content_type(served: tuple[App, TestClient]) -> None:
    app, client = served
    app.register.add("lines", MONITORS["binary"], known("binary"))
    rows = [{"inputs": {"distance": 1.0}, "outputs": {"p": 0.5}}] * 2
    body = b"\n".join(json.dumps(row).encode() for row in rows)
    answer = client.post("/api/v1/models/lines/predictions", content=body)
    assert answer.json()["accepted"] == 2
