"""Models of every task, from a real MLflow into a monitor; scikit-learn says what is right."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    recall_score,
    root_mean_squared_error,
)
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from starlette.testclient import TestClient
from tests.servers import Server

from tocsin.api.server import application
from tocsin.app import opened
from tocsin.registry import Roles, registered_model
from tocsin.schema import Kind

from .conftest import OF_MLFLOW, monitor_of

pytestmark = OF_MLFLOW
CULTIVARS = ["barbera", "barolo", "grignolino"]
CHANCES = {name: f"p_{name}" for name in CULTIVARS}
WINES, NUMBERS = load_wine(as_frame=True, return_X_y=True)
WINES = WINES[["alcohol", "hue", "proline"]]
PATIENTS, PROGRESS = load_diabetes(as_frame=True, return_X_y=True)


@pytest.fixture(scope="module")
def wine(register):
    """A classifier of three cultivars, with the probabilities of wines that it had not seen."""
    names = np.array(CULTIVARS)[NUMBERS]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    chances = cross_val_predict(model, WINES, names, cv=5, method="predict_proba")
    rows = WINES.assign(
        cultivar=names,
        number=NUMBERS,
        guess=np.array(CULTIVARS)[chances.argmax(1)],
        **dict(zip(CHANCES.values(), chances.T, strict=True)),
    )
    model.fit(WINES, names)
    signature = infer_signature(WINES, model.predict_proba(WINES))
    tags = {"tocsin.label": "cultivar"}
    uri = register("wine", rows, signature=signature, tags=tags, model=model)
    return uri, rows


@pytest.fixture(scope="module")
def diabetes(register):
    """A regression of a disease's progress, a whole number of 25 to 346."""
    predicted = cross_val_predict(LinearRegression(), PATIENTS, PROGRESS, cv=5)
    rows = PATIENTS.assign(progress=PROGRESS, predicted=predicted)
    model = LinearRegression().fit(PATIENTS, PROGRESS)
    signature = infer_signature(PATIENTS, model.predict(PATIENTS))
    tags = {"tocsin.label": "progress", "tocsin.prediction": "predicted"}
    return register("diabetes", rows, signature=signature, tags=tags, model=model), rows


@pytest.fixture
def client(settings, server):
    with opened(replace(settings, tracking_uri=server)) as app, TestClient(application(app)) as c:
        yield c


