"""`tocsin.autolog()` on real models in a real registry, and what it does to its host: nothing."""

import asyncio
import gc
import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.capture.world import COLUMNS, fitted, registered, rows, until
from tests.registry.conftest import OF_MLFLOW

import tocsin
from tocsin.capture import Logged, autologging, predict_recorder
from tocsin.capture.predict_call import bytes_of
from tocsin.capture.predict_recorder import PredictRecorder
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
import atexit, sys, threading, time
import mlflow, pandas, tocsin

def refuse(self):
    raise RuntimeError("can't create new thread at interpreter shutdown")

tocsin.autolog(sys.argv[1])
if sys.argv[4] == "refused":  # as from Python 3.12.1 on; this handler runs first
    atexit.register(setattr, threading.Thread, "start", refuse)
mlflow.set_tracking_uri(sys.argv[2])
model = mlflow.pyfunc.load_model("models:/churn/1")
inputs = pandas.read_json(sys.argv[3], orient="records")
with tocsin.log_context(prediction_ids=["first", "last"]):
    model.predict(inputs)
    while sys.argv[4] == "allowed" and not any(
        thread.name == "tocsin-client" for thread in threading.enumerate()
    ):
        time.sleep(0.01)
    model.predict(inputs)
"""


@pytest.mark.usefixtures("pyfunc")
@pytest.mark.parametrize("threads", ["allowed", "refused"])
def test_a_job_that_ends_after_its_last_prediction_has_it_logged(
    sink: Sink, tmp_path: Path, threads: str
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
    assert [row["prediction_id"] for row in sink.rows] == ["first", "last"], done.stderr


class Odd:
    """Rows that nobody can copy; some count theirs."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame


class OddOfKnownLength(Odd):
    def __len__(self) -> int:
        return len(self.frame)


class Model:
    """A model of another kind, as MLflow wraps it."""

    class metadata:  # noqa: N801 - what MLflow calls it
        flavors: dict[str, Any] = {}  # noqa: RUF012

        @staticmethod
        def get_input_schema() -> None:
            return None

    def get_raw_model(self) -> "Model":
        return self


@pytest.fixture
def recorder(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Iterator[PredictRecorder]:
    """One that takes every model for version 1 of `churn`."""
    monkeypatch.setattr(predict_recorder, "origin_of", lambda *_: ("churn", "1"))
    made = PredictRecorder(sink.url, None, 1.0, frozenset())
    yield made
    made.close(5.0)


def test_rows_that_are_not_recorded_take_their_ids(sink: Sink, recorder: PredictRecorder) -> None:
    ids, model = Logged(["a", "b", "c"], None), Model()
    odd = OddOfKnownLength(rows(2, 1))
    recorder.record(model, recorder.before(odd), [0.1, 0.2], ids, 0)
    recorder.record(model, recorder.before(rows(1, 2)), [0.3], ids, 0)
    recorder.close(5.0)
    assert [(row["prediction_id"], row["outputs"]) for row in sink.rows] == [("c", {"p": 0.3})]


def test_ids_are_no_longer_used_once_nobody_knows_which_is_next(
    sink: Sink, recorder: PredictRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    ids, model = Logged(["a", "b"], None), Model()
    for data in (Odd(rows(1, 1)), Odd(rows(1, 1)), rows(1, 2)):
        recorder.record(model, recorder.before(data), [0.3], ids, 0)
    recorder.close(5.0)
    (row,) = sink.rows
    assert row["prediction_id"] not in ("a", "b")
    assert caplog.text.count("ids of its log_context are not used any longer") == 1


def test_models_that_the_host_forgot_are_gone(sink: Sink, recorder: PredictRecorder) -> None:
    gone = []
    for number in range(3):
        model = Model()
        recorder.record(model, recorder.before(rows(1, number)), [0.5], Logged(None, None), 0)
        gone.append(weakref.ref(model))
        del model
    until(lambda: len(sink.rows) == 3)
    recorder.close(5.0)
    gc.collect()
    assert [model() for model in gone] == [None] * 3


def test_a_large_frame_is_recorded_in_parts(sink: Sink, recorder: PredictRecorder) -> None:
    n = 3_000
    frame = pd.DataFrame({"age": range(n), "plan": ["x" * 2_000] * n})
    score = np.arange(n) / n
    ids = Logged([str(i) for i in range(n)], None)
    recorder.record(Model(), recorder.before(frame), score, ids, 0)
    waiting = len(recorder._backlog)
    recorder.close(20.0)

    assert waiting > 1
    assert [row["prediction_id"] for row in sink.rows] == ids.prediction_ids
    assert [row["outputs"]["p"] for row in sink.rows] == score.tolist()
    assert [row["inputs"]["age"] for row in sink.rows] == list(range(n))


def test_a_frame_that_does_not_fit_into_memory_is_recorded_in_part(
    sink: Sink, recorder: PredictRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    text = "x" * 2**20  # one object, that counts in each row
    before = recorder.before(pd.DataFrame({"plan": [text] * 80}))
    assert before.rows == 80
    assert 32 < sum(len(part) for part in before.parts) < 64
    assert "it is too large" in caplog.text
    assert sink.rows == []


@pytest.mark.parametrize(
    ("data", "least"),
    [
        (pd.DataFrame({"t": ["x" * 1_000] * 500}), 500_000),
        (np.array([["x" * 1_000]] * 500, dtype=object), 500_000),
        ([["x" * 1_000]] * 500, 500_000),
        ({"t": ["x" * 1_000] * 500}, 500_000),
        (pd.Series(["x" * 1_000] * 500), 500_000),
        (np.zeros((500, 10)), 40_000),
        ([], 0),
        (pd.DataFrame(), 0),
    ],
)
def test_the_size_of_a_call_counts_its_texts(data: Any, least: int) -> None:
    assert least <= bytes_of(data) <= 1.3 * least + 1_000


def test_a_context_makes_the_ids_that_are_null_and_refuses_what_is_none() -> None:
    with tocsin.log_context(prediction_ids=["a", None, 3]) as logged:
        ids, _ = logged.taken(4, datetime(2026, 1, 1, tzinfo=UTC))
    assert (ids[0], ids[2]) == ("a", "3")
    assert len(set(ids)) == 4
    assert "None" not in ids
    with (
        pytest.raises(InvalidInputError, match="no text and no whole number"),
        tocsin.log_context(prediction_ids=[True]),
    ):
        pass
