"""A thread of ours in a process of others: started late, again after a fork, ended in time."""

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable

from tocsin.client._delivery import close_all

logger = logging.getLogger("tocsin")

# A batch has a price of its own, whatever is in it: the more one took, the longer the next waits,
# so that a busy process makes fewer and larger ones, and spends about a thirtieth of its time.
PAUSE_S, MOST_PAUSE_S = 0.1, 1.0
_REST = 30
_EXIT_S = 5.0


class Background:
    """Calls `work` again and again, `pause` between; whatever it raises is said once.

    ended: called in that thread when it is over, with the seconds that are left for it.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        *,
        pause: Callable[[float], None],
        wake: Callable[[], None],
        ended: Callable[[float], None],
        afresh: Callable[[], None],
    ) -> None:
        self._name = name
        self._work = work
        self._pause = pause
        self._wake = wake
        self._ended = ended
        self._afresh = afresh
        self._closed_until: float | None = None
        self._start_afresh()
        _all.add(self)

    def _start_afresh(self) -> None:
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._said: set[str] = set()

    def forked(self) -> None:
        """Begin anew in a child, which has none of the parent's threads, nor its work to do."""
        self._start_afresh()
        self._afresh()

    @property
    def is_closed(self) -> bool:
        """Whether it takes nothing more."""
        return self._closed_until is not None

    def ensure_running(self) -> None:
        """Start the thread unless it runs."""
        if self.is_closed or (self._thread is not None and self._thread.is_alive()):
            return
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # out of threads, or the interpreter is ending
                self.say_once("thread", f"{self._name} cannot start: {error}")
                return
            self._thread = thread

    def close(self, timeout_s: float) -> None:
        """Do what waits until the deadline, then end."""
        if self.is_closed:
            return
        self._closed_until = time.monotonic() + timeout_s
        if self._thread is None:
            return
        self._wake()
        self._thread.join(timeout_s + 1.0)

    def say_once(self, topic: str, message: str) -> None:
        """Warn, unless it was said before."""
        if topic not in self._said:
            self._said.add(topic)
            logger.warning("%s (said once)", message)

    def _run(self) -> None:
        pause_s = PAUSE_S
        while self._closed_until is None:
            self._pause(pause_s)
            began = time.thread_time()
            self._work_safely()
            pause_s = min(MOST_PAUSE_S, PAUSE_S + _REST * (time.thread_time() - began))
        try:
            self._ended(max(0.0, self._closed_until - time.monotonic()))
        except Exception as error:  # noqa: BLE001 - a thread of ours must not fail its host
            self.say_once("end", f"{self._name} could not end: {type(error).__name__}")

    def _work_safely(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - a thread of ours must not fail its host
            # Not its text: that may hold what the host's clients sent.
            self.say_once("work", f"a fault in {self._name}: {type(error).__name__}")


_all: "weakref.WeakSet[Background]" = weakref.WeakSet()


def _close_all() -> None:
    for background in list(_all):
        background.close(_EXIT_S)


def _all_forked() -> None:
    for background in list(_all):
        background.forked()


# Handlers run the last registered first: what waits here is read while clients still take rows.
atexit.unregister(close_all)
atexit.register(close_all)
atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_all_forked)
