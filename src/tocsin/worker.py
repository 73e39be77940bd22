"""The loop: rebuild on a new plan, fold what came, evaluate what changed, let go, deliver."""

import logging
import threading
import time
from collections.abc import Callable

from tocsin.errors import UnknownModelError
from tocsin.records.deletions import Deletion
from tocsin.service.delete import Delete
from tocsin.service.deliver import Deliver
from tocsin.service.evaluate import Evaluate
from tocsin.service.fold import Fold
from tocsin.service.notify import Notify
from tocsin.service.rebuild import Rebuild
from tocsin.service.retain import Retain
from tocsin.service.trouble import Failing, Trouble

_log = logging.getLogger(__name__)
_PAUSE_S = 0.1
_LEAST_PAUSE_S = 0.02
# A rebuild takes long, and keeps rows from being folded meanwhile.
_LONGEST_TURN_S = 600.0


class Worker:
    """Two threads: one folds and evaluates in order, one delivers and may wait for a network."""

    def __init__(
        self,
        rebuild: Rebuild,
        fold: Fold,
        evaluate: Evaluate,
        retain: Retain,
        delete: Delete,
        notify: Notify,
        deliver: Deliver,
        trouble: Trouble,
    ) -> None:
        self._rebuild = rebuild
        self._fold = fold
        self._evaluate = evaluate
        self._retain = retain
        self._delete = delete
        self._notify = notify
        self._deliver = deliver
        self._stopped = threading.Event()
        self._woken = threading.Event()
        # Folds and evaluations of a model follow each other, whoever asks for them.
        self._working = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._trouble = trouble
        # When each loop came round, on the monotonic clock.
        self._turned_s: dict[str, float] = {}
        # The deleted models whose trouble is forgotten.
        self._gone: set[int] = set()

    def start(self) -> None:
        """Begin to work."""
        for name, work in (("work", self._turn), ("deliver", self._send)):
            thread = threading.Thread(target=self._loop, args=(name, work), name=f"tocsin-{name}")
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End after the step that is under way."""
        self._stopped.set()
        self._woken.set()
        for thread in self._threads:
            thread.join()
        self._deliver.close()

    @property
    def trouble(self) -> list[Failing]:
        """What keeps failing, by work and model; empty when all is well."""
        return self._trouble.failing()

    def is_alive(self, within_s: float = _LONGEST_TURN_S) -> bool:
        """Whether every loop came round lately."""
        now_s = time.monotonic()
        turned_s = list(self._turned_s.values())
        return len(turned_s) == len(self._threads) > 0 and all(
            now_s - at_s < within_s for at_s in turned_s
        )

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def wake(self) -> None:
        """Say that rows arrived."""
        self._woken.set()

    def work(self) -> bool:
        """Rebuild, fold and evaluate once each model that waits, rest or not; False when none did.

        Raises: ExceptionGroup of what failed, once all others had their turn.
        """
        failures: list[Exception] = []
        self._trouble.rest_no_more()
        worked = self._turn(failures)
        if failures:
            raise ExceptionGroup("some models could not be worked on", failures)
        return worked

    def _turn(self, failures: list[Exception] | None = None) -> bool:
        """As `work`; what fails is remembered, and added to `failures`."""
        told: list[Exception] = [] if failures is None else failures
        with self._working:
            self._finish_deletions(told)
            waiting = self._rebuild.waiting()
            rebuilt = self._each("rebuild", waiting, self._rebuild.rebuild, told)
            # What could not be rebuilt has profiles of two plans: better none than half of them.
            halves = set(self._rebuild.waiting()) if waiting else set()
            full = _without(self._fold.waiting(), halves)
            folded = self._each("fold", full, self._fold.fold, told)
            changed = _without(self._evaluate.waiting(), halves)
            evaluated = self._each("evaluate", changed, self._evaluate.evaluate, told)
            # One at a time: to tidy all of them would keep rows waiting.
            due = [m for m in self._retain.waiting() if not self._trouble.rests("retain", m)]
            self._each("retain", due[:1], self._retain.retain, told)
        return rebuilt or folded or evaluated or len(due) > 1

    def _finish_deletions(self, failures: list[Exception]) -> None:
        """Remove the files of deleted models, now that nothing works on them."""
        for gone in self._delete.waiting():
            if gone.model_id not in self._gone:
                # Of whatever was under way when it was deleted; a new one may have its name by now.
                self._trouble.forget(gone.name, but="delete")
                self._gone.add(gone.model_id)

            def finish(_: str, gone: Deletion = gone) -> int:
                self._delete.finish(gone)
                return 1

            # As its folder is called: two that are gone may have had one name.
            self._each("delete", [f"{gone.name}-{gone.model_id}"], finish, failures)

    def _send(self) -> bool:
        """Write what is due to be told, and send one message, also when the former fails."""
        flushed = self._each("notify", ["alerts"], lambda _: self._notify.flush(), [])
        return self._deliver.dispatch() or flushed

    def _each(
        self,
        work: str,
        models: list[str],
        do: Callable[[str], int],
        failures: list[Exception],
    ) -> bool:
        """Work on every model that does not rest; one that fails keeps none of the others."""
        worked = False
        for model in models:
            if self._trouble.rests(work, model):
                continue
            try:
                worked = do(model) > 0 or worked
            except UnknownModelError:
                continue  # it was deleted meanwhile
            except Exception as error:  # noqa: BLE001 - told, and tried again after a pause
                pause_s = self._trouble.failed(work, model, error)
                _log.exception("%s of %s failed; again in %.1f s", work, model, pause_s)
                failures.append(error)
            else:
                self._trouble.passed(work, model)
        return worked

    def _loop(self, name: str, work: Callable[[], bool]) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                worked = work()
            except Exception as error:  # noqa: BLE001 - this thread's entry point: told, tried again
                pause_s = self._trouble.failed(name, None, error)
                _log.exception("%s failed; again in %.1f s", name, pause_s)
                # Not to be woken: rows that arrive do not mend what failed.
                self._stopped.wait(pause_s)
                continue
            self._trouble.passed(name, None)
            self._turned_s[name] = time.monotonic()
            if not worked:
                self._woken.wait(_PAUSE_S)
                # Rows that arrive wake us, and wait for their like: not to look for each of them.
                self._stopped.wait(_LEAST_PAUSE_S)


def _without(models: list[str], left_out: set[str]) -> list[str]:
    return [model for model in models if model not in left_out]
