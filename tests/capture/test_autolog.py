"""`tocsin.autolog()` on real models in a real registry, and what it does to its host: nothing."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.capture.world import COLUMNS, fitted, registered, rows
from tests.registry.conftest import OF_MLFLOW

import tocsin
from tocsin.capture import autologging
from tocsin.demo.model import tracking_at
from tocsin.errors import InvalidInputError

pytestmark = [
    *OF_MLFLOW,
    # MLflow's own store, on the newest SQLAlchemy.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]


class Sink:
    """A Tocsin in a thread that monitors everything as one schema says."""

    def __init__(self) -> None:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        self.rows: list[dict[str, Any]] = []
        self.paths: set[str] = set()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                features = [{"name": name, "kind": "numeric"} for name in COLUMNS]
                known = {"task": "binary", "features": features, "score": "p", "label": "y"}
                self.answer(200, {"schema": {**known, "prediction": None}})

            def do_POST(self) -> None:
                found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                sink.rows += found
                sink.paths.add(self.path)
                self.answer(202, {"accepted": len(found), "quarantined": 0})

            def answer(self, status: int, body: Any) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def pyfunc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Version 1 of the model `churn`, loaded; no server runs."""
    import mlflow

    folder = tmp_path_factory.mktemp("autolog")
    with tracking_at(f"sqlite:///{folder / 'mlflow.db'}"):
        experiment = mlflow.create_experiment("e", artifact_location=(folder / "files").as_uri())
        registered("churn", fitted("binary"), experiment)
        yield mlflow.pyfunc.load_model("models:/churn/1")


@pytest.fixture
def sink() -> Iterator[Sink]:
    running = Sink()
    yield running
    tocsin.autolog(disable=True)
    running.close()


def logged(sink: Sink) -> dict[str, dict[str, Any]]:
    """The rows by id, once all are sent."""
    tocsin.autolog(disable=True)
    return {row["prediction_id"]: row for row in sink.rows}


def test_predictions_are_logged_with_name_version_and_probability(pyfunc: Any, sink: Sink) -> None:
    frame = rows(30, 1)
    tocsin.autolog(sink.url)
    with tocsin.log_context(prediction_ids=[f"c{i}" for i in range(30)]) as context:
        said = pyfunc.predict(frame)
    found = logged(sink)

    assert sink.paths == {"/api/v1/models/churn/predictions"}
    assert context.prediction_ids == list(found) == [f"c{i}" for i in range(30)]
    scores = pyfunc.get_raw_model().predict_proba(frame)[:, 1]
    assert np.allclose([row["outputs"]["p"] for row in found.values()], scores)
    assert [row["outputs"]["prediction"] for row in found.values()] == said.tolist()
    assert found["c7"]["inputs"] == frame.iloc[7].to_dict()
    assert found["c7"]["model_version"] == "1"


@pytest.mark.parametrize(
    "shape",
    [
        lambda frame: frame,
        lambda frame: frame.to_dict("records"),
        lambda frame: {name: frame[name].to_numpy() for name in frame},
        lambda frame: {name: frame[name].tolist() for name in frame},
    ],
    ids=["frame", "records", "arrays", "lists"],
)
def test_inputs_of_every_shape_give_the_same_rows(pyfunc: Any, sink: Sink, shape: Any) -> None:
    frame = rows(5, 2)
    plain = pyfunc.predict(shape(frame))
    tocsin.autolog(sink.url)
    with tocsin.log_context(prediction_ids=list("abcde")):
        assert (pyfunc.predict(shape(frame)) == plain).all()
    found = logged(sink)

    assert [found[name]["inputs"] for name in "abcde"] == frame.to_dict("records")
    assert all(0 < row["outputs"]["p"] < 1 for row in found.values())


def test_ids_go_on_over_the_calls_of_a_context_and_are_made_up_after_it(
    pyfunc: Any, sink: Sink
) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    tocsin.autolog(sink.url)
    with tocsin.log_context(prediction_ids=["a", "b", "c"], timestamps=moment) as context:
        pyfunc.predict(rows(2, 3))
        pyfunc.predict(rows(2, 4))
    pyfunc.predict(rows(1, 5))
    found = logged(sink)

    assert context.prediction_ids[:3] == ["a", "b", "c"]
    assert len(found) == 5
    assert [found[name]["timestamp"] for name in context.prediction_ids] == [
        "2026-01-01T00:00:00Z"
    ] * 4


