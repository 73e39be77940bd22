"""A real MLflow server, and small models registered in it."""

import pandas as pd
import pytest

from tocsin.demo.model import tracking_at
from tocsin.demo.servers import mlflow_server

PATIENTS = pd.DataFrame(
    {
        "age": [31.5, None, 64.0, 50.0],
        "visits": [1, 2, 3, 4],
        "plan": ["basic", "gold", None, "gold"],
        "member": [True, False, True, True],
        "left": [0.0, 1.0, None, 1.0],
        "risk": [0.1, 0.9, 0.4, None],
        "note": ["a", "b", "c", "d"],
    }
)
FEATURES = ["age", "visits", "plan", "member"]
TAGS = {"tocsin.label": "left", "tocsin.score": "risk"}
OF_MLFLOW = [
    # mlflow.data has two names for one and the same kind of local source.
    pytest.mark.filterwarnings(
        "ignore:The specified dataset source can be interpreted in multiple"
    ),
    # Importing mlflow.pyfunc warns of a type hint of MLflow's own.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    # mlflow.data's digest of a data frame calls DataFrame.all(0).
    pytest.mark.filterwarnings("ignore:Starting with pandas version 4.0 all arguments of all"),
    # infer_signature warns of whole numbers, which cannot hold a missing value.
    pytest.mark.filterwarnings("ignore:.*Inferred schema contains integer column:UserWarning"),
]


def monitor_of(found):
    """The monitor that has just the schema which was found."""
    return {"schema": {key: part for key, part in found.schema.to_dict().items() if part}}


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as uri:
        yield uri


@pytest.fixture(scope="module")
def register(server, tmp_path_factory):
    """Logs rows and a model that has them as its training dataset; returns models:/name/version."""
    import mlflow
    from mlflow.models import infer_signature
    from sklearn.dummy import DummyClassifier

    def register(
        name,
        rows=PATIENTS,
        *,
        features=FEATURES,
        tags=TAGS,
        source="artifact",
        context="training",
        signature="inferred",
        model=None,
        trusted=(),
    ):
        if signature == "inferred":
            signature = infer_signature(rows[features].dropna())
        with tracking_at(server), mlflow.start_run() as run:
            if source == "artifact":
                source = _proxied(rows, run, server, tmp_path_factory.mktemp("rows"))
            if context is not None:
                # A name of its own: within an experiment, MLflow takes a dataset of known name and
                # digest for the known one and forgets the new source.
                forgotten = {"targets": "left", "predictions": "risk"} if "left" in rows else {}
                dataset = mlflow.data.from_pandas(
                    rows, source=source, name=f"{name} rows", **forgotten
                )
                mlflow.log_input(dataset, context=context, tags=tags)
            logged = mlflow.sklearn.log_model(
                model or DummyClassifier().fit([[0], [1]], [0, 1]),
                name=name,
                signature=signature,
                skops_trusted_types=list(trusted) or None,
                pip_requirements=["scikit-learn"],
            )
            version = mlflow.register_model(logged.model_uri, name)
        return f"models:/{name}/{version.version}"

    return register


def _proxied(rows, run, server, folder):
    import mlflow

    rows.to_parquet(folder / "rows.parquet", index=False)
    mlflow.log_artifact(str(folder / "rows.parquet"))
    path = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    return f"{server}/api/2.0/mlflow-artifacts/artifacts/{path}/rows.parquet"
