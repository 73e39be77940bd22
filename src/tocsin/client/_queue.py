"""The bounded queue between the serving threads and the one worker, and its books.

Every row that was logged is in exactly one place: logged = sent + rejected + dropped + queued.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tocsin.client._rows import Row


@dataclass(frozen=True)
class ClientStats:
    """Where the rows are that were logged: logged = sent + rejected + dropped + queued.

    sent: acknowledged by the server; `quarantined` of them did not fit the model's schema.
    rejected: cannot be sent, or refused by the server.
    dropped: the queue was full, or the client was closed before they could be sent.
    queued: waiting, or on their way.
    retries: requests that were sent again.
    """

    logged: int = 0
    sent: int = 0
    quarantined: int = 0
    rejected: int = 0
    dropped: int = 0
    queued: int = 0
    retries: int = 0
    last_error: str | None = None


@dataclass(frozen=True)
class Limits:
    """How much may wait, and how rows are gathered into requests."""

    max_queue: int
    batch_rows: int
    max_delay_s: float


def due_in_s(waiting: int, age_s: float, limits: Limits) -> float:
    """Seconds until `waiting` rows, the oldest of them `age_s` old, make a batch; 0 is now.

    >>> limits = Limits(max_queue=100, batch_rows=10, max_delay_s=0.5)
    >>> due_in_s(10, 0.0, limits), due_in_s(9, 0.25, limits), due_in_s(1, 0.6, limits)
    (0.0, 0.25, 0.0)
    """
    return 0.0 if waiting >= limits.batch_rows else max(0.0, limits.max_delay_s - age_s)


class RowQueue:
    """First in, first out; refuses rows when full and never makes a caller wait for the server."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._now = now
        # Its lock is reentrant: a signal handler or a finaliser may log while its thread logs.
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, Row]] = deque()
        self._in_flight = 0
        self._stats = ClientStats()
        self._entered = 0
        self._flush_to = 0
        self._lost_before = 0
        self._urged = False
        self._resting = False
        self._open = True
        self._stopped = False

    @property
    def stats(self) -> ClientStats:
        """The books at this moment."""
        with self._changed:
            return replace(self._stats, queued=self._queued)

    @property
    def _queued(self) -> int:
        return len(self._waiting) + self._in_flight

    @property
    def _settled(self) -> int:
        return self._entered - self._queued

    def put(self, rows: Sequence[Row]) -> int:
        """Take what fits, drop the rest; returns how many were dropped."""
        with self._changed:
            room = max(0, self._limits.max_queue - self._queued) if self._open else 0
            taken = min(room, len(rows))
            before = len(self._waiting)
            at = self._now()
            self._waiting.extend((at, row) for row in rows[:taken])
            self._entered += taken
            dropped = len(rows) - taken
            self._count(logged=len(rows), dropped=dropped)
            # The worker needs waking only when it waits for a first row, or for a full batch.
            if not before or before < self._limits.batch_rows <= len(self._waiting):
                self._changed.notify_all()
            return dropped

    def refuse(self, rows: int, error: str) -> None:
        """Count rows that cannot be sent, and so never enter."""
        with self._changed:
            self._count(logged=rows, rejected=rows, error=error)

    def take(self) -> list[Row]:
        """The next batch: consecutive rows of one kind. Waits for it; empty once stopped."""
        with self._changed:
            # Rows that are still in flight here belonged to a worker that was killed.
            self.drop_batch()
            while not self._stopped and (wait_s := self._due_in_s()) != 0.0:
                self._changed.wait(wait_s)
            batch: list[Row] = []
            kind = self._waiting[0][1].kind if self._waiting else None
            while (
                self._waiting
                and len(batch) < self._limits.batch_rows
                and self._waiting[0][1].kind == kind
            ):
                batch.append(self._waiting.popleft()[1])
            self._in_flight = len(batch)
            return batch

    def _due_in_s(self) -> float | None:
        if not self._waiting:
            return None
        if self._settled < self._flush_to:
            return 0.0
        return due_in_s(len(self._waiting), self._now() - self._waiting[0][0], self._limits)

    def settle(
        self,
        *,
        sent: int = 0,
        quarantined: int = 0,
        rejected: int = 0,
        dropped: int = 0,
        error: str | None = None,
    ) -> None:
        """Say what became of rows of the batch that was taken."""
        with self._changed:
            self._in_flight -= sent + rejected + dropped
            self._count(
                sent=sent, quarantined=quarantined, rejected=rejected, dropped=dropped, error=error
            )
            self._changed.notify_all()

    def abandon(self, error: str) -> int:
        """Reject what is left of the batch that was taken; returns how many rows that is."""
        with self._changed:
            left = self._in_flight
            self.settle(rejected=left, error=error)
            return left

    def drop_batch(self) -> None:
        """Drop what is left of the batch that was taken."""
        with self._changed:
            self.settle(dropped=self._in_flight)

    def note_error(self, error: str) -> None:
        """Remember why a request failed that will be tried again."""
        with self._changed:
            self._count(error=error)

    def pause(self, seconds: float) -> bool:
        """Let the server rest before a request is sent again; False when there is no again.

        A closing client cuts the rest short, for one more try before its deadline.
        """
        with self._changed:
            self._resting = True
            self._changed.wait_for(lambda: self._stopped or self._urged, seconds)
            self._resting = self._urged = False
            if not self._stopped:
                self._count(retries=1)
            return not self._stopped

    def flush(self, timeout_s: float) -> bool:
        """Send at once what waits; True when no row is left of it or was lost since the last time.

        Rows logged meanwhile are not waited for.
        """
        with self._changed:
            target = self._flush_to = self._entered
            self._changed.notify_all()
            timeout_s = min(timeout_s, threading.TIMEOUT_MAX)
            if not self._changed.wait_for(lambda: self._settled >= target, timeout_s):
                return False
            lost = self._stats.rejected + self._stats.dropped
            complete = lost == self._lost_before
            self._lost_before = lost
            return complete

    def shut(self) -> None:
        """Drop every row logged from now on, and hurry the ones that wait."""
        with self._changed:
            self._open = False
            self._flush_to = self._entered
            self._urged = True
            self._changed.notify_all()

    def stop(self) -> int:
        """Drop what waits and let the worker end; returns how many rows were left."""
        with self._changed:
            left = self._queued
            self._stopped = True
            if self._resting:  # its rows will not be sent again, so they need no waiting for
                self.drop_batch()
            self._count(dropped=len(self._waiting))
            self._waiting.clear()
            self._changed.notify_all()
            return left

    def _count(self, *, error: str | None = None, **more: int) -> None:
        stats = self._stats
        counted = {name: getattr(stats, name) + number for name, number in more.items()}
        self._stats = replace(stats, **counted, last_error=error or stats.last_error)