def test_threads_and_tasks_have_contexts_of_their_own(pyfunc: Any, sink: Sink) -> None:
    tocsin.autolog(sink.url)

    def predict(name: str) -> None:
        with tocsin.log_context(prediction_ids=[name]) as context:
            pyfunc.predict(rows(1, len(name)))
        assert context.prediction_ids == [name]

    async def tasks() -> None:
        await asyncio.gather(*(asyncio.to_thread(predict, f"task-{i}") for i in range(8)))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(predict, [f"thread-{i}" for i in range(8)]))
    asyncio.run(tasks())
    assert len(logged(sink)) == 16


def test_what_the_caller_changes_afterwards_is_logged_as_it_was(pyfunc: Any, sink: Sink) -> None:
    frame = rows(3, 6)
    before = frame.to_dict("records")
    tocsin.autolog(sink.url)
    said = pyfunc.predict(frame)
    frame["age"] = -1.0
    said[:] = 7
    found = logged(sink)

    assert [row["inputs"] for row in found.values()] == before
    assert {row["outputs"]["prediction"] for row in found.values()} <= {0, 1}


def test_an_error_of_the_model_is_raised_and_not_logged(pyfunc: Any, sink: Sink) -> None:
    from mlflow.exceptions import MlflowException

    tocsin.autolog(sink.url)
    with tocsin.log_context() as context, pytest.raises(MlflowException):
        pyfunc.predict(pd.DataFrame({"other": [1]}))
    assert context.prediction_ids == []
    assert logged(sink) == {}


def test_a_fault_of_ours_is_not_one_of_the_host(
    pyfunc: Any, sink: Sink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Any) -> int:
        raise RuntimeError("4111")

    monkeypatch.setattr("tocsin.capture.predict_recorder.row_count", broken)
    tocsin.autolog(sink.url)
    assert len(pyfunc.predict(rows(2, 7))) == 2
    assert "a prediction is not recorded: RuntimeError" in caplog.text
    assert "4111" not in caplog.text


@pytest.mark.usefixtures("sink")
def test_a_server_that_is_away_changes_nothing(pyfunc: Any) -> None:
    plain = pyfunc.predict(rows(4, 8))
    tocsin.autolog("http://127.0.0.1:9")
    assert (pyfunc.predict(rows(4, 8)) == plain).all()


def test_disabling_puts_the_method_back(pyfunc: Any, sink: Sink) -> None:
    from mlflow.pyfunc import PyFuncModel

    original = PyFuncModel.predict
    tocsin.autolog(sink.url)
    tocsin.autolog(sink.url, model="other")
    patched = PyFuncModel.predict
    tocsin.autolog(disable=True)

    assert patched is not original
    assert PyFuncModel.predict is original
    pyfunc.predict(rows(1, 9))
    assert logged(sink) == {}


def test_a_name_can_be_given(pyfunc: Any, sink: Sink) -> None:
    tocsin.autolog(sink.url, model="mine", exclude=["age"], sample=1.0)
    pyfunc.predict(rows(1, 9))
    (row,) = logged(sink).values()
    assert sink.paths == {"/api/v1/models/mine/predictions"}
    assert row["inputs"].keys() == {"income", "plan"}
    # It is registered, but under another name.
    assert row["model_version"].startswith("m-")


@pytest.mark.parametrize("options", [{"url": "nowhere"}, {"sample": 1.5}])
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        tocsin.autolog(**options)
    assert autologging._recorder is None


def test_importing_tocsin_imports_no_mlflow(tmp_path: Path) -> None:
    code = "import sys, tocsin; sys.exit('mlflow' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0


_LAST_PREDICTION = """
import atexit, sys, threading
import mlflow, pandas, tocsin

def refuse(self):
    raise RuntimeError("can't create new thread at interpreter shutdown")

tocsin.autolog(sys.argv[1])
if sys.argv[4] == "refused":  # as from Python 3.12.1 on; this handler runs first
    atexit.register(setattr, threading.Thread, "start", refuse)
mlflow.set_tracking_uri(sys.argv[2])
model = mlflow.pyfunc.load_model("models:/churn/1")
with tocsin.log_context(prediction_ids=["last"]):
    model.predict(pandas.read_json(sys.argv[3], orient="records"))
"""


@pytest.mark.parametrize("threads", ["allowed", "refused"])
def test_a_job_that_ends_after_its_last_prediction_has_it_logged(
    pyfunc: Any, sink: Sink, tmp_path: Path, threads: str
) -> None:
    import mlflow

    inputs = tmp_path / "inputs.json"
    rows(1, 1).to_json(inputs, orient="records")
    where = [sink.url, mlflow.get_tracking_uri(), str(inputs), threads]
    done = subprocess.run(
        [sys.executable, "-c", _LAST_PREDICTION, *where],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    assert [row["prediction_id"] for row in sink.rows] == ["last"], done.stderr
