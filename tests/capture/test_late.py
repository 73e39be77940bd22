"""Requests before it is known which model is served."""

import threading
from typing import Any

import httpx2
import pytest
from tests.capture.test_recorder import Pyfunc, Tocsin, call
from tests.capture.world import until

from tocsin.capture.exchange import Model
from tocsin.capture.late import LateRecorder
from tocsin.capture.monitored import Target
from tocsin.capture.recorder import Recorder
from tocsin.errors import RegistryError


def test_nothing_waits_for_the_registry_and_nothing_is_lost() -> None:
    tocsin, may_know, pyfunc = Tocsin(), threading.Event(), Pyfunc()
    made: list[Recorder] = []

    def found() -> tuple[Recorder, Model]:
        assert may_know.wait(30)
        target = Target("http://tocsin", "m", transport=httpx2.MockTransport(tocsin))
        made.append(Recorder(target))
        return made[0], Model("7", pyfunc)

    late = LateRecorder(found)
    for name in ("a", "b"):
        late.answered("", 200, 0.01)
        late.record(call(pyfunc, 8, name=name))
    before = list(made)
    may_know.set()
    until(lambda: late._known)
    late.record(call(pyfunc, 8, name="c"))
    late.close(5.0)

    assert before == []
    assert [row["prediction_id"] for row in tocsin.rows] == ["a-0", "b-0", "c-0"]
    assert {row["model_version"] for row in tocsin.rows} == {"7"}
    assert tocsin.count("requests") == 2


def test_a_model_that_is_none_is_told_and_nothing_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def found() -> Any:
        raise RegistryError("no name; see http://ann:secret@mlflow")

    late = LateRecorder(found)
    until(lambda: late._over.is_set())
    late.record(call(Pyfunc(), 8))
    until(lambda: "does not capture: no name; see http://mlflow" in caplog.text)
    assert len(late._calls) == 0
