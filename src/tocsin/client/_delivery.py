"""The worker thread's life: started by the first row, again after a fork, ended by a deadline."""

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx2

from tocsin.client._log import Warnings
from tocsin.client._queue import ClientStats, Limits, RowQueue
from tocsin.client._rows import Row
from tocsin.client._sender import Sender


@dataclass(frozen=True)
class Target:
    """Where rows go, by which HTTP client, and how long the end of the process may wait for it."""

    url: str
    open_http: Callable[[], httpx2.Client]
    exit_timeout_s: float


class Delivery:
    """A queue and the daemon thread that empties it."""

    def __init__(self, target: Target, limits: Limits) -> None:
        self._target = target
        self._limits = limits
        self._closed = False
        self.start_afresh()
        _deliveries.add(self)

    def start_afresh(self) -> None:
        """Begin with an empty queue, new locks and no thread, as a forked child must.

        The parent's rows are the parent's to send, its locks may be held by threads that the
        child does not have, and its connections are in use.
        """
        self._queue = RowQueue(self._limits)
        self._warnings = Warnings()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        if self._closed:
            self._queue.shut()

    @property
    def stats(self) -> ClientStats:
        """The books at this moment."""
        return self._queue.stats

    @property
    def exit_timeout_s(self) -> float:
        """How long the end of the process may wait for this delivery."""
        return self._target.exit_timeout_s

    def put(self, rows: Sequence[Row]) -> None:
        """Queue rows for the worker; never waits, drops what does not fit."""
        if dropped := self._queue.put(rows):
            why = "the client is closed" if self._closed else "the queue is full"
            self._warnings.warn(why, f"{dropped} row(s) dropped: {why}")
        self._ensure_running()

    def refuse(self, error: str) -> None:
        """Count a record that cannot be sent."""
        self._queue.refuse(1, error)
        self._warnings.warn("rejected", f"a row cannot be sent: {error}")

    def flush(self, timeout_s: float) -> bool:
        """True when all rows are acknowledged that were logged since the last complete flush."""
        return self._queue.flush(timeout_s)

    def shut(self) -> None:
        """Take no more rows, and hurry the ones that wait."""
        self._closed = True
        self._queue.shut()

    def close(self, timeout_s: float) -> None:
        """Send what waits until the deadline, drop the rest and end the thread."""
        deadline = time.monotonic() + timeout_s
        self.shut()
        self._queue.flush(timeout_s)
        if left := self._queue.stop():
            self._warnings.warn("closed", f"{left} row(s) were not sent before the client closed")
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))

    def _ensure_running(self) -> None:
        if self._closed or (self._thread is not None and self._thread.is_alive()):
            return
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            sender = Sender(self._queue, self._warnings, self._target.url, self._target.open_http)
            # The thread refers to `self`, which so lives for the flush at exit even when the
            # host has forgotten its client.
            thread = threading.Thread(
                target=self._run, args=(sender,), name="tocsin-client", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:  # out of threads, or the interpreter is ending
                self._queue.note_error(f"the worker cannot start: {error}")
                self._warnings.warn("thread", f"the worker cannot start: {error}")
                return
            self._thread = thread

    def _run(self, sender: Sender) -> None:
        sender.run()


_deliveries: "weakref.WeakSet[Delivery]" = weakref.WeakSet()


def close_all() -> None:
    """Close every client at the end of the process; their deadlines run side by side."""
    began = time.monotonic()
    deliveries = list(_deliveries)
    for delivery in deliveries:
        delivery.shut()
    for delivery in deliveries:
        delivery.close(max(0.0, began + delivery.exit_timeout_s - time.monotonic()))


def _start_all_afresh() -> None:
    for delivery in list(_deliveries):
        delivery.start_afresh()


atexit.register(close_all)
# Comparing os.getpid() in each call would notice too late: the lock that guards the comparison
# may itself have been held by another thread at the moment of the fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_all_afresh)
