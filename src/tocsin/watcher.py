"""Loops that wait for MLflow: beside the worker, which never does."""

import logging
import threading
from collections.abc import Callable

from tocsin.errors import TocsinError
from tocsin.service.trouble import Failing, Trouble

_log = logging.getLogger(__name__)
_LONGEST_PAUSE_S = 300.0
# MLflow's client repeats for minutes what nobody answers: it is not waited for at the end.
_STOP_S = 2.0


class Watcher:
    """One thread that does its work again and again, ever rarer while it fails."""

    def __init__(
        self,
        name: str,
        work: Callable[[], object],
        *,
        every_s: float,
        longest_s: float = _LONGEST_PAUSE_S,
    ) -> None:
        self._longest_s = longest_s
        self._name = name
        self._work = work
        self._every_s = every_s
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble = Trouble()

    def start(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._loop, name=f"tocsin-{self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is under way, unless MLflow hangs."""
        self._stopped.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    @property
    def trouble(self) -> list[Failing]:
        """What failed last time; empty when all is well."""
        return self._trouble.failing()

    def wake(self) -> None:
        """Work now."""
        self._woken.set()

    def _loop(self) -> None:
        pause_s = self._every_s
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - this thread's entry point
                pause_s = min(pause_s * 2, max(self._longest_s, self._every_s))
                # A server that is away is said once, a fault of ours each time.
                if not isinstance(error, TocsinError):
                    _log.exception("%s failed", self._name)
                elif not self.trouble:
                    _log.warning("%s: %s", self._name, error)
                self._trouble.failed(self._name, None, error, pause_s=pause_s)
            else:
                if self.trouble:
                    _log.info("%s is well again", self._name)
                self._trouble.passed(self._name, None)
                pause_s = self._every_s
            self._woken.wait(pause_s)
