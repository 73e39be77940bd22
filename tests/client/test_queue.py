import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tocsin.client._books import Fate
from tocsin.client._queue import Batch, Limits, RowQueue, Woken, due_in_s
from tocsin.client._rows import Kind, Outcome, Prediction, Row

NOW = datetime(2013, 1, 1, tzinfo=UTC)


def rows(kinds: str, start: int = 0) -> list[Row]:
    """One row a letter: p a prediction, t one of a table, o an outcome; their ids count up."""
    return [
        Outcome(str(number), NOW, 1) if kind == "o" else Prediction(str(number), NOW, kind, {}, {})
        for number, kind in enumerate(kinds, start)
    ]


@dataclass(frozen=True)
class Counted:
    """The rows of a table, that are known by their numbers."""

    start: int
    stop: int
    kind: Kind = "predictions"

    @property
    def rows(self) -> int:
        return self.stop - self.start

    def parted(self, rows: int) -> tuple["Counted", "Counted"]:
        at = self.start + rows
        return replace(self, stop=at), replace(self, start=at)

    def encoded(self) -> list[bytes]:
        return [b"%d" % number for number in range(self.start, self.stop)]


def rows_in(batch: Batch) -> list[Row]:
    return [
        row
        for part in batch.parts
        for row in (rows("t" * part.rows, part.start) if isinstance(part, Counted) else [part])
    ]


def took(waiting: RowQueue) -> Batch:
    batch = waiting.take()
    assert batch is not None
    return batch


def sent(waiting: RowQueue) -> list[Row]:
    batch = took(waiting)
    assert waiting.settle(batch, Fate(sent=batch.rows))
    return rows_in(batch)


def queue(max_queue: int = 100, batch_rows: int = 10) -> RowQueue:
    return RowQueue(Limits(max_queue, batch_rows, max_delay_s=0.0))


