"""Which version a loaded model is, in a registry in a file."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.registry.conftest import OF_MLFLOW

from tocsin.capture.origin import origin_of
from tocsin.demo.model import tracking_at
from tocsin.errors import RegistryError

pytestmark = [*OF_MLFLOW, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A run that made m-a, version 1 of `churn`, which was copied twice, and m-b, which is none."""
    import mlflow

    folder = tmp_path_factory.mktemp("origin")
    with tracking_at(f"sqlite:///{folder / 'mlflow.db'}"):
        client = mlflow.MlflowClient()
        experiment = client.create_experiment("e", artifact_location=(folder / "f").as_uri())
        run_id = str(client.create_run(experiment).info.run_id)
        for name in ("churn", "staged", "live"):
            client.create_registered_model(name)
        client.create_model_version("churn", (folder / "models/m-a/artifacts").as_uri(), run_id)
        client.create_model_version("staged", "models:/churn/1", run_id)
        client.create_model_version("live", "models:/staged/1", run_id)
        yield run_id


def loaded(run_id: str, model_id: str) -> Any:
    return SimpleNamespace(metadata=SimpleNamespace(run_id=run_id, model_id=model_id))


@pytest.mark.parametrize("name", ["churn", "staged", "live"])
def test_a_copied_version_is_that_of_its_origin(run: str, name: str) -> None:
    assert origin_of(loaded(run, "m-a"), name) == (name, "1")


def test_a_model_that_is_not_registered_is_no_version_of_another(run: str) -> None:
    assert origin_of(loaded(run, "m-b"), "churn") == ("churn", "m-b")
    with pytest.raises(RegistryError, match="no name"):
        origin_of(loaded(run, "m-b"))