def watched(client, uri, **more):
    answer = client.post("/api/v1/models/m/watch", json={"uri": uri, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def reference_of(client, metric):
    return client.get(f"/api/v1/models/m/metrics/{metric}").json()["reference"]["value"]


def test_three_cultivars_are_measured_as_scikit_learn_measures_them(client, wine):
    uri, rows = wine
    model = watched(client, uri, scores=CHANCES)

    assert (model["schema"]["task"], model["schema"]["classes"]) == ("multiclass", CULTIVARS)
    assert model["schema"]["scores"] == list(CHANCES.values())
    chances = rows[list(CHANCES.values())]
    truth, guess = rows["cultivar"], rows["guess"]
    assert reference_of(client, "accuracy_score") == pytest.approx(accuracy_score(truth, guess))
    recall = recall_score(truth, guess, average="macro")
    assert reference_of(client, "recall_macro") == pytest.approx(recall)
    assert reference_of(client, "log_loss") == pytest.approx(log_loss(truth, chances))


def test_the_predicted_class_is_enough(client, wine):
    uri, rows = wine
    model = watched(client, uri, prediction="guess")

    assert (model["schema"]["prediction"], model["schema"]["scores"]) == ("guess", [])
    right = accuracy_score(rows["cultivar"], rows["guess"])
    assert reference_of(client, "accuracy_score") == pytest.approx(right)


def test_scores_in_the_order_of_the_classes_are_the_same_as_by_class(server, wine):
    uri, _ = wine
    by_class = registered_model(uri, tracking_uri=server, roles=Roles(scores=CHANCES))
    in_order = registered_model(
        uri, tracking_uri=server, roles=Roles(scores=tuple(CHANCES.values()))
    )
    assert in_order.schema == by_class.schema
    assert in_order.reference.equals(by_class.reference)


@pytest.mark.parametrize("written", [json.dumps(CHANCES), ", ".join(CHANCES.values())])
def test_tags_say_the_same_as_arguments(server, register, wine, written, request):
    uri, rows = wine
    said = {"tocsin.label": "cultivar", "tocsin.scores": written, "tocsin.task": "multiclass"}
    name = f"tagged-{request.node.callspec.indices['written']}"
    tagged = register(name, rows, signature=infer_signature(WINES), tags=said)
    found = registered_model(tagged, tracking_uri=server)
    given = registered_model(uri, tracking_uri=server, roles=Roles(scores=CHANCES))
    assert found.schema == given.schema


def test_a_regression_is_told_by_its_label_and_measured_as_scikit_learn_does(client, diabetes):
    uri, rows = diabetes
    model = watched(client, uri)

    assert model["schema"]["task"] == "regression"
    assert "It is a regression: label 'progress' holds 214 different numbers" in " ".join(
        model["notes"]
    )
    truth, guess = rows["progress"], rows["predicted"]
    for metric, oracle in {
        "r2_score": r2_score,
        "mean_absolute_error": mean_absolute_error,
        "root_mean_squared_error": root_mean_squared_error,
    }.items():
        assert reference_of(client, metric) == pytest.approx(oracle(truth, guess)), metric


def test_further_fields_are_those_of_the_monitor(client, diabetes):
    uri, _ = diabetes
    model = watched(client, uri, segments=["sex"], windows=["24h"])
    assert [window["window"] for window in model["windows"]] == ["24h"]
    assert model["schema"]["segments"][0]["name"] == "sex"


def test_a_role_of_a_wrong_type_is_refused_with_its_name(client):
    for faulty in ({"task": "ranking"}, {"scores": 3}, {"label": ["a"]}):
        answer = client.post("/api/v1/models/m/watch", json={"uri": "models:/x@y", **faulty})
        assert answer.status_code == 422
        assert f"`{next(iter(faulty))}" in answer.json()["error"]["message"]


def test_an_address_that_is_missing_is_asked_for(client):
    answer = client.post("/api/v1/models/m/watch", json={})
    assert answer.status_code == 422
    assert "write models:/name@alias" in answer.json()["error"]["message"]


def test_a_moment_among_the_inputs_is_told_from_the_time_of_the_prediction(server, register, app):
    start = pd.Timestamp("2024-01-01")
    rows = pd.DataFrame(
        {"at": start + pd.to_timedelta(np.arange(40), "h"), "weight": np.arange(40.0)}
    )
    rows["opened"] = rows["at"] - pd.Timedelta("3h")
    rows = rows.rename(columns={"at": "timestamp"}).assign(
        left=np.arange(40) % 2, risk=np.linspace(0, 1, 40)
    )
    uri = register("tickets", rows, signature=infer_signature(rows[["opened", "weight"]]))
    found = registered_model(uri, tracking_uri=server)

    assert [feature.kind for feature in found.schema.features] == [Kind.DATETIME, Kind.NUMERIC]
    assert "timestamp" in found.reference.column_names
    app.register.add("tickets", monitor_of(found), found.reference)
    assert "'opened' is always 3 in the reference" in " ".join(app.read.model("tickets").notes)


def test_the_command_line_asks_for_scores_and_takes_them(tmp_path, server, wine):
    uri, _ = wine
    with Server(tmp_path / "data", MLFLOW_TRACKING_URI=server) as running:
        asked = watch(running, uri, "--task", "multiclass")
        assert asked.returncode == 1
        assert "give `scores`, one for each, or `prediction`" in asked.stderr
        options = [f"--scores={name}={column}" for name, column in CHANCES.items()]
        assert watch(running, uri, *options).returncode == 0
        schema = running.get("/models/wine")["schema"]
    assert schema["classes"] == CULTIVARS


@pytest.mark.parametrize("option", ["p_barolo", "=p_barolo", "barolo=", "barolo=p"])
def test_scores_of_the_command_line_are_one_for_each_class(option):
    given = ["--scores", "barolo=p_barolo", "--scores", option]
    done = subprocess.run(
        [sys.executable, "-m", "tocsin", "watch", "models:/wine/1", *given],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "--scores" in done.stderr
    assert "for each class" in done.stderr or "leave one out" in done.stderr


def watch(running, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "tocsin", "watch", *arguments, "--url", running.url],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