class Books(RuleBasedStateMachine):
    """Whatever happens in whatever order, every row is in one place, and rows leave in order."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = RowQueue(Limits(max_queue=7, batch_rows=3, max_delay_s=0.0, spills=True))
        self.waiting: list[Row] = []
        self.batches: list[Batch] = []
        self.logged = self.spilled = 0
        self.open = True
        self.stopped = False

    @property
    def queued(self) -> int:
        return len(self.waiting) + sum(batch.rows for batch in self.batches)

    @rule(kinds=st.text(alphabet="po", max_size=9))
    def put(self, kinds: str) -> None:
        new = rows(kinds, self.logged)
        room = max(0, 7 - self.queued) if self.open else 0
        assert self.queue.put(new) == max(0, len(new) - room)
        self.waiting += new[:room]
        self.logged += len(new)

    @rule(size=st.integers(0, 12))
    def put_table(self, size: int) -> None:
        fits = self.open and self.queued < 7
        assert self.queue.put_table(Counted(self.logged, self.logged + size)) == (
            0 if fits else size
        )
        self.waiting += rows("t" * size, self.logged) if fits else []
        self.logged += size

    @rule(number=st.integers(0, 3))
    def refuse(self, number: int) -> None:
        self.queue.refuse(number, "naive datetime")
        self.logged += number

    @precondition(lambda self: (self.waiting or self.stopped) and not self.batches)
    @rule()
    def take(self) -> None:
        self.taken(self.queue.take())

    @rule()
    def take_waiting(self) -> None:
        self.taken(self.queue.take_waiting())

    def taken(self, batch: Batch | None) -> None:
        if batch is None:
            assert not self.waiting
            return
        assert rows_in(batch) == self.waiting[: batch.rows]
        assert len({part.kind for part in batch.parts}) == 1
        assert 0 < batch.rows <= 3
        del self.waiting[: batch.rows]
        self.batches.append(batch)

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        batch = self.batches.pop(data.draw(st.integers(0, len(self.batches) - 1)))
        fate = data.draw(st.sampled_from(["sent", "rejected", "dropped", "spilled"]))
        self.spilled += batch.rows if fate == "spilled" else 0
        assert self.queue.settle(batch, Fate(**{fate: batch.rows}))
        assert not self.queue.settle(batch, Fate(sent=batch.rows))

    @precondition(lambda self: self.batches)
    @rule()
    def put_back(self) -> None:
        batch = self.batches.pop()
        self.queue.put_back(batch)
        self.waiting[:0] = [] if self.stopped else rows_in(batch)

    @precondition(lambda self: self.spilled)
    @rule(data=st.data())
    def settle_spilled(self, data: st.DataObject) -> None:
        settled = data.draw(st.integers(1, self.spilled))
        self.queue.settle_spilled(settled, Fate(sent=settled))
        self.spilled -= settled

    @rule()
    def shut(self) -> None:
        self.queue.shut()
        self.open = False

    @precondition(lambda self: not self.open)
    @rule()
    def stop(self) -> None:
        assert self.queue.stop() == self.queued
        self.waiting = []
        self.stopped = True

    @precondition(lambda self: not self.open)
    @rule()
    def take_over(self) -> None:
        on_the_way, left = self.batches, self.queued
        self.batches = self.queue.take_over()
        assert self.queued - len(self.waiting) == left
        assert not any(self.queue.settle(batch, Fate(sent=batch.rows)) for batch in on_the_way)
        self.waiting = []
        self.stopped = True

    @rule()
    def flush(self) -> None:
        drained = self.queue.flush(timeout_s=0.0)
        assert not (drained and (self.queued or self.spilled))

    @invariant()
    def every_logged_row_is_in_one_place(self) -> None:
        stats = self.queue.stats
        assert stats.logged == self.logged
        accounted = stats.sent + stats.rejected + stats.dropped + stats.queued + stats.spilled
        assert stats.logged == accounted
        assert stats.queued == self.queued
        assert stats.spilled == self.spilled


TestBooks = Books.TestCase


@given(st.text(alphabet="po", min_size=1, max_size=30))
def test_batches_are_runs_of_one_kind_that_join_to_what_was_put(kinds: str) -> None:
    waiting = queue(batch_rows=4)
    waiting.put(rows(kinds))
    batches: list[list[Row]] = []
    while waiting.stats.queued:
        batches.append(sent(waiting))
    assert [row for batch in batches for row in batch] == rows(kinds)
    for batch, following in pairwise(batches):
        assert len(batch) == 4 or batch[0].kind != following[0].kind


@given(st.integers(1, 20), st.floats(0, 10))
def test_a_batch_is_due_by_size_or_by_age_and_not_before(waiting: int, age_s: float) -> None:
    wait_s = due_in_s(waiting, age_s, Limits(max_queue=100, batch_rows=10, max_delay_s=5.0))
    assert (wait_s == 0.0) == (waiting >= 10 or age_s >= 5.0)


def test_age_counts_from_the_oldest_row() -> None:
    clock = iter([0.0, 4.0, 5.0])
    waiting = RowQueue(Limits(100, 10, max_delay_s=5.0), now=lambda: next(clock))
    waiting.put(rows("p"))
    waiting.put(rows("p", start=1))
    assert took(waiting).rows == 2


def test_a_flush_makes_a_young_small_batch_due() -> None:
    waiting = RowQueue(Limits(100, 10, max_delay_s=3600.0), now=lambda: 0.0)
    waiting.put(rows("pp"))
    assert not waiting.flush(timeout_s=0.0)
    assert took(waiting).rows == 2


def test_shutting_makes_a_young_small_batch_due() -> None:
    waiting = RowQueue(Limits(100, 10, max_delay_s=3600.0), now=lambda: 0.0)
    waiting.put(rows("pp"))
    waiting.shut()
    assert took(waiting).rows == 2


def test_a_flush_tells_of_a_lost_row_once() -> None:
    waiting = queue()
    waiting.refuse(1, "naive datetime")
    assert not waiting.flush(timeout_s=0.0)
    assert waiting.flush(timeout_s=0.0)


def test_a_flush_does_not_wait_for_later_rows() -> None:
    waiting = queue(batch_rows=1)
    waiting.put(rows("p"))
    waiting.flush(timeout_s=0.0)
    sent(waiting)
    assert waiting.flush(timeout_s=0.0)
    waiting.put(rows("p"))
    assert not waiting.flush(timeout_s=0.0)


def test_rows_of_a_killed_worker_are_counted_as_dropped() -> None:
    waiting = queue(batch_rows=2)
    waiting.put(rows("ppp"))
    waiting.take()
    assert took(waiting).rows == 1
    assert waiting.stats.dropped == 2


def test_a_rest_counts_a_retry_unless_the_queue_is_stopped() -> None:
    waiting = queue()
    assert waiting.rest(0.0) is Woken.RESTED
    waiting.stop()
    assert waiting.rest(3600.0) is Woken.STOPPED
    assert waiting.stats.retries == 1


def test_rows_in_flight_stay_queued_when_stopped_until_their_answer_comes() -> None:
    waiting = queue(batch_rows=2)
    waiting.put(rows("ppp"))
    batch = took(waiting)
    assert waiting.stop() == 3
    assert (waiting.stats.queued, waiting.stats.dropped) == (2, 1)
    waiting.settle(batch, Fate(sent=2))
    assert (waiting.stats.queued, waiting.stats.sent) == (0, 2)


def test_a_flush_may_wait_for_ever() -> None:
    waiting = queue()
    waiting.put(rows("p"))
    worker = threading.Timer(0.01, waiting.settle, (took(waiting), Fate(sent=1)))
    worker.start()
    assert waiting.flush(timeout_s=float("inf"))
    worker.join()
