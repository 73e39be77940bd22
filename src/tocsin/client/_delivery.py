"""The worker thread's life: started by the first row, again after a fork, ended by a deadline."""

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tocsin.client._books import ClientStats
from tocsin.client._log import Warnings, logger
from tocsin.client._overflow import Overflow
from tocsin.client._queue import Limits, RowQueue
from tocsin.client._rows import Row, TableRows
from tocsin.client._sender import Route, Sender
from tocsin.client._spill import Spill

# How much longer than its deadline a closing client may take to write what is left to disk.
SPILL_GRACE_S = 5.0


@dataclass(frozen=True)
class Target:
    """Where rows go, and how long the end of the process may wait for it.

    spill: opens the folder of files for what the queue cannot hold.
    """

    route: Route
    exit_timeout_s: float
    spill: Callable[[], Spill] | None = None


class Delivery:
    """A queue and the daemon thread that empties it."""

    def __init__(self, target: Target, limits: Limits) -> None:
        self._target = target
        self._limits = limits
        self._closed = False
        self._spill: Spill | None = None
        self.start_afresh()
        _deliveries.add(self)
        # What an earlier process left is sent even if this one logs nothing.
        if self._spill is not None and self._spill.orphaned():
            self._ensure_running()

    def start_afresh(self) -> None:
        """Begin with an empty queue, new locks and no thread, as a forked child must.

        The parent's rows are the parent's to send, its locks may be held by threads that the
        child does not have, and its connections and files are in use.
        """
        if self._spill is not None:
            self._spill.abandon()
        self._queue = RowQueue(self._limits)
        self._warnings = Warnings()
        self._spill = self._target.spill() if self._target.spill is not None else None
        self._overflow = self._opened_overflow()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._leaving = threading.Lock()
        if self._closed:
            self._queue.shut()

    def _opened_overflow(self) -> Overflow | None:
        if self._spill is None:
            return None
        compress = self._target.route.compress
        return Overflow(self._queue, self._warnings, self._spill, compress=compress)

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
            self._warn_of_dropped(dropped)
        self._ensure_running()

    def put_table(self, table: TableRows) -> None:
        """Queue a table for the worker; never waits."""
        if dropped := self._queue.put_table(table):
            self._warn_of_dropped(dropped)
        self._ensure_running()

    def _warn_of_dropped(self, rows: int) -> None:
        why = "the client is closed" if self._closed else "the queue is full"
        self._warnings.warn(why, f"{rows} row(s) dropped: {why}")

    def refuse(self, error: str, rows: int = 1) -> None:
        """Count rows that cannot be sent."""
        self._queue.refuse(rows, error)
        self._warnings.warn("rejected", f"a row cannot be sent: {error}")

    def flush(self, timeout_s: float) -> bool:
        """True when all rows are acknowledged that were logged since the last complete flush."""
        return self._queue.flush(timeout_s)

    def shut(self) -> None:
        """Take no more rows, and hurry the ones that wait."""
        self._closed = True
        self._queue.shut()

    def close(self, timeout_s: float) -> None:
        """Send what waits until the deadline, spill or drop the rest and end the thread."""
        deadline = time.monotonic() + timeout_s
        self.shut()
        if self._thread is None:  # an interpreter that is ending starts none
            self._sender().send_waiting(deadline)
        self._queue.drain(max(0.0, deadline - time.monotonic()))
        if lost := self._leave(deadline + SPILL_GRACE_S):
            self._warnings.warn("closed", f"{lost} row(s) were not sent before the client closed")
        if self._thread is not None:
            left_s = max(0.0, deadline - time.monotonic())
            self._thread.join(min(left_s, threading.TIMEOUT_MAX))
        # A thread that still sends a file keeps it from others until it ends.
        if self._spill is not None and not (self._thread and self._thread.is_alive()):
            self._spill.release()

    def _leave(self, until: float) -> int:
        """Stop the thread, and spill or drop what is left; how many rows were dropped."""
        with self._leaving:
            if self._overflow is None:
                return self._queue.stop()
            kept, lost = self._overflow.keep(self._queue.take_over(), until)
        if kept:
            logger.info("%d row(s) were spilled to disk as the client closed", kept)
        return lost

    def _ensure_running(self) -> None:
        if self._closed or (self._thread is not None and self._thread.is_alive()):
            return
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            sender = self._sender()
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

    def _sender(self) -> Sender:
        return Sender(self._queue, self._warnings, self._target.route, self._overflow)

    def _run(self, sender: Sender) -> None:
        spill = self._spill
        sender.run()
        if spill is not None:
            with self._leaving:  # not before the thread that closes has written what is left
                spill.release()


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
