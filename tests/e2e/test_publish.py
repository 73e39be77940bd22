"""Results in a real MLflow: there once, however often they are sent."""

from collections.abc import Iterator
from typing import Any

import mlflow
import pytest
from tests.world import Feed, monitor_document, reference

from tocsin.app import App, opened
from tocsin.demo.servers import mlflow_server
from tocsin.errors import RegistryError
from tocsin.records.tables import published
from tocsin.registry.results import Results
from tocsin.service.publish import Publish
from tocsin.settings import Settings

RULE = {
    "alert": "High",
    "expr": {"metric": "label_rate", "window": "24h", "op": ">", "value": 0.01},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as uri:
        client = mlflow.MlflowClient(tracking_uri=uri)
        run = client.create_run("0")
        client.create_registered_model("late")
        client.create_model_version(
            "late", run.info.artifact_uri, run.info.run_id, await_creation_for=0
        )
        yield uri


@pytest.fixture(scope="module")
def world(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Three days of version 1, with an incident, and a model that opted out."""
    folder = tmp_path_factory.mktemp("data")
    with opened(Settings(folder, "127.0.0.1", 1, "http://tocsin.test", server)) as app:
        document = monitor_document(model="models:/late@champion", version="1", rules=[RULE])
        app.register.add("late", document, reference(500))
        app.register.add("quiet", {**document, "publish": False}, reference(500))
        for name in ("late", "quiet"):
            feed = Feed(app, name)
            feed.hours(0, 75, rows=20)
            feed.work()
        yield app


def monitoring_runs(server: str, model: str) -> list[Any]:
    client = mlflow.MlflowClient(tracking_uri=server)
    found = client.get_experiment_by_name(f"monitoring/{model}")
    return [] if found is None else list(client.search_runs([found.experiment_id]))


def test_windows_incidents_and_states_are_in_mlflow_once(server: str, world: App) -> None:
    client = mlflow.MlflowClient(tracking_uri=server)
    publish = Publish(world.records, Results(server))
    publish.publish()
    (run,) = monitoring_runs(server, "late")
    history = client.get_metric_history(run.info.run_id, "24h/roc_auc")
    assert len(history) == 3
    points = world.read.series("late", "roc_auc").points
    stored = {p.window.end // 1_000: p.measure.value for p in points}
    assert {m.timestamp: m.value for m in history} == {
        m.timestamp: pytest.approx(stored[m.timestamp]) for m in history
    }
    names = set(run.data.metrics)
    assert {"24h/rows", "24h/roc_auc/low", "24h/js_distance/distance", "24h/psi/p"} <= names
    files = {file.path for file in client.list_artifacts(run.info.run_id, "incidents")}
    assert files == {"incidents/1.json", "incidents/1.md"}
    tags = client.get_model_version("late", "1").tags
    assert (tags["tocsin.status"], tags["tocsin.incident"]) == ("incident", "1")
    assert monitoring_runs(server, "quiet") == []

    # As after a crash between sending and remembering: all of it is sent again.
    with world.records.write() as connection:
        connection.execute(published.delete())
    publish.publish()
    (again,) = monitoring_runs(server, "late")
    assert again.info.run_id == run.info.run_id
    assert len(client.get_metric_history(run.info.run_id, "24h/roc_auc")) == 3


def test_mlflow_away_is_told_and_nothing_is_lost(server: str, world: App) -> None:
    Feed(world, "late").hours(75, 98, rows=20)
    Feed(world, "late").work()
    with pytest.raises(RegistryError, match="results of late"):
        Publish(world.records, Results("http://127.0.0.1:9")).publish()
    Publish(world.records, Results(server)).publish()
    (run,) = monitoring_runs(server, "late")
    client = mlflow.MlflowClient(tracking_uri=server)
    steps = {m.step for m in client.get_metric_history(run.info.run_id, "24h/roc_auc")}
    assert len(steps) == 4
