"""The loop that looks at the registry: beside the worker, which never waits for MLflow."""

import logging
import threading

from tocsin.errors import RegistryError, TocsinError
from tocsin.service.aliases import Aliases

_log = logging.getLogger(__name__)
_LONGEST_PAUSE_S = 300.0
# MLflow's client repeats for minutes what nobody answers: it is not waited for at the end.
_STOP_S = 2.0


class Watcher:
    """One thread that looks at every registered model, and at once at those it is told of."""

    def __init__(self, aliases: Aliases, *, every_s: float) -> None:
        self._aliases = aliases
        self._every_s = every_s
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: str | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._loop, name="tocsin-registry", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the look that is under way, unless MLflow hangs."""
        self._stopped.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    @property
    def trouble(self) -> str | None:
        """Why the registry could not be read last time; None when all is well."""
        return self._trouble

    def wake(self) -> None:
        """Look now."""
        self._woken.set()

    def look(self) -> None:
        """Look at every registered model; one that cannot be read keeps none of the others.

        Raises: RegistryError that tells of all that could not be read.
        """
        failures: list[str] = []
        for registered in self._aliases.watched():
            if self._stopped.is_set():
                return
            try:
                self._aliases.look(registered)
            except RegistryError as error:
                failures.append(f"{registered}: {error}")
        if failures:
            raise RegistryError("; ".join(failures))

    def _loop(self) -> None:
        pause = self._every_s
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                self.look()
            except TocsinError as error:
                if self._trouble is None:
                    _log.warning("the registry cannot be read: %s", error)
                self._trouble = str(error)
                pause = min(pause * 2, max(_LONGEST_PAUSE_S, self._every_s))
            except Exception as error:  # noqa: BLE001 - this thread's entry point
                self._trouble = f"{type(error).__name__}: {error}"
                _log.exception("looking at the registry failed")
                pause = min(pause * 2, max(_LONGEST_PAUSE_S, self._every_s))
            else:
                if self._trouble is not None:
                    _log.info("the registry can be read again")
                self._trouble = None
                pause = self._every_s
            self._woken.wait(pause)
