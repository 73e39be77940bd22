"""`tocsin serve` end to end: a real MLflow, a real Tocsin, real scoring processes, no fakes."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from sklearn.dummy import DummyRegressor
from sklearn.metrics import accuracy_score, mean_absolute_error, roc_auc_score
from tests.capture.world import (
    fitted,
    monitor,
    registered,
    rows,
    served,
    serving_here,
    truth,
    until,
)
from tests.registry.conftest import OF_MLFLOW
from tests.servers import Server

from tocsin.demo.model import tracking_at
from tocsin.demo.servers import mlflow_server

pytestmark = OF_MLFLOW

BEGIN = datetime.fromisoformat("2026-01-05T10:00:00+00:00")
AFTER = BEGIN + timedelta(days=3)
N = 120
JSON = {"content-type": "application/json"}
HIGH_SCORES = {"classes": ["high", "low", "middle"], "scores": ["p_high", "p_low", "p_middle"]}
# Monitored models: what they are, and how their outputs are called.
MODELS = {
    "labels": ("binary", {"score": "p"}),
    "probabilities": ("binary", {"score": "p"}),
    "classes": ("multiclass", HIGH_SCORES),
    "numbers": ("regression", {"prediction": "level"}),
    "moving": ("regression", {"prediction": "level"}),
}
PROCESSES = ("labels", "moving")
CLASSES = ["high", "low", "middle"]


@dataclass
class World:
    """What runs."""

    mlflow: str
    stop_mlflow: ExitStack
    tocsin: Server
    urls: dict[str, str]
    models: dict[str, Any]
    folder: Path

    def post(self, name: str, body: Any, **headers: str) -> httpx2.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx2.post(
            f"{self.urls[name]}/invocations",
            content=content,
            headers=JSON | headers,
            timeout=30,
        )

    def predictions(self, name: str) -> pd.DataFrame:
        """All that the lake has of a model."""
        self.tocsin.caught_up()
        tables = [
            log.parent
            for log in (self.folder / "data" / "lake").rglob("_delta_log")
            if "predictions" in str(log)
        ]
        found = [DeltaTable(str(table)).to_pyarrow_table().to_pandas() for table in tables]
        of = [frame for table, frame in zip(tables, found, strict=True) if name in str(table)]
        return of[0] if of else pd.DataFrame({"prediction_id": [], "model_version": []})

    def recorded(self, name: str, ids: set[str]) -> pd.DataFrame:
        """Those rows, once all of them are there."""

        def there() -> pd.DataFrame | None:
            found = self.predictions(name)
            mine = found[found["prediction_id"].isin(ids)]
            return mine if len(mine) == len(ids) else None

        found: pd.DataFrame = until(lambda: (frame := there()) is not None and [frame])[0]
        return found.set_index("prediction_id")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("serve")
    with ExitStack() as stop_mlflow, ExitStack() as stack:
        mlflow = stop_mlflow.enter_context(mlflow_server(folder / "mlflow"))
        tocsin = stack.enter_context(Server(folder / "data", TOCSIN_URL="http://tocsin.test"))
        models = _registered(mlflow)
        for name, (task, outputs) in MODELS.items():
            _monitored(tocsin.url, name, task, outputs, models.get(name))
        # Two in processes of their own, as people run it; each imports MLflow for seconds.
        commands = [
            ["tocsin", "serve", "-m", f"models:/{name}@champion", "--tocsin", tocsin.url,
             "--poll", "1s", *(["--reload"] if name == "moving" else [])]
            for name in PROCESSES
        ]  # fmt: skip
        environment = {"MLFLOW_TRACKING_URI": mlflow, "MLFLOW_DISABLE_TELEMETRY": "true"}
        urls = stack.enter_context(
            served(*commands, log=folder / "serve.log", environment=environment)
        )
        addresses = dict(zip(PROCESSES, urls, strict=True))
        with tracking_at(mlflow):
            for name in MODELS.keys() - addresses.keys():
                addresses[name] = stack.enter_context(serving_here(name, tocsin.url))
        yield World(mlflow, stop_mlflow, tocsin, addresses, models, folder)


def _registered(mlflow_uri: str) -> dict[str, Any]:
    import mlflow

    binary = fitted("binary")
    models = {
        "labels": binary,
        "probabilities": binary,
        "classes": fitted("multiclass"),
        "numbers": fitted("regression"),
        "moving": DummyRegressor(strategy="constant", constant=1.0).fit(rows(5, 0), np.ones(5)),
    }
    with tracking_at(mlflow_uri):
        for name, model in models.items():
            options = {"pyfunc_predict_fn": "predict_proba"} if name == "probabilities" else {}
            version = registered(name, model, **options)
            mlflow.MlflowClient().set_registered_model_alias(name, "champion", version)
        second = DummyRegressor(strategy="constant", constant=2.0).fit(rows(5, 0), np.ones(5))
        registered("moving", second)
    return models


def _monitored(url: str, name: str, task: str, outputs: dict[str, Any], model: Any) -> None:
    frame = rows(300, 4)
    reference = frame.assign(actual=truth(frame, task, 5))
    if "score" in outputs:
        reference["p"] = model.predict_proba(frame)[:, 1]
    if "scores" in outputs:
        reference[outputs["scores"]] = model.predict_proba(frame)
    if "prediction" in outputs:
        reference[outputs["prediction"]] = model.predict(frame)
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(reference, preserve_index=False), file)
    httpx2.put(
        f"{url}/api/v1/models/{name}",
        data={"monitor": json.dumps(monitor(task, **outputs))},
        files={"reference": file.getvalue()},
        timeout=60,
    ).raise_for_status()


def split(frame: pd.DataFrame, **more: Any) -> dict[str, Any]:
    return {
        "dataframe_split": {"columns": list(frame.columns), "data": frame.to_numpy().tolist()},
        **more,
    }


def times(frame: pd.DataFrame) -> list[str]:
    return [(BEGIN + timedelta(seconds=20 * int(i))).isoformat() for i in frame.index]


def send_in_all_formats(world: World, name: str, frame: pd.DataFrame) -> dict[str, int]:
    """Send the rows from several clients, by format; the row number by prediction id."""
    parts = np.array_split(np.arange(len(frame)), 6)
    ids: dict[str, int] = {}

    def send(number: int) -> None:
        part = frame.iloc[parts[number]]
        mine = [f"{name}-{i}" for i in part.index]
        beside = {"request_ids": mine, "timestamps": times(part)}
        records = part.to_dict("records")
        columns = {column: part[column].tolist() for column in part}
        own = part.assign(prediction_id=mine, timestamp=times(part))
        parquet = io.BytesIO()
        own.to_parquet(parquet, index=False)
        body, media = {
            0: (split(part, **beside), "application/json"),
            1: ({"dataframe_records": records, **beside, "params": {}}, "application/json"),
            2: ({"instances": records, **beside}, "application/json"),
            3: ({"inputs": columns, **beside}, "application/json"),
            4: (own.to_csv(index=False).encode(), "text/csv"),
            5: (parquet.getvalue(), "application/vnd.apache.parquet"),
        }[number]
        answer = world.post(name, body, **{"content-type": media})
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["predictions"]) == len(part)
        ids.update(zip(mine, parts[number].tolist(), strict=True))

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(send, range(6)))
    return ids


def with_outcomes(world: World, name: str, ids: dict[str, int], actual: Any) -> None:
    """Close the windows, and tell what happened."""
    last = rows(1, 9).assign()
    answer = world.post(name, split(last, request_ids=[f"{name}-last"], timestamp=str(AFTER)))
    assert answer.status_code == 200, answer.text
    world.recorded(name, {*ids, f"{name}-last"})
    outcomes = [
        {"prediction_id": key, "actual_outcome": value, "timestamp": str(BEGIN)}
        for key, i in ids.items()
        for value in [actual[i].item() if hasattr(actual[i], "item") else actual[i]]
    ]
    url = f"{world.tocsin.url}/api/v1/models/{name}/outcomes"
    httpx2.post(url, json=outcomes, timeout=60).raise_for_status()
    world.tocsin.caught_up()


def value(world: World, name: str, metric: str) -> dict[str, Any]:
    """The metric of the window that has the rows."""

    def measured() -> dict[str, Any] | None:
        points = world.tocsin.get(f"/models/{name}/metrics/{metric}?span=30d")["points"]
        found = [p for p in points if p["rows"] == N and p["coverage"] == 1]
        return found[0] if found else None

    found: dict[str, Any] = until(measured)
    return found


def close_to(measured: dict[str, Any], exact: float) -> bool:
    return bool(abs(measured["value"] - exact) <= measured["error"] + 1e-9)


@pytest.mark.parametrize("name", ["labels", "probabilities"])
def test_a_binary_model_is_measured_as_scikit_learn_measures_it(world: World, name: str) -> None:
    frame = rows(N, 10)
    actual = truth(frame, "binary", 11)
    with_outcomes(world, name, send_in_all_formats(world, name, frame), actual)

    scores = world.models[name].predict_proba(frame)[:, 1]
    assert close_to(value(world, name, "roc_auc"), roc_auc_score(actual, scores))
    assert value(world, name, "accuracy_score")["value"] == accuracy_score(actual, scores >= 0.5)
    stored = world.predictions(name).set_index("prediction_id")
    assert np.allclose(stored.loc[[f"{name}-{i}" for i in range(N)], "score"], scores)


def test_a_model_of_several_classes_is_measured(world: World) -> None:
    frame = rows(N, 12)
    actual = truth(frame, "multiclass", 13)
    with_outcomes(world, "classes", send_in_all_formats(world, "classes", frame), actual)

    model = world.models["classes"]
    found = value(world, "classes", "accuracy_score")
    assert found["value"] == pytest.approx(accuracy_score(actual, model.predict(frame)))
    stored = world.predictions("classes").set_index("prediction_id")
    ours = stored.loc[[f"classes-{i}" for i in range(N)], [f"output_p_{name}" for name in CLASSES]]
    assert np.allclose(ours, model.predict_proba(frame))


def test_a_regression_is_measured(world: World) -> None:
    frame = rows(N, 14)
    actual = truth(frame, "regression", 15)
    with_outcomes(world, "numbers", send_in_all_formats(world, "numbers", frame), actual)

    predicted = world.models["numbers"].predict(frame)
    found = value(world, "numbers", "mean_absolute_error")
    assert close_to(found, mean_absolute_error(actual, predicted))


def test_ids_of_requests_are_honoured_made_and_handed_back(world: World) -> None:
    given = world.post("numbers", split(rows(2, 20)), **{"x-request-id": "order-7"})
    made = world.post("numbers", split(rows(1, 21)))
    odd = world.post("numbers", split(rows(1, 22)), **{"x-request-id": "long" * 40})

    assert given.headers["x-request-id"] == "order-7"
    assert len({made.headers["x-request-id"], odd.headers["x-request-id"], "long" * 40}) == 3
    ids = {"order-7-0", "order-7-1"}
    ids |= {f"{answer.headers['x-request-id']}-0" for answer in (made, odd)}
    found = world.recorded("numbers", ids)
    assert set(found["model_version"]) == {"1"}


def test_requests_and_errors_are_counted(world: World) -> None:
    def counts() -> dict[str, int]:
        points = world.tocsin.get("/models/labels/operations?window=24h&span=2d")
        names = ("requests", "client_errors", "server_errors")
        return {name: sum(point[name] for point in points) for name in names}

    secret = "4111-1111-1111-1111"
    before = until(lambda: (found := counts())["requests"] >= 7 and found, 40)
    for body in (b"no json " + secret.encode(), {"nothing": [secret]}):
        assert world.post("labels", body, authorization=f"Bearer {secret}").is_client_error
    url = f"{world.urls['labels']}/invocations"
    assert httpx2.post(url, content=b"x", headers={"content-type": ""}).status_code >= 400
    del before["server_errors"]
    after = until(lambda: (found := counts())["requests"] >= before["requests"] + 3 and found, 40)

    assert after["client_errors"] + after["server_errors"] >= before["client_errors"] + 3
    points = world.tocsin.get("/models/labels/operations?window=24h&span=2d")
    assert points[-1]["latency_s"]["p50"]["value"] > 0
    assert points[-1]["rss_bytes"] > 50 * 2**20
    assert secret not in (world.folder / "serve.log").read_text()


def test_an_alias_that_moves_under_load_fails_no_request(world: World) -> None:
    import mlflow

    over = threading.Event()
    said: dict[str, float] = {}
    failed: list[httpx2.Response] = []
    frame = split(rows(1, 30))

    def ask(client: int) -> None:
        with httpx2.Client(timeout=30) as http:
            i = 0
            while not over.is_set():
                name = f"move-{client}-{i}"
                answer = http.post(
                    f"{world.urls['moving']}/invocations",
                    json=frame,
                    headers={"x-request-id": name},
                )
                if answer.is_success:
                    said[f"{name}-0"] = answer.json()["predictions"][0]
                else:
                    failed.append(answer)
                i += 1

    with ThreadPoolExecutor(3) as clients:
        asking = [clients.submit(ask, client) for client in range(3)]
        try:
            until(lambda: len(said) > 50)
            with tracking_at(world.mlflow):
                mlflow.MlflowClient().set_registered_model_alias("moving", "champion", "2")
            until(lambda: list(said.values())[-50:] == [2.0] * 50)
        finally:
            over.set()
        for done in asking:
            done.result()

    assert failed == []
    assert {1.0, 2.0} == set(said.values())
    stored = world.recorded("moving", set(said))
    assert dict(stored["prediction"]) == said
    assert (stored["model_version"].astype(float) == stored["prediction"]).all()


def test_an_alias_that_moved_is_told_where_it_is_not_followed(world: World) -> None:
    import mlflow

    with tracking_at(world.mlflow):
        registered("labels", world.models["labels"])
        mlflow.MlflowClient().set_registered_model_alias("labels", "champion", "2")
    until(
        lambda: "models:/labels@champion is version 2 now" in (
            world.folder / "serve.log"
        ).read_text()
    )  # fmt: skip


def test_answers_are_those_of_mlflow_when_tocsin_is_away(world: World) -> None:
    import mlflow
    from mlflow.pyfunc import scoring_server
    from starlette.testclient import TestClient

    with tracking_at(world.mlflow):
        plain = TestClient(
            scoring_server.init(mlflow.pyfunc.load_model("models:/labels/1")),
            raise_server_exceptions=False,
        )
    bodies: list[Any] = [
        split(rows(3, 40)),
        {"dataframe_records": rows(2, 41).to_dict("records")},
        {"inputs": {"age": [1.0], "income": [2.0], "plan": ["gold"]}},
        b"{",
    ]
    world.tocsin.stop()
    try:
        for body in bodies:
            ours = world.post("labels", body)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            others = plain.post("/invocations", content=content, headers=JSON)
            assert (ours.status_code, ours.content) == (others.status_code, others.content)
            own = {"date", "server", "x-request-id"}
            assert {k: v for k, v in ours.headers.items() if k not in own} == dict(others.headers)
    finally:
        world.tocsin.start()
    assert world.post("labels", split(rows(1, 42)), **{"x-request-id": "back"}).is_success
    world.recorded("labels", {"back-0"})


def test_serving_and_recording_go_on_without_mlflow(world: World) -> None:
    # Nothing that comes after this has an MLflow.
    world.stop_mlflow.close()
    answer = world.post("moving", split(rows(1, 50)), **{"x-request-id": "alone"})

    assert answer.json() == {"predictions": [2.0]}
    assert set(world.recorded("moving", {"alone-0"})["model_version"]) == {"2"}
