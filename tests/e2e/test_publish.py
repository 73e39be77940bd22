"""Results in a real MLflow: there once, however often they are sent."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import mlflow
import pytest
from tests.world import HOUR, START, Feed, monitor_document, outcome, prediction, reference

from tocsin.app import App, opened
from tocsin.demo.servers import mlflow_server
from tocsin.errors import RegistryError
from tocsin.records import alerts, models
from tocsin.records.tables import published
from tocsin.registry.results import ResultPoint, Results
from tocsin.service.publish import Publish
from tocsin.settings import Settings
from tocsin.values import DAY, from_datetime

RULE = {
    "alert": "High",
    "expr": {"metric": "label_rate", "window": "24h", "op": ">", "value": 0.01},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as uri:
        client = mlflow.MlflowClient(tracking_uri=uri)
        run = client.create_run("0")
        for name in ("late", "blamed"):
            client.create_registered_model(name)
            for _ in range(2):
                client.create_model_version(
                    name, run.info.artifact_uri, run.info.run_id, await_creation_for=0
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


FIRST = from_datetime(START) + DAY


@pytest.fixture
def blamed(app: App) -> Feed:
    """A day of version 1, one of both, and two of version 2, the last of which is not over."""
    schema = {
        "features": [
            {"name": "distance//to", "kind": "numeric"},
            {"name": "..", "kind": "numeric"},
        ],
        "score": "p",
        "label": "late",
    }
    rows = reference(500)
    rows = rows.select(["p", "late"]).append_column("distance//to", rows["distance"])
    document = {"schema": schema, "model": "models:/blamed@champion", "version": "1"}
    app.register.add("blamed", document, rows.append_column("..", rows["p"]))
    feed = Feed(app, "blamed")
    for i in range(4 * 24 * 4):
        at = START + HOUR * (i / 4)
        version = ("11", "12", "22", "22")[i // 96][i % 2]
        row = prediction(f"r{i}", timestamp=at, p=0.1 + 0.8 * (i % 3 == 0), model_version=version)
        row["inputs"] = {"distance//to": 900.0 + i, "..": 0.5}
        feed.predictions(row)
        feed.outcomes(outcome(f"r{i}", int(i % 3 == 0), timestamp=at + timedelta(minutes=5)))
    feed.work()
    return feed


def open_incident(app: App, opened: int, *, resolved: int | None = None) -> int:
    with app.records.write() as connection:
        return alerts.add_incident(
            connection,
            models.model_named(connection, "blamed").id,
            severity="critical",
            title="High",
            opened=opened,
            resolved=resolved,
            opened_at=opened,
            resolved_at=resolved,
            window_size=DAY,
            window_end=opened,
            causes=[],
        )


def change(app: App, number: int, **values: Any) -> None:
    with app.records.write() as connection:
        alerts.update_incident(connection, number, **values)


class Breaking(Results):
    """Results in MLflow, where a report cannot be put down once; which were is remembered."""

    def __init__(self, uri: str, breaks_at: str) -> None:
        super().__init__(uri)
        self.breaks_at = breaks_at
        self.attached: list[str] = []

    def attach(self, run_id: str, name: str, document: dict[str, Any], text: str) -> None:
        if name == self.breaks_at:
            self.breaks_at = ""
            raise RegistryError("the disk of MLflow is full")
        super().attach(run_id, name, document, text)
        self.attached.append(name)


def test_incidents_versions_and_odd_names_of_a_model_that_moved_on(
    server: str, blamed: Feed
) -> None:
    app, client = blamed.app, mlflow.MlflowClient(tracking_uri=server)
    over = open_incident(app, FIRST, resolved=FIRST + 1)
    still = open_incident(app, FIRST)
    results = Breaking(server, f"incidents/{still}")
    publish = Publish(app.records, results)

    def status(version: str) -> tuple[str | None, str | None]:
        tags = client.get_model_version("blamed", version).tags
        return tags.get("tocsin.status"), tags.get("tocsin.incident")

    # A failure half-way: what was sent is not sent again, the rest is.
    with pytest.raises(RegistryError, match="disk of MLflow is full"):
        publish.publish()
    publish.publish()
    assert results.attached == [f"incidents/{over}", f"incidents/{still}"]
    # One is over, but another is not.
    assert (status("1"), status("2")) == (("incident", str(still)), (None, None))

    # Each version has its own numbers of the window in which both answered, by names of any kind.
    runs = {run.data.tags["tocsin.monitoring"]: run for run in monitoring_runs(server, "blamed")}
    counted = {
        version: [m.value for m in client.get_metric_history(run.info.run_id, "24h/rows")]
        for version, run in runs.items()
    }
    assert counted == {"1": [96, 48], "2": [48, 96]}
    names = {name.rpartition("/psi/")[2] for name in runs["2"].data.metrics if "/psi/" in name}
    assert {name.rpartition("-")[0] for name in names} == {"", "distance/_/to", "_"}

    # It goes on into a window of version 2, and is over: it is about version 1 all the same.
    change(app, still, window_end=FIRST + 2 * DAY)
    publish.publish()
    assert (status("1"), status("2")) == (("incident", str(still)), (None, None))
    change(app, still, resolved=FIRST + 2 * DAY)
    publish.publish()
    assert (status("1"), status("2")) == (("resolved", str(still)), (None, None))


def test_a_version_of_any_name_has_one_run(server: str) -> None:
    results = Results(server)
    for version in ("o'brien", "a\\'b", "50%", 'a"`b'):
        assert results.run_of("odd", version) == results.run_of("odd", version)
    assert len(monitoring_runs(server, "odd")) == 4


def test_a_name_that_mlflow_refuses_is_told_and_left_out(
    server: str, caplog: pytest.LogCaptureFixture
) -> None:
    results = Results(server)
    run = results.run_of("refusing", "1")
    points = [ResultPoint(name, 0.5, FIRST) for name in ("good", "a//b")]
    with caplog.at_level(logging.WARNING, "tocsin"):
        results.log(run, points)
        results.log(run, points)
    assert [r.getMessage() for r in caplog.records if "a//b" in r.getMessage()] == [
        "MLflow does not take the name 'a//b'; its numbers are left out"
    ]
    client = mlflow.MlflowClient(tracking_uri=server)
    assert client.get_run(run).data.metrics == {"good": 0.5}
    with pytest.raises(RegistryError, match="a//b"):
        results.log(run, points[1:])
