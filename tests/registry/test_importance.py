"""What real models of a real MLflow rely on, of every task; scikit-learn says what is right."""

import os
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.inspection import permutation_importance as oracle
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tests.servers import Server

from tocsin.errors import RegistryError
from tocsin.registry.loading import loaded_model, outputs_of
from tocsin.schema import Feature, Kind, Schema, Task

from .conftest import OF_MLFLOW

pytestmark = OF_MLFLOW
FEATURES = ["much", "little", "noise", "town"]
TOWNS = np.array(["oslo", "rome", "bern"])
ROWS = 3_000
# What skops, in which MLflow keeps models, loads only if it is told to.
TREES = [
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
]


def rows(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Features, and what they come to: by the first, less by the town, little by the second."""
    chance = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "much": chance.normal(size=ROWS),
            "little": chance.normal(size=ROWS),
            "noise": chance.normal(size=ROWS),
            "town": chance.choice(TOWNS, ROWS),
        }
    )
    come_to = 2 * frame["much"] + 0.4 * frame["little"] + 1.0 * (frame["town"] == "rome")
    return frame, (come_to + chance.logistic(size=ROWS)).to_numpy()


def piped(model):
    towns = (OneHotEncoder(), ["town"])
    return make_pipeline(make_column_transformer(towns, remainder="passthrough"), model)


@pytest.fixture(scope="module")
def tocsin(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("importance") / "data"
    with Server(folder, MLFLOW_TRACKING_URI=server) as running:
        yield running


def command(tocsin: Server, server: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tocsin", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        env={
            **os.environ,
            "COLUMNS": "160",
            "TOCSIN_URL": tocsin.url,
            "MLFLOW_TRACKING_URI": server,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Downloading" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def late(register) -> tuple[str, pd.DataFrame, object]:
    """A binary classifier that is served with its classes only, as MLflow does by default."""
    model = piped(LogisticRegression())
    seen, come_to = rows(1)
    model.fit(seen, (come_to > 0.5).astype(int))
    held, truth = rows(2)
    table = held.assign(late=(truth > 0.5).astype(int), p=model.predict_proba(held)[:, 1])
    tags = {"tocsin.label": "late", "tocsin.score": "p"}
    signature = infer_signature(held, model.predict(held))
    return register("late", table, tags=tags, signature=signature, model=model), table, model


@pytest.fixture(scope="module")
def size(register) -> tuple[str, pd.DataFrame, object]:
    """A classifier of three classes, whose names do not sort as they grow."""
    model = piped(HistGradientBoostingClassifier(max_iter=30, random_state=0))
    names = np.array(["small", "middle", "large"])
    seen, come_to = rows(3)
    model.fit(seen, names[np.digitize(come_to, [-1, 1.5])])
    held, truth = rows(4)
    table = held.assign(
        size=names[np.digitize(truth, [-1, 1.5])], guess=model.predict(held).astype(str)
    )
    tags = {"tocsin.label": "size", "tocsin.prediction": "guess", "tocsin.task": "multiclass"}
    signature = infer_signature(held, model.predict_proba(held))
    kept = {"tags": tags, "signature": signature, "model": model, "trusted": TREES}
    return register("size", table, **kept), table, model


@pytest.fixture(scope="module")
def price(register) -> tuple[str, pd.DataFrame, object]:
    """A regression by trees, of numbers only."""
    model = RandomForestRegressor(n_estimators=20, min_samples_leaf=5, random_state=0)
    seen, come_to = rows(5)
    model.fit(seen[FEATURES[:3]], come_to)
    held, truth = rows(6)
    held = held[FEATURES[:3]]
    table = held.assign(price=truth, said=model.predict(held))
    tags = {"tocsin.label": "price", "tocsin.prediction": "said"}
    signature = infer_signature(held, model.predict(held))
    kept = {"tags": tags, "signature": signature, "model": model, "trusted": TREES}
    return register("price", table, **kept), table, model


def brier(model, features, truth) -> float:
    hot = (np.asarray(truth)[:, None] == model.classes_).astype(float)
    squares = ((model.predict_proba(features) - hot) ** 2).sum(1)
    return -squares.mean() / (2 if len(model.classes_) == 2 else 1)


def absolute(model, features, truth) -> float:
    return -np.abs(model.predict(features) - truth).mean()


MODELS = [
    ("late", "late", brier, ["much", "town", "little"]),
    ("size", "size", brier, ["much", "town", "little"]),
    ("price", "price", absolute, ["much"]),
]


@pytest.mark.parametrize(("name", "label", "scorer", "first"), MODELS)
def test_what_decides_is_first_noise_is_nothing_and_scikit_learn_agrees(
    name, label, scorer, first, request, tocsin, server
):
    uri, table, model = request.getfixturevalue(name)
    said = command(tocsin, server, "watch", uri, "--importance")
    assert "It took" in said
    found = tocsin.get(f"/models/{name}/importance?version=1")

    order = [feature["feature"] for feature in found["features"]]
    assert order[: len(first)] == first
    assert (found["measured"], found["method"], found["rows"]) == ("loss", "permutation", 2_000)
    by_name = {feature["feature"]: feature for feature in found["features"]}
    # Trees that overfit do a little worse for noise they rely on; that is no noise of the measure.
    assert by_name["noise"]["value"] < 0.03 * by_name["much"]["value"]
    assert by_name["noise"]["value"] < 4 * by_name["noise"]["error"]

    features = [column for column in FEATURES if column in by_name]
    theirs = oracle(
        model, table[features], table[label], scoring=scorer, n_repeats=5, random_state=1
    )
    spreads = theirs.importances_std / 5**0.5
    for column, value, spread in zip(features, theirs.importances_mean, spreads, strict=True):
        mine = by_name[column]
        assert mine["value"] == pytest.approx(value, abs=3 * np.hypot(mine["error"], spread))


def outputs(name: str, model, frame: pd.DataFrame) -> list[dict]:
    """What the model gives, as predictions are sent."""
    if name == "late":
        return [{"p": float(p)} for p in model.predict_proba(frame)[:, 1]]
    of = {"size": "guess", "price": "said"}[name]
    return [{of: value} for value in model.predict(frame).tolist()]


def sent_lately(tocsin, name: str, label: str, model, features, *, labelled: bool) -> None:
    """Rows of now in which the first feature hardly differs, with their labels or without."""
    frame, truth = rows(7)
    frame, truth = frame[features][:600].assign(much=0.02 * frame["much"][:600]), truth[:600]
    truth = truth - 2 * rows(7)[0]["much"][:600].to_numpy()
    told = {
        "late": lambda: (truth > 0.5).astype(int),
        "size": lambda: np.array(["small", "middle", "large"])[np.digitize(truth, [-1, 1.5])],
        "price": lambda: truth,
    }[label]()
    given = outputs(label, model, frame)
    predictions = [
        {
            "prediction_id": f"{name}-{i}",
            "timestamp": f"2026-05-01T{i // 60:02}:{i % 60:02}:00Z",
            "inputs": inputs,
            "outputs": given[i],
        }
        for i, inputs in enumerate(frame.to_dict("records"))
    ]
    outcomes = [
        {
            "prediction_id": f"{name}-{i}",
            "timestamp": "2026-05-01T12:00:00Z",
            "actual_outcome": told[i].item(),
        }
        for i in range(600)
    ]
    kinds = {"predictions": predictions, **({"outcomes": outcomes} if labelled else {})}
    for kind, records in kinds.items():
        answer = httpx2.post(f"{tocsin.url}/api/v1/models/{name}/{kind}", json=records)
        assert answer.json()["accepted"] == 600, answer.text
    tocsin.caught_up()


@pytest.mark.parametrize(("name", "labelled"), [("late", False), ("size", True), ("price", True)])
def test_rows_of_now_show_that_a_model_relies_on_other_features(
    name, labelled, request, tocsin, server
):
    uri, table, model = request.getfixturevalue(name)
    mine = f"{name} {'told' if labelled else 'untold'}"
    few = ("--rows", "600", "--repeats", "3")
    command(tocsin, server, "watch", uri, "--name", mine)
    command(tocsin, server, "importance", mine, "--compute", *few)
    features = [column for column in FEATURES if column in table]
    sent_lately(tocsin, mine, name, model, features, labelled=labelled)
    said = command(tocsin, server, "importance", mine, "--recent", "7d", *few)
    assert ("how far the output moves is compared" in said) is not labelled
    found = tocsin.get(f"/models/{mine}/importance?version=1")
    # The stored one stays as it was.
    assert found["measured"] == "loss"
    recent = found["recent"]
    much = next(f for f in recent["features"] if f["feature"] == "much")
    assert much["rank"] == 1
    assert much["rank_now"] > 1
    assert much["share_now"] < 0.7 * much["share"]
    assert recent["ndcg"] < 0.9
    # By losses of so few rows it may be chance, and then it says so; moves of outputs are surer.
    assert labelled or (much["differs"] and recent["changed"])
    assert ("rise of the loss" if labelled else "move of the output") in recent["described"]
    assert recent["sentence"].replace("`", "") in said.replace("\n", " ")
    page = httpx2.get(f"{tocsin.url}/models/{mine}").text
    said = "relies on other features" if recent["changed"] else "too few to tell whether"
    assert said in recent["sentence"]
    assert said in page


def test_it_is_computed_once_and_anew_only_if_asked(late, tocsin, server):
    command(tocsin, server, "watch", late[0], "--name", "once")
    path = "/models/once/importance"
    shown = command(tocsin, server, "importance", "once", "--compute", "--rows", "500")
    first = tocsin.get(path)
    assert "mean rise of the loss when a feature is shuffled, over 500 rows, 5 times" in shown
    again = command(tocsin, server, "importance", "once", "--compute", "--rows", "400")
    assert "It was known" in again
    assert tocsin.get(path) == first
    command(tocsin, server, "importance", "once", "--again", "--rows", "400")
    assert tocsin.get(path)["rows"] == 400
    assert "much" in command(tocsin, server, "importance", "once", "--version", "1")


@pytest.mark.parametrize("name", ["price", "late"])
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_shap_values_put_the_features_in_the_same_order(name, request, tocsin, server):
    uri, _, _ = request.getfixturevalue(name)
    command(tocsin, server, "watch", uri, "--name", f"{name} by shap")
    arguments = ("importance", f"{name} by shap", "--compute", "--method", "shap", "--rows", "300")
    said = command(tocsin, server, *arguments)
    assert "mean absolute SHAP value" in said
    found = tocsin.get(f"/models/{name} by shap/importance?method=shap")
    order = [feature["feature"] for feature in found["features"]]
    assert order[0] == "much"
    assert order[-1] == "noise"
    assert found["measured"] == "output"


def test_a_model_without_a_registry_is_told_of(tocsin):
    from tests.cli.test_ingest import added

    model = added(tocsin)
    done = subprocess.run(
        [sys.executable, "-m", "tocsin", "importance", model, "--compute"],
        capture_output=True,
        text=True,
        env={**os.environ, "TOCSIN_URL": tocsin.url},
        check=False,
    )
    assert done.returncode == 1
    assert "was added without a registry" in done.stderr
    assert httpx2.get(f"{tocsin.url}/api/v1/models/{model}/importance").status_code == 404


SIZES = Schema(
    Task.MULTICLASS, (), None, "said", "size", classes=("s", "m", "l"), scores=("a", "b", "c")
)
LATE = Schema(Task.BINARY, (Feature("x", Kind.NUMERIC),), "p", None, "late")


@pytest.mark.parametrize(
    ("answer", "schema", "classes", "outputs"),
    [
        ([[0.2, 0.3, 0.5]], SIZES, ["l", "m", "s"], [[0.5, 0.3, 0.2]]),
        ([[0.2, 0.3, 0.5]], SIZES, None, [[0.2, 0.3, 0.5]]),
        (["m", "l"], SIZES, None, [[0, 1, 0], [0, 0, 1]]),
        ([[0.2, 0.8]], LATE, [0, 1], [[0.8]]),
        ([[0.2, 0.8]], LATE, [True, False], [[0.2]]),
        ([0.7, 0.1], LATE, None, [[0.7], [0.1]]),
        ([[0.7], [0.1]], LATE, None, [[0.7], [0.1]]),
        ([1, 0], LATE, None, [[1], [0]]),
    ],
)
def test_what_a_model_gives_is_put_into_the_order_of_the_schema(answer, schema, classes, outputs):
    assert outputs_of(np.array(answer), schema, classes).tolist() == outputs


@pytest.mark.parametrize(
    ("answer", "schema", "classes", "words"),
    [
        (["x"], SIZES, None, "none of"),
        ([[0.2, 0.8]], SIZES, None, "2 columns"),
        ([[0.2, 0.3, 0.5]], SIZES, ["l", "m", "x"], "l"),
        ([np.nan], LATE, None, "NaN"),
    ],
)
def test_an_answer_that_does_not_fit_the_monitor_is_an_error(answer, schema, classes, words):
    with pytest.raises(RegistryError, match=words):
        outputs_of(np.array(answer), schema, classes)


def test_a_reference_without_an_input_is_an_error_that_names_it(late, server):
    with (
        loaded_model(late[0], tracking_uri=server) as model,
        pytest.raises(RegistryError, match="takes 'little'"),
    ):
        model.frame(pa.table({"much": [1.0]}))
