"""A sink for a model of which it is not known yet which it is: the registry may take its time."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from tocsin.capture.backlog import MOST_CALLS, Backlog
from tocsin.capture.exchange import Model
from tocsin.capture.http_call import HttpCall
from tocsin.capture.recorder import Recorder
from tocsin.errors import without_credentials

logger = logging.getLogger("tocsin")

_AGAIN_S = 30.0


class LateRecorder:
    """Keeps what it is told, bounded, until `found` says who records it; asks in a thread.

    found: the recorder, and the model that answers. Raises: RegistryError where it is none.
    """

    def __init__(self, found: Callable[[], tuple[Recorder, Model]]) -> None:
        self._found = found
        self._known: tuple[Recorder, Model] | None = None
        self._calls = Backlog()
        self._answers: deque[tuple[int, float]] = deque(maxlen=MOST_CALLS)
        self._lock = threading.Lock()
        self._over = threading.Event()
        threading.Thread(target=self._run, name="tocsin-origin", daemon=True).start()

    def answered(self, _version: str, status: int, seconds: float) -> None:
        """Count a request."""
        with self._lock:
            if self._known is None:
                self._answers.append((status, seconds))
                return
        recorder, model = self._known
        recorder.answered(model.version, status, seconds)

    def record(self, call: HttpCall) -> None:
        """Keep a call, to be read later."""
        with self._lock:
            if self._known is None:
                if not self._over.is_set():
                    self._calls.put(call)
                return
        recorder, model = self._known
        recorder.record(replace(call, model=model))

    def dropped(self, _version: str) -> None:
        """Count a call that is not kept."""
        if self._known is not None:
            recorder, model = self._known
            recorder.dropped(model.version)

    def failed(self, error: Exception) -> None:
        """Count a fault of capture itself."""
        if self._known is not None:
            self._known[0].failed(error)

    def close(self, timeout_s: float) -> None:
        """Send what waits until the deadline."""
        self._over.set()
        if self._known is not None:
            self._known[0].close(timeout_s)

    def _run(self) -> None:
        try:
            while not self._over.is_set() and not self._ask():
                self._over.wait(_AGAIN_S)
        except Exception as error:  # noqa: BLE001 - serving goes on without us
            why = without_credentials(str(error))
            logger.warning("Tocsin does not capture: %s", why)
            self._over.set()
            self._calls.take(MOST_CALLS, 2**63)

    def _ask(self) -> bool:
        """Whether it is known now. Raises: RegistryError."""
        from mlflow.exceptions import MlflowException

        try:
            recorder, model = self._found()
        except MlflowException as error:
            why = without_credentials(str(error))
            logger.warning("Tocsin asks MLflow again which model is served: %s", why)
            return False
        with self._lock:
            for status, seconds in self._answers:
                recorder.answered(model.version, status, seconds)
            for call in self._calls.take(MOST_CALLS, 2**63):
                if isinstance(call, HttpCall):
                    recorder.record(replace(call, model=model))
            self._answers.clear()
            self._known = recorder, model
        return True
