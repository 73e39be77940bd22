"""The loop: rebuild on a new plan, fold what came, evaluate what changed, let go, deliver."""

import logging
import threading
from collections.abc import Callable

from tocsin.service.deliver import Deliver
from tocsin.service.evaluate import Evaluate
from tocsin.service.fold import Fold
from tocsin.service.rebuild import Rebuild
from tocsin.service.retain import Retain

_log = logging.getLogger(__name__)
_PAUSE_S = 0.1
_LEAST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 10.0


class Worker:
    """Two threads: one folds and evaluates in order, one delivers and may wait for a network."""

    def __init__(
        self, rebuild: Rebuild, fold: Fold, evaluate: Evaluate, retain: Retain, deliver: Deliver
    ) -> None:
        self._rebuild = rebuild
        self._fold = fold
        self._evaluate = evaluate
        self._retain = retain
        self._deliver = deliver
        self._stopped = threading.Event()
        self._woken = threading.Event()
        # Folds and evaluations of a model follow each other, whoever asks for them.
        self._working = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._trouble: dict[str, str] = {}

    def start(self) -> None:
        """Begin to work."""
        for name, work in (("fold", self.work), ("deliver", self._deliver.deliver)):
            thread = threading.Thread(target=self._loop, args=(name, work), name=f"tocsin-{name}")
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End after the step that is under way."""
        self._stopped.set()
        self._woken.set()
        for thread in self._threads:
            thread.join()

    @property
    def trouble(self) -> dict[str, str]:
        """What keeps failing, by thread: `fold` or `deliver`; empty when all is well."""
        return dict(self._trouble)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def wake(self) -> None:
        """Say that rows arrived."""
        self._woken.set()

    def work(self) -> bool:
        """Rebuild, fold and evaluate once each model that waits; False when none did."""
        with self._working:
            failures: list[Exception] = []
            waiting = self._rebuild.waiting()
            rebuilt = _each(waiting, self._rebuild.rebuild, failures)
            # What could not be rebuilt has profiles of two plans: better none than half of them.
            halves = set(self._rebuild.waiting()) if waiting else set()
            folded = _each(_without(self._fold.waiting(), halves), self._fold.fold, failures)
            changed = _without(self._evaluate.waiting(), halves)
            evaluated = _each(changed, self._evaluate.evaluate, failures)
            _each(self._retain.waiting(), self._retain.retain, failures)
        if failures:
            raise ExceptionGroup("some models could not be worked on", failures)
        return rebuilt or folded or evaluated

    def _loop(self, name: str, work: Callable[[], bool]) -> None:
        pause = _PAUSE_S
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                worked = work()
            except Exception as error:  # noqa: BLE001 - this thread's entry point: told, tried again
                self._trouble[name] = _told(error)
                _log.exception("work failed; trying again in %.1f s", pause)
                # Not to be woken: rows that arrive do not mend what failed.
                self._stopped.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                continue
            self._trouble.pop(name, None)
            pause = _PAUSE_S
            if not worked:
                self._woken.wait(pause)
                # Rows that arrive wake us, and wait for their like: not to look for each of them.
                self._stopped.wait(_LEAST_PAUSE_S)


def _without(models: list[str], left_out: set[str]) -> list[str]:
    return [model for model in models if model not in left_out]


def _told(error: BaseException) -> str:
    """An error in one line: what it says, and of which model."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told(part) for part in error.exceptions)
    notes = "".join(f"{note}: " for note in getattr(error, "__notes__", ()))
    return f"{notes}{type(error).__name__}: {error}"


def _each(models: list[str], work: Callable[[str], int], failures: list[Exception]) -> bool:
    """Work on every model; one that fails is added to `failures` and keeps none of the others."""
    worked = False
    for model in models:
        try:
            worked = work(model) > 0 or worked
        except Exception as error:  # noqa: BLE001 - raised by the caller, once all had their turn
            error.add_note(f"model {model}")
            failures.append(error)
    return worked
