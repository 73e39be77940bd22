import threading
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tocsin.client._queue import Limits, RowQueue, due_in_s
from tocsin.client._rows import Outcome, Prediction, Row

NOW = datetime(2013, 1, 1, tzinfo=UTC)


def rows(kinds: str, start: int = 0) -> list[Row]:
    """One row a letter: p a prediction, o an outcome; their ids count up."""
    return [
        Prediction(str(number), NOW, "3", {}, {}) if kind == "p" else Outcome(str(number), NOW, 1)
        for number, kind in enumerate(kinds, start)
    ]


def queue(max_queue: int = 100, batch_rows: int = 10) -> RowQueue:
    return RowQueue(Limits(max_queue, batch_rows, max_delay_s=0.0))


class Books(RuleBasedStateMachine):
    """Whatever happens in whatever order, every row is in one place, and rows leave in order."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = queue(max_queue=7, batch_rows=3)
        self.waiting: list[Row] = []
        self.batch: list[Row] = []
        self.logged = 0
        self.open = True
        self.stopped = False

    @rule(kinds=st.text(alphabet="po", max_size=9))
    def put(self, kinds: str) -> None:
        new = rows(kinds, self.logged)
        room = 7 - len(self.waiting) - len(self.batch) if self.open else 0
        assert self.queue.put(new) == max(0, len(new) - room)
        self.waiting += new[: max(0, room)]
        self.logged += len(new)

    @rule(number=st.integers(0, 3))
    def refuse(self, number: int) -> None:
        self.queue.refuse(number, "naive datetime")
        self.logged += number

    @precondition(lambda self: (self.waiting or self.stopped) and not self.batch)
    @rule()
    def take(self) -> None:
        self.batch = self.queue.take()
        assert self.batch == self.waiting[: len(self.batch)]
        assert len({row.kind for row in self.batch}) <= 1
        assert bool(self.batch) != self.stopped
        del self.waiting[: len(self.batch)]

    @precondition(lambda self: self.batch)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        settled = data.draw(st.integers(1, len(self.batch)))
        fate = data.draw(st.sampled_from(["sent", "rejected", "dropped"]))
        self.queue.settle(**{fate: settled})
        del self.batch[:settled]

    @precondition(lambda self: self.batch)
    @rule()
    def abandon(self) -> None:
        assert self.queue.abandon("fault") == len(self.batch)
        self.batch = []

    @rule()
    def shut(self) -> None:
        self.queue.shut()
        self.open = False

    @precondition(lambda self: not self.open)
    @rule()
    def stop(self) -> None:
        assert self.queue.stop() == len(self.waiting) + len(self.batch)
        self.waiting = []
        self.stopped = True

    @rule()
    def flush(self) -> None:
        drained = self.queue.flush(timeout_s=0.0)
        assert not (drained and (self.waiting or self.batch))

    @invariant()
    def every_logged_row_is_in_one_place(self) -> None:
        stats = self.queue.stats
        assert stats.logged == self.logged
        assert stats.logged == stats.sent + stats.rejected + stats.dropped + stats.queued
        assert stats.queued == len(self.waiting) + len(self.batch) <= 7


TestBooks = Books.TestCase


@given(st.text(alphabet="po", min_size=1, max_size=30))
def test_batches_are_runs_of_one_kind_that_join_to_what_was_put(kinds: str) -> None:
    waiting = queue(batch_rows=4)
    waiting.put(rows(kinds))
    batches: list[list[Row]] = []
    while waiting.stats.queued:
        batches.append(waiting.take())
        waiting.settle(sent=len(batches[-1]))
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
    assert len(waiting.take()) == 2


def test_a_flush_makes_a_young_small_batch_due() -> None:
    waiting = RowQueue(Limits(100, 10, max_delay_s=3600.0), now=lambda: 0.0)
    waiting.put(rows("pp"))
    assert not waiting.flush(timeout_s=0.0)
    assert len(waiting.take()) == 2


def test_shutting_makes_a_young_small_batch_due() -> None:
    waiting = RowQueue(Limits(100, 10, max_delay_s=3600.0), now=lambda: 0.0)
    waiting.put(rows("pp"))
    waiting.shut()
    assert len(waiting.take()) == 2


def test_a_flush_tells_of_a_lost_row_once() -> None:
    waiting = queue()
    waiting.refuse(1, "naive datetime")
    assert not waiting.flush(timeout_s=0.0)
    assert waiting.flush(timeout_s=0.0)


def test_a_flush_does_not_wait_for_later_rows() -> None:
    waiting = queue(batch_rows=1)
    waiting.put(rows("p"))
    waiting.flush(timeout_s=0.0)
    waiting.take()
    waiting.settle(sent=1)
    assert waiting.flush(timeout_s=0.0)
    waiting.put(rows("p"))
    assert not waiting.flush(timeout_s=0.0)


def test_rows_of_a_killed_worker_are_counted_as_dropped() -> None:
    waiting = queue(batch_rows=2)
    waiting.put(rows("ppp"))
    waiting.take()
    assert len(waiting.take()) == 1
    assert waiting.stats.dropped == 2


def test_a_pause_counts_a_retry_unless_the_queue_is_stopped() -> None:
    waiting = queue()
    assert waiting.pause(0.0)
    waiting.stop()
    assert not waiting.pause(3600.0)
    assert waiting.stats.retries == 1


def test_rows_in_flight_stay_queued_when_stopped_until_their_answer_comes() -> None:
    waiting = queue(batch_rows=2)
    waiting.put(rows("ppp"))
    waiting.take()
    assert waiting.stop() == 3
    assert (waiting.stats.queued, waiting.stats.dropped) == (2, 1)
    waiting.settle(sent=2)
    assert (waiting.stats.queued, waiting.stats.sent) == (0, 2)


def test_a_flush_may_wait_for_ever() -> None:
    waiting = queue()
    waiting.put(rows("p"))
    waiting.take()
    worker = threading.Timer(0.01, waiting.settle, kwargs={"sent": 1})
    worker.start()
    assert waiting.flush(timeout_s=float("inf"))
    worker.join()
