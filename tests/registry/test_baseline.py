"""What a version measured itself, and references that the registry does not have."""

import mlflow
import pyarrow as pa
import pytest

from tocsin.demo.model import tracking_at
from tocsin.errors import RegistryError, SchemaError
from tocsin.registry import Roles, registered_model

from .conftest import OF_MLFLOW, PATIENTS

pytestmark = OF_MLFLOW


def logged_with(server, uri, **metrics):
    """Metrics on the logged model behind a version."""
    client = mlflow.MlflowClient(tracking_uri=server)
    name, version = uri.removeprefix("models:/").split("/")
    found = client.get_model_version(name, version)
    model_id = found.model_id or found.source.removeprefix("models:/")
    with tracking_at(server):
        mlflow.log_metrics(metrics, model_id=model_id, run_id=found.run_id)


def test_the_metrics_of_a_version_come_along_of_a_copied_one_too(server, register):
    uri = register("measured")
    logged_with(server, uri, roc_auc=0.81, training_f1_score=0.9)
    found = registered_model(uri, tracking_uri=server)
    assert found.baseline == {"roc_auc": 0.81, "training_f1_score": 0.9}
    client = mlflow.MlflowClient(tracking_uri=server)
    client.copy_model_version(uri, "measured-copy")
    copied = registered_model("models:/measured-copy/1", tracking_uri=server)
    assert copied.baseline == found.baseline


def test_a_version_without_metrics_has_none(server, register):
    assert registered_model(register("unmeasured"), tracking_uri=server).baseline == {}


def test_a_reference_can_be_given_where_the_registry_has_none(server, register):
    uri = register("rowless", context=None)
    with pytest.raises(RegistryError, match="give a reference as Parquet"):
        registered_model(uri, tracking_uri=server)
    given = pa.Table.from_pandas(PATIENTS, preserve_index=False)
    roles = Roles(label="left", score="risk")
    found = registered_model(uri, tracking_uri=server, roles=roles, given=given)
    assert found.reference.num_rows == 4
    assert found.schema.label == "left"
    assert found.notes[0] == "The reference is what was given: 4 rows."


def test_a_given_reference_without_an_input_of_the_model_is_refused(server, register):
    uri = register("rowless-too", context=None)
    given = pa.Table.from_pandas(PATIENTS.drop(columns=["age"]), preserve_index=False)
    with pytest.raises((RegistryError, SchemaError), match="'age'"):
        registered_model(
            uri, tracking_uri=server, roles=Roles(label="left", score="risk"), given=given
        )
