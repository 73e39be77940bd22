import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from tests.client.conftest import accepted

from tocsin.client._log import Warnings
from tocsin.client._queue import Limits, RowQueue, Woken
from tocsin.client._rows import Outcome, Prediction, Row
from tocsin.client._sender import Route, Sender, user_agent
from tocsin.client._transport import MOST_FAULTS

NOW = datetime(2013, 1, 1, tzinfo=UTC)


class Restless(RowQueue):
    """A queue whose rests take no time; the client closes after `rests_allowed` of them."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.rests: list[float] = []
        self.rests_allowed = 1000

    def rest(self, seconds: float, *, until_crowded: bool = False) -> Woken:  # noqa: ARG002
        self.rests.append(seconds)
        return Woken.RESTED if len(self.rests) <= self.rests_allowed else Woken.STOPPED


class Bench:
    """A sender without a thread: batches go out when the test says so, and rests take no time."""

    def __init__(self, transport: httpx2.BaseTransport) -> None:
        self.queue = Restless(Limits(max_queue=100, batch_rows=10, max_delay_s=0.0))
        self.http = httpx2.Client(transport=transport)
        route = Route("http://tocsin.test/late", lambda: self.http)
        self.sender = Sender(self.queue, Warnings(), route, draw=lambda: 0.5, now=lambda: 0.0)

    def send(self, *rows: Row) -> None:
        self.queue.put(rows)
        while self.queue.stats.queued:
            self.sender.step()


@pytest.fixture
def bench() -> Iterator[Any]:
    benches: list[Bench] = []

    def make(transport: httpx2.BaseTransport) -> Bench:
        benches.append(Bench(transport))
        return benches[-1]

    yield make
    for made in benches:
        made.http.close()


def prediction(prediction_id: str, **inputs: Any) -> Prediction:
    return Prediction(prediction_id, NOW, "3", inputs, {})


def busy(**headers: str) -> httpx2.Response:
    return httpx2.Response(503, json={"error": {"message": "busy"}}, headers=headers)


def test_kinds_go_to_their_own_paths_in_the_order_of_logging(script: Any, bench: Any) -> None:
    server = script()
    bench(server).send(prediction("a"), prediction("b"), Outcome("a", NOW, 1), prediction("c"))
    assert server.kinds == ["predictions", "outcomes", "predictions"]
    assert server.ids == [["a", "b"], ["a"], ["c"]]


def test_a_failed_request_is_repeated_byte_for_byte_before_the_next(
    script: Any, bench: Any
) -> None:
    server = script(busy(), httpx2.ReadTimeout("slow"))
    board = bench(server)
    board.send(prediction("a"), Outcome("a", NOW, 1))
    first, second, third, outcomes = (request.content for request in server.requests)
    assert first == second == third != outcomes
    assert board.queue.stats.sent == 2
    assert board.queue.stats.last_error == "ReadTimeout: slow"


def test_rests_double_up_to_the_limit(script: Any, bench: Any) -> None:
    board = bench(script(*[busy()] * 10))
    board.send(prediction("a"))
    assert board.queue.rests == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15, 15])


def test_retry_after_wins_over_the_backoff(script: Any, bench: Any) -> None:
    board = bench(script(busy(), busy(**{"Retry-After": "120"}), busy(**{"Retry-After": "0"})))
    board.send(prediction("a"))
    assert board.queue.rests == [0.1, 120.0, 0.0]


def test_a_refused_batch_is_rejected_and_the_next_one_goes_out(script: Any, bench: Any) -> None:
    server = script(httpx2.Response(404, json={"error": {"message": "no model late"}}))
    board = bench(server)
    board.send(prediction("a"), prediction("b"), Outcome("a", NOW, 1))
    stats = board.queue.stats
    assert (stats.rejected, stats.sent) == (2, 1)
    assert stats.last_error == "404: no model late"
    assert len(server.requests) == 2
    assert board.queue.rests == []


def test_an_unsendable_row_is_rejected_alone(script: Any, bench: Any) -> None:
    server = script()
    board = bench(server)
    board.send(prediction("a"), prediction("b", x=object()), prediction("c"))
    assert server.ids == [["a", "c"]]
    assert (board.queue.stats.sent, board.queue.stats.rejected) == (2, 1)
    assert "a row cannot be written as JSON" in board.queue.stats.last_error


def test_a_batch_of_only_unsendable_rows_sends_no_request(script: Any, bench: Any) -> None:
    server = script()
    bench(server).send(prediction("a", x=object()))
    assert server.requests == []


def test_a_value_that_raises_anything_when_read_rejects_only_its_row(
    script: Any, bench: Any
) -> None:
    class Hostile:
        def item(self) -> float:
            raise NotImplementedError("not on this device")

    server = script()
    bench(server).send(prediction("a", x=Hostile()), prediction("b"))
    assert server.ids == [["b"]]


def test_an_unforeseen_fault_costs_its_batch_and_not_the_worker(script: Any, bench: Any) -> None:
    server = script(ZeroDivisionError("a fault in a transport"))
    board = bench(server)
    board.send(prediction("a"), Outcome("a", NOW, 1))
    stats = board.queue.stats
    assert (stats.rejected, stats.sent, stats.queued) == (1, 1, 0)
    assert stats.last_error == "ZeroDivisionError: a fault in a transport"


def test_quarantined_rows_are_counted_among_the_sent(script: Any, bench: Any) -> None:
    content = {"accepted": 1, "quarantined": 1, "reasons": ["row 1: distance is text"]}
    board = bench(script(httpx2.Response(202, json=content)))
    board.send(prediction("a"), prediction("b"))
    assert (board.queue.stats.sent, board.queue.stats.quarantined) == (2, 1)


def test_a_batch_is_dropped_when_the_client_closes_between_tries(script: Any, bench: Any) -> None:
    server = script(*[busy()] * 10)
    board = bench(server)
    board.queue.rests_allowed = 2
    board.send(prediction("a"))
    assert board.queue.stats.dropped == 1
    assert len(server.requests) == 3


def test_rows_that_the_server_fails_at_each_time_are_rejected_and_the_next_go_out(
    script: Any, bench: Any
) -> None:
    oops = httpx2.Response(500, json={"error": {"message": "oops"}})
    server = script(*[oops] * MOST_FAULTS, accepted, oops)
    board = bench(server)
    board.send(prediction("a"), prediction("b"), Outcome("a", NOW, 1))
    stats = board.queue.stats
    assert (stats.rejected, stats.sent, len(server.requests)) == (2, 1, MOST_FAULTS + 2)
    assert stats.last_error == f"the server failed {MOST_FAULTS + 1} times: 500: oops"


def test_a_server_that_fails_at_all_rows_is_waited_for(script: Any, bench: Any) -> None:
    server = script(*[httpx2.Response(500)] * 5 * MOST_FAULTS)
    board = bench(server)
    board.send(prediction("a"), Outcome("a", NOW, 1))
    assert (board.queue.stats.sent, board.queue.stats.rejected) == (2, 0)


def test_rows_alone_that_the_server_fails_at_wait_for_others_to_be_taken(
    script: Any, bench: Any
) -> None:
    server = script(*[httpx2.Response(500)] * 2 * MOST_FAULTS)
    board = bench(server)
    board.queue.rests_allowed = 2 * MOST_FAULTS - 2
    board.send(prediction("a"))
    assert (board.queue.stats.dropped, board.queue.stats.rejected) == (1, 0)


def test_of_many_rows_only_those_that_the_server_fails_at_are_rejected(
    script: Any, bench: Any
) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        ids = {row["prediction_id"] for row in json.loads(request.content)}
        content = {"accepted": len(ids), "quarantined": 0, "reasons": []}
        return httpx2.Response(202, json=content) if ids.isdisjoint(bad) else httpx2.Response(500)

    bad = {"r3", "r14"}  # in the first two batches of ten
    board = bench(script(*[answer] * 100))
    board.send(*(prediction(f"r{number}") for number in range(40)))
    assert (board.queue.stats.sent, board.queue.stats.rejected) == (20, 20)


def test_an_outage_between_faults_begins_their_count_anew(script: Any, bench: Any) -> None:
    fault = httpx2.Response(500)
    server = script(*[fault] * (MOST_FAULTS - 1), busy(), *[fault] * (MOST_FAULTS - 1))
    board = bench(server)
    board.send(prediction("a"))
    assert (board.queue.stats.sent, board.queue.stats.rejected) == (1, 0)


def test_an_outage_is_said_once_and_its_end_too(
    script: Any, bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="tocsin")
    board = bench(script(busy(), busy(), busy()))
    board.send(prediction("a"))
    assert [record.levelname for record in caplog.records if record.name == "tocsin"] == [
        "WARNING",
        "INFO",
    ]


def test_rejected_rows_are_warned_about_once(
    script: Any, bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bench(script()).send(*(prediction(str(number), x=object()) for number in range(5)))
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("tocsin", "WARNING")
    assert "cannot be written as JSON" in record.getMessage()


def test_the_user_agent_carries_the_version() -> None:
    name, number = user_agent().split("/")
    assert name == "tocsin"
    assert number.count(".") == 2
