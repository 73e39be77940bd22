"""An unmodified `mlflow models serve` is captured when one variable says so, and not otherwise."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.capture.test_autolog import Sink
from tests.capture.world import fitted, registered, rows, served, until
from tests.registry.conftest import OF_MLFLOW

from tocsin.demo.model import tracking_at

pytestmark = [
    *OF_MLFLOW,
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]
ENTRY = "[mlflow.run_context_provider]\ntocsin = tocsin.capture.plugin:CaptureProvider\n"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH in which the entry point is installed."""
    folder: Path = tmp_path_factory.mktemp("installed")
    distribution = folder / "captured-1.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: captured\nVersion: 1\n")
    (distribution / "entry_points.txt").write_text(ENTRY)
    return folder


def environment(installed: Path, **more: str) -> dict[str, str]:
    path = f"{installed}:{ROOT / 'src'}"
    # MLflow's command starts a program by its name.
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {
        "PATH": programs,
        "PYTHONPATH": path,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **more,
    }


def test_the_package_declares_the_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (name,) = project["entry-points"]["mlflow.run_context_provider"].items()
    assert name == ("tocsin", "tocsin.capture.plugin:CaptureProvider")


def test_without_the_variable_mlflow_is_as_it_was(installed: Path) -> None:
    code = (
        "import sys, mlflow\n"
        "assert 'tocsin.capture.plugin' in sys.modules\n"
        "from mlflow.pyfunc import scoring_server\n"
        "assert scoring_server.init.__module__ == scoring_server.__name__\n"
        "assert not [f for f in sys.meta_path if type(f).__module__.startswith('tocsin')]\n"
        "import threading\n"
        "assert not [t for t in threading.enumerate() if t.name.startswith('tocsin')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_mlflows_own_command_is_captured(tmp_path: Path, installed: Path) -> None:
    import mlflow

    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with tracking_at(store):
        experiment = mlflow.create_experiment("e", artifact_location=(tmp_path / "files").as_uri())
        registered("churn", fitted("binary"), experiment)
    sink = Sink()
    command = ["mlflow", "models", "serve", "-m", "models:/churn/1", "--env-manager", "local"]
    setting = environment(installed, MLFLOW_TRACKING_URI=store, TOCSIN_CAPTURE=sink.url)
    body: dict[str, Any] = {"dataframe_records": rows(3, 1).to_dict("records")}
    try:
        with served(command, log=tmp_path / "log", environment=setting) as (url,):
            answer = httpx2.post(f"{url}/invocations", json=body, headers={"x-request-id": "r"})
            assert len(answer.json()["predictions"]) == 3
            until(lambda: len([row for row in sink.rows if "prediction_id" in row]) == 3)
    finally:
        sink.close()
    found = {row["prediction_id"]: row for row in sink.rows if "prediction_id" in row}
    assert found.keys() == {"r-0", "r-1", "r-2"}
    assert {row["model_version"] for row in found.values()} == {"1"}
    assert "/api/v1/models/churn/predictions" in sink.paths
