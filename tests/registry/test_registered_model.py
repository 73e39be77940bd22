import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import mlflow
import pyarrow as pa
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import Schema as MlflowSchema
from mlflow.types import TensorSpec

from tocsin.errors import InvalidInputError, RegistryError, SchemaError
from tocsin.registry import Roles, registered_model
from tocsin.schema import Feature, Kind, Task

from .conftest import OF_MLFLOW, PATIENTS, TAGS, monitor_of

pytestmark = OF_MLFLOW


@pytest.fixture(scope="module")
def churn(server, register):
    uri = register("churn")
    mlflow.MlflowClient(tracking_uri=server).set_registered_model_alias("churn", "champion", "1")
    return uri


def test_the_schema_follows_the_signature(server, churn):
    schema = registered_model(churn, tracking_uri=server).schema
    assert schema.task is Task.BINARY
    assert schema.features == (
        Feature("age", Kind.NUMERIC),
        Feature("visits", Kind.NUMERIC),
        Feature("plan", Kind.CATEGORICAL),
        Feature("member", Kind.BOOLEAN),
    )
    assert (schema.label, schema.score, schema.prediction) == ("left", "risk", None)


def test_the_reference_holds_the_training_rows_with_their_own_types(server, churn):
    reference = registered_model(churn, tracking_uri=server).reference
    assert reference.schema.field("visits").type == pa.int64()
    assert reference.to_pydict() == {
        "age": [31.5, None, 64.0, 50.0],
        "visits": [1, 2, 3, 4],
        "plan": ["basic", "gold", None, "gold"],
        "member": [True, False, True, True],
        "left": [0.0, 1.0, None, 1.0],
        "risk": [0.1, 0.9, 0.4, None],
    }


def test_the_notes_say_where_the_rows_come_from_and_what_was_left_out(server, churn):
    notes = " ".join(registered_model(churn, tracking_uri=server).notes)
    assert "dataset 'churn rows'" in notes
    assert "4 rows from http://" in notes
    assert "column 'left', missing in 1 of these rows" in notes
    assert "Columns ['note'] are no inputs of the model" in notes


def test_an_alias_and_a_number_lead_to_the_same_version(server, churn):
    by_alias = registered_model("models:/churn@champion", tracking_uri=server)
    assert (by_alias.name, by_alias.version, by_alias.aliases) == ("churn", "1", ("champion",))
    assert by_alias.reference.equals(registered_model(churn, tracking_uri=server).reference)


def test_a_copied_version_has_the_schema_and_the_rows_of_its_origin(server, churn):
    client = mlflow.MlflowClient(tracking_uri=server)
    client.copy_model_version(churn, "promoted")
    client.copy_model_version("models:/promoted/1", "twice-promoted")
    copied = registered_model("models:/twice-promoted/1", tracking_uri=server)
    original = registered_model(churn, tracking_uri=server)
    assert copied.schema == original.schema
    assert copied.reference.equals(original.reference)


def test_the_environment_and_the_global_tracking_uri_stay_as_they_are(server, churn):
    environment, uri = dict(os.environ), mlflow.get_tracking_uri()
    registered_model(churn, tracking_uri=server)
    assert (dict(os.environ), mlflow.get_tracking_uri()) == (environment, uri)
    assert uri != server


