"""The bounded queue between the serving threads and the one worker, and its books.

Every row that was logged is in exactly one place:
logged = sent + rejected + dropped + queued + spilled.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from tocsin.client._books import Books, ClientStats, Fate
from tocsin.client._rows import Kind, Logged, Outcome, Prediction, Row, TableRows


@dataclass(frozen=True)
class Limits:
    """How much may wait, how rows are gathered into requests, and whether the disk takes the rest.

    spills: rows can leave the queue for the disk when it fills or the client closes.
    """

    max_queue: int
    batch_rows: int
    max_delay_s: float
    spills: bool = False

    @property
    def crowd(self) -> int:
        """So many rows that some should leave for the disk, while there still is room."""
        return max(1, self.max_queue // 2)


@dataclass(frozen=True, eq=False)
class Batch:
    """Consecutive rows of one kind that left the queue; compared by identity.

    number: grows from batch to batch.
    """

    number: int
    kind: Kind
    parts: tuple[Logged, ...]
    rows: int


class Woken(Enum):
    """Why a rest is over."""

    RESTED = auto()
    CROWDED = auto()
    STOPPED = auto()


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
        self._waiting: deque[tuple[float, int, Logged]] = deque()
        self._waiting_rows = 0
        self._taken: dict[Batch, None] = {}
        self._taken_rows = 0
        self._batches = 0
        self._books = Books()
        self._entered = 0
        self._flush_to = 0
        self._lost_before = 0
        self._urged = False
        self._resting = False
        self._open = True
        self._given_up = False
        self._stopped = False

    @property
    def stats(self) -> ClientStats:
        """The books at this moment."""
        with self._changed:
            return self._books.stats(self._queued)

    @property
    def stopped(self) -> bool:
        """Whether the worker has to end."""
        return self._stopped

    @property
    def leaving(self) -> bool:
        """Whether the client closes while rows still wait, which then go before those on disk."""
        return not self._open and self._waiting_rows > 0

    @property
    def crowded(self) -> bool:
        """Whether rows should leave for the disk."""
        return self._limits.spills and self._waiting_rows >= self._limits.crowd

    @property
    def dropped_untold(self) -> int:
        """Dropped rows that the server was not told of."""
        return self._books.dropped - self._books.dropped_told

    @property
    def _queued(self) -> int:
        return self._waiting_rows + self._taken_rows

    @property
    def _settled(self) -> int:
        return self._entered - self._queued - self._books.spilled

    def put(self, rows: Sequence[Row]) -> int:
        """Take what fits, drop the rest; returns how many were dropped."""
        with self._changed:
            room = max(0, self._limits.max_queue - self._queued) if self._open else 0
            taken = rows if room >= len(rows) else rows[:room]
            at = self._now()
            for row in taken:
                self._waiting.append((at, 1, row))
            return self._enter(len(rows), len(taken))

    def put_table(self, table: TableRows) -> int:
        """Take a table whole if there is any room, as its memory is taken already; else drop it."""
        with self._changed:
            fits = self._open and self._queued < self._limits.max_queue
            if fits and table.rows:
                self._waiting.append((self._now(), table.rows, table))
            return self._enter(table.rows, table.rows if fits else 0)

    def _enter(self, logged: int, taken: int) -> int:
        before = self._waiting_rows
        self._waiting_rows = waiting = before + taken
        self._entered += taken
        self._books.logged += logged
        self._books.dropped += logged - taken
        # The worker needs waking only when it waits for a first row, for a full batch, or for room.
        limits = self._limits
        if (
            not before
            or before < limits.batch_rows <= waiting
            or (limits.spills and before < limits.crowd <= waiting)
        ):
            self._changed.notify_all()
        return logged - taken

    def refuse(self, rows: int, error: str) -> None:
        """Count rows that cannot be sent, and so never enter."""
        with self._changed:
            self._books.logged += rows
            self._books.note(Fate(rejected=rows, error=error))

    def take(self, timeout_s: float | None = None) -> Batch | None:
        """The next batch when it is due; None once stopped, or when the time is over."""
        until = None if timeout_s is None else self._now() + timeout_s
        with self._changed:
            if self._stopped:
                return None
            # Rows that are still taken here belonged to a worker that was killed.
            self._drop_taken()
            while not self._stopped and (wait_s := self._due_in_s()) != 0.0:
                if until is not None:
                    rest_s = until - self._now()
                    if rest_s <= 0.0:
                        return None
                    wait_s = rest_s if wait_s is None else min(wait_s, rest_s)
                self._changed.wait(wait_s)
            return self._next_batch()

    def take_waiting(self) -> Batch | None:
        """The next batch, due or not; None when no row waits."""
        with self._changed:
            return self._next_batch()

    def _next_batch(self) -> Batch | None:
        if not self._waiting:
            return None
        kind = self._waiting[0][2].kind
        parts: list[Logged] = []
        rows = 0
        while self._waiting and rows < self._limits.batch_rows:
            at, size, part = self._waiting[0]
            if part.kind != kind:
                break
            self._waiting.popleft()
            room = self._limits.batch_rows - rows
            if size > room and not isinstance(part, Prediction | Outcome):
                part, others = part.parted(room)
                self._waiting.appendleft((at, size - room, others))
                size = room
            parts.append(part)
            rows += size
        self._waiting_rows -= rows
        self._batches += 1
        return self._take(Batch(self._batches, kind, tuple(parts), rows))

    def put_back(self, batch: Batch) -> None:
        """Let a batch that was taken wait again, in front of all others."""
        with self._changed:
            if batch not in self._taken:
                return
            if self._stopped:
                self.settle(batch, Fate(dropped=batch.rows))
                return
            del self._taken[batch]
            self._taken_rows -= batch.rows
            self._waiting_rows += batch.rows
            at = self._now()
            for part in reversed(batch.parts):
                size = 1 if isinstance(part, Prediction | Outcome) else part.rows
                self._waiting.appendleft((at, size, part))

    def _take(self, batch: Batch) -> Batch:
        self._taken[batch] = None
        self._taken_rows += batch.rows
        return batch

    def _drop_taken(self) -> None:
        for batch in tuple(self._taken):
            self.settle(batch, Fate(dropped=batch.rows))

    def _due_in_s(self) -> float | None:
        if not self._waiting:
            return None
        if self._settled < self._flush_to:
            return 0.0
        return due_in_s(self._waiting_rows, self._now() - self._waiting[0][0], self._limits)

    def settle(self, batch: Batch, fate: Fate) -> bool:
        """Say what became of all rows of a batch; False when they are somebody else's by now."""
        with self._changed:
            if batch not in self._taken:
                return False
            del self._taken[batch]
            self._taken_rows -= batch.rows
            self._books.note(fate)
            self._books.spilled += fate.spilled
            self._changed.notify_all()
            return True

    def settle_spilled(self, rows: int, fate: Fate) -> None:
        """Say what became of rows of this client that were on disk."""
        with self._changed:
            self._books.spilled -= rows
            self._books.note(fate)
            self._changed.notify_all()

    def count_recovered(self, rows: int) -> None:
        """Count rows of an earlier process that were sent."""
        with self._changed:
            self._books.recovered += rows

    def told_of_dropped(self, rows: int) -> None:
        """Remember that the server knows of so many more dropped rows."""
        with self._changed:
            self._books.dropped_told += rows

    def note_error(self, error: str) -> None:
        """Remember why something failed that will be tried again."""
        with self._changed:
            self._books.last_error = error

    def rest(self, seconds: float, *, until_crowded: bool = False) -> Woken:
        """Let the server rest before a request is sent again.

        A closing client cuts the rest short, for one more try before its deadline; if its rows
        can go to disk, the rest after that try lasts until it is stopped.
        """
        with self._changed:
            if self._limits.spills and not (self._open or self._urged):
                self._given_up = True
                self._changed.notify_all()
            self._resting = True
            self._changed.wait_for(
                lambda: self._stopped or self._urged or (until_crowded and self.crowded),
                threading.TIMEOUT_MAX if self._given_up else seconds,
            )
            self._resting = False
            if self._stopped:
                return Woken.STOPPED
            if until_crowded and self.crowded and not self._urged:
                return Woken.CROWDED
            self._urged = False
            self._books.retries += 1
            return Woken.RESTED

    def flush(self, timeout_s: float) -> bool:
        """Send at once what waits; True when no row is left of it or was lost since the last time.

        Rows logged meanwhile are not waited for.
        """
        with self._changed:
            target = self._flush_to = self._entered
            self._changed.notify_all()
            if not self._wait_for(lambda: self._settled >= target, timeout_s):
                return False
            lost = self._books.rejected + self._books.dropped
            complete = lost == self._lost_before
            self._lost_before = lost
            return complete

    def drain(self, timeout_s: float) -> None:
        """Wait until no row is left, or until there is no hope to send one."""
        with self._changed:
            self._wait_for(
                lambda: (
                    self._stopped or self._given_up or not (self._queued or self._books.spilled)
                ),
                timeout_s,
            )

    def _wait_for(self, state: Callable[[], bool], timeout_s: float) -> bool:
        return self._changed.wait_for(state, min(timeout_s, threading.TIMEOUT_MAX))

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
                self._drop_taken()
            self._books.dropped += self._waiting_rows
            self._waiting.clear()
            self._waiting_rows = 0
            self._changed.notify_all()
            return left

    def take_over(self) -> list[Batch]:
        """Let the worker end; returns all that is left, also what it has on its way.

        What the worker says of these rows from now on is not heard.
        """
        with self._changed:
            self._stopped = True
            on_the_way = tuple(self._taken)
            self._taken.clear()
            self._taken_rows = 0
            left = [self._take(replace(old)) for old in on_the_way]
            while (batch := self._next_batch()) is not None:
                left.append(batch)
            self._changed.notify_all()
            return left
