import subprocess
import sys

import mlflow
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tocsin.demo.flights import FEATURES, HOME, flights
from tocsin.demo.model import LABEL, SCORE, URI, tracking_at, train
from tocsin.demo.servers import mlflow_server
from tocsin.registry import registered_model
from tocsin.schema import Kind

pytestmark = [
    # Importing mlflow.pyfunc warns of a type hint of MLflow's own.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    # mlflow.data's digest of a data frame calls DataFrame.all(0).
    pytest.mark.filterwarnings("ignore:Starting with pandas version 4.0 all arguments of all"),
]


def champion(tracking_uri):
    """The registered model with the alias, as MLflow loads it for serving."""
    import mlflow

    with tracking_at(tracking_uri):
        return mlflow.pyfunc.load_model(URI)


def score(model, frame):
    """The probability that each flight will be late."""
    return np.asarray(model.predict(frame[list(FEATURES)]), dtype=np.float64)[:, 1]


@pytest.fixture(scope="module")
def january():
    year = flights()
    return year[year["scheduled"].dt.tz_convert(HOME).dt.month == 1]


@pytest.fixture(scope="module")
def tracking_uri(january, tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as uri:
        assert train(january, tracking_uri=uri, months=(1,)) == "1"
        yield uri


@pytest.fixture(scope="module")
def registered(tracking_uri):
    return registered_model(URI, tracking_uri=tracking_uri)


def test_the_registry_tells_the_features_the_label_and_the_score(registered):
    schema = registered.schema
    assert [feature.name for feature in schema.features] == list(FEATURES)
    kinds = {feature.name: feature.kind for feature in schema.features}
    assert (kinds["carrier"], kinds["distance"]) == (Kind.CATEGORICAL, Kind.NUMERIC)
    assert (schema.label, schema.score) == (LABEL, SCORE)
    assert registered.aliases == ("champion",)


def test_the_reference_is_all_flights_of_the_months_even_those_that_never_arrived(
    registered, january
):
    late = january["late"]
    assert registered.reference[LABEL].null_count == late.isna().sum() > 0
    assert registered.reference[LABEL].drop_null().to_pylist() == late.dropna().to_list()
    assert registered.reference[SCORE].null_count == 0


def test_the_probabilities_of_the_reference_are_of_models_that_had_not_seen_the_flights(
    registered, january, tracking_uri
):
    arrived = january["late"].notna().to_numpy()
    late = january["late"][arrived].astype(int)
    out_of_fold = registered.reference[SCORE].to_numpy()[arrived]
    flattering = score(champion(tracking_uri), january)[arrived]
    assert 0.55 < roc_auc_score(late, out_of_fold) < roc_auc_score(late, flattering) - 0.05


def test_another_process_reads_the_reference_through_mlflow_given_only_the_address(tracking_uri):
    code = (
        "import sys, mlflow, pandas\n"
        f"client = mlflow.MlflowClient(tracking_uri={tracking_uri!r})\n"
        "version = client.get_model_version_by_alias('flight-delay', 'champion')\n"
        "[dataset] = client.get_run(version.run_id).inputs.dataset_inputs\n"
        "print(len(pandas.read_parquet(mlflow.data.get_source(dataset).load())))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "27004"


def test_an_airport_never_seen_and_weather_not_measured_are_scored(tracking_uri, january):
    strange = january.head(3).assign(dest="XYZ", temp=np.nan, pressure=np.nan)
    probabilities = score(champion(tracking_uri), strange)
    assert probabilities.shape == (3,)
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_the_tracking_uri_is_put_back_whether_it_was_set_by_call_by_variable_or_not_at_all(
    monkeypatch,
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    untouched = mlflow.get_tracking_uri(), mlflow.is_tracking_uri_set()
    with tracking_at("http://127.0.0.1:9"):
        assert mlflow.get_tracking_uri() == "http://127.0.0.1:9"
    assert (mlflow.get_tracking_uri(), mlflow.is_tracking_uri_set()) == untouched

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:10")
    with tracking_at("http://127.0.0.1:9"):
        pass
    assert mlflow.get_tracking_uri() == "http://127.0.0.1:10"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:11")
    assert mlflow.get_tracking_uri() == "http://127.0.0.1:11"