def test_without_an_address_mlflows_own_is_used(server, churn, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert registered_model(churn, tracking_uri=None).name == "churn"


@pytest.mark.parametrize(("role", "column"), [("label", "left"), ("score", "risk")])
def test_mlflow_forgets_targets_and_predictions_so_the_error_asks_for_them(
    server, register, role, column
):
    rest = {tag: name for tag, name in TAGS.items() if tag != f"tocsin.{role}"}
    uri = register(f"untagged-{role}", tags=rest)
    with pytest.raises(RegistryError, match=f"give `{role}`, one of .*'{column}'"):
        registered_model(uri, tracking_uri=server)
    given = registered_model(uri, tracking_uri=server, roles=Roles(**{role: column}))
    assert getattr(given.schema, role) == column


def test_an_argument_takes_precedence_over_the_tag(server, churn):
    with pytest.raises(SchemaError, match=r"label 'note' .* 4 values such as 'a', 'b', 'c'"):
        registered_model(churn, tracking_uri=server, roles=Roles(label="note"))


@pytest.mark.parametrize("column", ["age", "height", "left"])
def test_a_feature_an_absent_column_or_the_label_cannot_be_the_score(server, churn, column):
    with pytest.raises(RegistryError, match=f"'{column}' .* cannot be the score.*'note', 'risk'"):
        registered_model(churn, tracking_uri=server, roles=Roles(score=column))


def test_text_cannot_be_the_score(server, churn, app):
    found = registered_model(churn, tracking_uri=server, roles=Roles(score="note"))
    with pytest.raises(SchemaError, match=r"'note' .* holds large_string, where numbers"):
        app.register.add("churn", monitor_of(found), found.reference)


@pytest.mark.usefixtures("churn")
def test_rows_on_a_server_that_moved_are_asked_of_the_server_that_is_there(server, register):
    client = mlflow.MlflowClient(tracking_uri=server)
    run = client.get_run(client.get_model_version("churn", "1").run_id)
    path = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    gone = f"http://127.0.0.1:9/api/2.0/mlflow-artifacts/artifacts/{path}/rows.parquet"
    moved = registered_model(register("moved", source=gone), tracking_uri=server)
    assert moved.reference.num_rows == len(PATIENTS)


def test_a_reference_may_be_a_csv_file(server, register, tmp_path):
    PATIENTS.to_csv(tmp_path / "rows.csv", index=False)
    uri = register("from-csv", source=str(tmp_path / "rows.csv"))
    assert registered_model(uri, tracking_uri=server).reference["left"].to_pylist() == [
        0,
        1,
        None,
        1,
    ]


def test_a_reference_whose_file_is_gone_is_named(server, register, tmp_path):
    uri = register("gone", source=str(tmp_path / "gone.parquet"))
    with pytest.raises(RegistryError, match=r"gone\.parquet cannot be loaded from here"):
        registered_model(uri, tracking_uri=server)


def test_a_reference_on_a_host_that_is_gone_is_not_asked_for_a_minute(server, register):
    uri = register("gone-host", source="http://127.0.0.1:9/rows.parquet")
    with pytest.raises(
        RegistryError, match=r"http://127\.0\.0\.1:9/rows\.parquet, cannot be reached"
    ):
        registered_model(uri, tracking_uri=server)


def test_a_reference_of_a_strange_format_is_refused(server, register, tmp_path):
    (tmp_path / "rows.xlsx").write_text("?")
    uri = register("strange", source=str(tmp_path / "rows.xlsx"))
    with pytest.raises(RegistryError, match=r"rows\.xlsx is neither \.parquet nor \.csv"):
        registered_model(uri, tracking_uri=server)


def test_a_reference_without_one_of_the_features_is_refused(server, register):
    uri = register(
        "no-age", PATIENTS.drop(columns="age"), signature=infer_signature(PATIENTS[["age"]])
    )
    with pytest.raises(RegistryError, match="takes 'age', which its training dataset lacks"):
        registered_model(uri, tracking_uri=server)


def test_a_run_without_a_training_dataset_says_how_to_log_one(server, register):
    for uri in (register("bare", context=None), register("evaluated", context="eval")):
        with pytest.raises(RegistryError, match=r"no training dataset; log it .*mlflow\.log_input"):
            registered_model(uri, tracking_uri=server)


def test_a_dataset_known_only_by_the_code_that_made_it_says_how_to_keep_it(server, register):
    uri = register("autologged", source=None)
    with pytest.raises(RegistryError, match="was not kept as a file; log it"):
        registered_model(uri, tracking_uri=server)


def test_a_model_without_a_signature_is_refused(server, register):
    with pytest.raises(SchemaError, match="has no signature"):
        registered_model(register("unsigned", signature=None), tracking_uri=server)


def test_a_model_of_tensors_is_refused(server, register):
    import numpy as np

    tensors = ModelSignature(MlflowSchema([TensorSpec(np.dtype("float64"), (-1, 3))]))
    with pytest.raises(SchemaError, match="unnamed input of type tensor"):
        registered_model(register("tensors", signature=tensors), tracking_uri=server)


@pytest.mark.usefixtures("churn")
def test_what_the_registry_lacks_is_named_with_what_it_has(server):
    with pytest.raises(RegistryError, match=f"MLflow at {server} has no model 'chrun'.*'churn'"):
        registered_model("models:/chrun@champion", tracking_uri=server)
    with pytest.raises(
        RegistryError, match=r"'churn' has no alias 'winner'; it has \['champion'\]"
    ):
        registered_model("models:/churn@winner", tracking_uri=server)
    with pytest.raises(RegistryError, match=r"'churn' has no version 77; it has \[1\]"):
        registered_model("models:/churn/77", tracking_uri=server)


@pytest.mark.parametrize("uri", ["churn", "models:/churn", "models:/churn/Production", "runs:/a/b"])
def test_other_addresses_are_refused_with_the_two_forms(server, uri):
    with pytest.raises(InvalidInputError, match="write models:/name@alias or models:/name/version"):
        registered_model(uri, tracking_uri=server)


def test_an_absent_server_is_one_sentence_with_its_address_and_no_password():
    # If MLflow's own retries were at work, this test would take four minutes.
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = dict(os.environ)
    with pytest.raises(RegistryError) as caught:
        registered_model(
            "models:/churn@champion", tracking_uri=f"http://me:secret@127.0.0.1:{port}"
        )
    message = str(caught.value)
    assert message.startswith(f"MLflow at http://127.0.0.1:{port} cannot be reached")
    assert "secret" not in message
    assert "\n" not in message
    assert ". " not in message
    assert dict(os.environ) == environment


def test_a_server_that_only_gives_errors_is_not_asked_for_minutes():
    class Unavailable(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(503)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Unavailable) as unavailable:
        thread = threading.Thread(target=unavailable.serve_forever)
        thread.start()
        try:
            with pytest.raises(RegistryError, match="answers 503"):
                registered_model(
                    "models:/churn@champion",
                    tracking_uri=f"http://127.0.0.1:{unavailable.server_port}",
                )
        finally:
            unavailable.shutdown()
            thread.join()


def test_mlflow_is_imported_only_when_a_model_is_asked_for():
    code = "import sys, tocsin.registry; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
