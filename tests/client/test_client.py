import logging
import threading
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from tests.client.conftest import Gate

import tocsin
import tocsin.client
from tocsin.client import AsyncClient, Client
from tocsin.errors import InvalidInputError

NEVER_S = 3600.0
NAIVE = datetime(2013, 1, 1)  # noqa: DTZ001 - what a careless host logs


def balanced(client: Client) -> bool:
    stats = client.stats
    accounted = stats.sent + stats.rejected + stats.dropped + stats.queued + stats.spilled
    return stats.logged == accounted


def test_the_public_names_are_these() -> None:
    assert tocsin.client.__all__ == ["AsyncClient", "Client", "ClientStats"]
    assert tocsin.AsyncClient is AsyncClient
    assert tocsin.Client is Client


def test_no_thread_runs_before_the_first_row(connect: Any, script: Any) -> None:
    before = threading.active_count()
    client = connect(transport=script())
    assert threading.active_count() == before
    client.log_outcome("a", 1)
    assert threading.active_count() == before + 1
    client.log_outcome("b", 1)
    assert threading.active_count() == before + 1


def test_what_is_logged_arrives_as_it_was_logged(connect: Any, script: Any) -> None:
    server = script()
    client = connect(transport=server)
    moment = datetime(2013, 1, 1, 10, 30, tzinfo=UTC)
    ids = client.log_predictions(
        [
            {"inputs": {"x": 1}, "outputs": {"p": 0.7}, "timestamp": moment, "prediction_id": "a"},
            {"inputs": {"x": 2}, "outputs": {"p": 0.2}, "timestamp": "2013-01-01T10:31:00+00:00"},
        ]
    )
    client.log_outcomes([{"prediction_id": "a", "actual_outcome": 1, "timestamp": moment}])
    assert client.flush()
    assert ids[0] == "a"
    assert server.kinds == ["predictions", "outcomes"]
    assert server.bodies == [
        [
            {"prediction_id": "a", "timestamp": "2013-01-01T10:30:00Z", "model_version": "3",
             "inputs": {"x": 1}, "outputs": {"p": 0.7}},
            {"prediction_id": ids[1], "timestamp": "2013-01-01T10:31:00Z", "model_version": "3",
             "inputs": {"x": 2}, "outputs": {"p": 0.2}},
        ],
        [{"prediction_id": "a", "timestamp": "2013-01-01T10:30:00Z", "actual_outcome": 1}],
    ]  # fmt: skip


def test_a_missing_timestamp_is_the_time_of_logging(connect: Any, script: Any) -> None:
    server = script()
    client = connect(transport=server)
    before = datetime.now(UTC)
    prediction_id = client.log_prediction({}, {})
    client.log_outcome(prediction_id, 0)
    after = datetime.now(UTC)
    assert client.flush()
    times = [datetime.fromisoformat(row["timestamp"]) for body in server.bodies for row in body]
    assert before <= times[0] <= times[1] <= after


def test_later_changes_to_the_hosts_dicts_are_not_sent(connect: Any, script: Any) -> None:
    server = script()
    client = connect(transport=server, max_delay_s=NEVER_S)
    inputs, outputs = {"x": 1}, {"p": 0.7}
    client.log_prediction(inputs, outputs)
    inputs["x"], outputs["p"] = 2, 0.2
    assert client.flush()
    assert (server.bodies[0][0]["inputs"], server.bodies[0][0]["outputs"]) == ({"x": 1}, {"p": 0.7})


def test_values_are_converted_off_the_serving_thread(connect: Any, script: Any) -> None:
    read_by: list[str] = []

    class Scalar:
        def item(self) -> float:
            read_by.append(threading.current_thread().name)
            return 0.5

    client = connect(transport=script())
    client.log_prediction({"x": Scalar()}, {})
    assert client.flush()
    assert read_by == ["tocsin-client"]


@pytest.mark.parametrize(
    "record",
    [
        {"inputs": {}, "outputs": {}, "timestamp": NAIVE},
        {"inputs": {"x": object()}, "outputs": {}},
        {"inputs": 5, "outputs": {}},
        {"outputs": {}},
        {"inputs": {}, "outputs": {}, "prediction_id": 7},
        {"inputs": {}, "outputs": {}, "surprise": 1},
        "not a record",
        None,
    ],
)
def test_a_record_that_cannot_be_sent_is_counted_said_and_never_raised(
    record: Any, connect: Any, script: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = script()
    client = connect(transport=server)
    ids = client.log_predictions([record, {"inputs": {}, "outputs": {}, "prediction_id": "good"}])
    assert not client.flush()
    assert len(ids) == 2
    assert server.ids == [["good"]]
    assert (client.stats.logged, client.stats.sent, client.stats.rejected) == (2, 1, 1)
    assert client.stats.last_error
    assert [entry.levelno for entry in caplog.records if entry.name == "tocsin"] == [
        logging.WARNING
    ]


def test_an_outcome_that_cannot_be_sent_is_counted(connect: Any, script: Any) -> None:
    client = connect(transport=script())
    client.log_outcomes([{"actual_outcome": 1}, {"prediction_id": "a", "actual_outcome": 1}])
    client.log_outcome("b", 1, timestamp=NAIVE)
    client.flush()
    assert (client.stats.sent, client.stats.rejected) == (1, 2)


def test_a_full_queue_drops_new_rows_and_never_waits(connect: Any) -> None:
    server = Gate()
    client = connect(transport=server, max_queue=5, batch_rows=2)
    client.log_prediction({}, {}, "0")
    client.log_prediction({}, {}, "1")
    assert server.reached.wait(10)
    # The server answers nothing meanwhile: were there any waiting, this would never return.
    for number in range(2, 12):
        client.log_prediction({}, {}, str(number))
    assert (client.stats.queued, client.stats.dropped) == (5, 7)
    assert balanced(client)
    server.opened.set()
    assert not client.flush()
    assert (client.stats.sent, client.stats.queued) == (5, 0)
    assert client.flush()


def test_a_flush_gives_up_at_its_deadline(connect: Any) -> None:
    server = Gate()
    client = connect(transport=server)
    client.log_prediction({}, {})
    assert not client.flush(timeout_s=0.02)
    assert client.stats.queued == 1
    server.opened.set()
    assert client.flush()


def test_a_flush_with_nothing_logged_is_true_at_once(connect: Any, script: Any) -> None:
    assert connect(transport=script()).flush(timeout_s=0.0)


def test_close_gives_up_at_its_deadline_and_the_books_still_balance(
    connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = Gate()
    client = connect(transport=server, batch_rows=1)
    client.log_predictions([{"inputs": {}, "outputs": {}}] * 3)
    assert server.reached.wait(10)
    client.close(timeout_s=0.02)
    assert (client.stats.queued, client.stats.dropped) == (1, 2)
    assert balanced(client)
    assert "3 row(s) were not sent before the client closed" in caplog.text
    server.opened.set()
    client.flush()
    assert (client.stats.sent, client.stats.dropped, client.stats.queued) == (1, 2, 0)


def test_close_cuts_a_rest_short_for_one_more_try(connect: Any, script: Any) -> None:
    answered = threading.Event()

    def away(_: httpx2.Request) -> httpx2.Response:
        answered.set()
        return httpx2.Response(503, headers={"Retry-After": "3600"})

    server = script(away)
    client = connect(transport=server)
    client.log_prediction({}, {}, "a")
    assert answered.wait(10)
    client.close()
    assert server.ids == [["a"], ["a"]]
    assert client.stats.sent == 1


def test_close_does_not_hammer_a_server_that_stays_away(connect: Any, script: Any) -> None:
    server = script(*[httpx2.Response(503, headers={"Retry-After": "3600"})] * 1000)
    client = connect(transport=server, max_delay_s=0.0)
    client.log_prediction({}, {}, "a")
    assert not client.flush(timeout_s=0.05)
    client.close(timeout_s=0.05)
    assert len(server.requests) == 2
    assert client.stats.dropped == 1


def test_leaving_the_block_sends_what_waits_and_ends_the_thread(script: Any) -> None:
    server = script()
    before = threading.active_count()
    with Client(
        "http://tocsin.test", model="late", model_version="3", max_delay_s=NEVER_S, transport=server
    ) as client:
        client.log_prediction({}, {}, "a")
    assert server.ids == [["a"]]
    assert threading.active_count() == before


def test_close_waits_until_the_connections_are_closed(connect: Any, script: Any) -> None:
    class SlowToClose(script):
        closed = False

        def close(self) -> None:
            assert not threading.Event().wait(0.05)
            self.closed = True

    server = SlowToClose()
    client = connect(transport=server)
    client.log_prediction({}, {})
    client.close()
    assert server.closed


def test_a_row_is_sent_without_a_flush_once_it_is_old_enough(connect: Any) -> None:
    server = Gate()
    client = connect(transport=server, max_delay_s=0.01)
    server.opened.set()
    client.log_prediction({}, {})
    assert client.flush()
    server.reached.clear()
    assert not server.reached.wait(0.05)  # meanwhile the worker begins to wait for a first row
    client.log_prediction({}, {})
    assert server.reached.wait(10)


def test_a_full_batch_is_sent_without_a_flush_however_young(connect: Any) -> None:
    server = Gate()
    client = connect(transport=server, max_delay_s=NEVER_S, batch_rows=3)
    server.opened.set()
    client.log_predictions([{"inputs": {}, "outputs": {}}] * 2)
    assert not server.reached.wait(0.05)
    client.log_prediction({}, {})
    assert server.reached.wait(10)


def test_rows_logged_after_close_are_dropped(connect: Any, script: Any) -> None:
    server = script()
    client = connect(transport=server)
    client.close()
    client.close()
    client.log_prediction({}, {})
    assert (client.stats.logged, client.stats.dropped) == (1, 1)
    assert server.requests == []


def test_a_worker_that_was_killed_is_replaced(
    connect: Any, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: killed.set())

    def kill(_: httpx2.Request) -> httpx2.Response:
        raise SystemExit

    server = script(kill)
    client = connect(transport=server, max_delay_s=0.0)
    client.log_prediction({}, {}, "lost")
    for thread in threading.enumerate():
        if thread.name == "tocsin-client":
            thread.join(10)
    client.log_prediction({}, {}, "kept")
    client.flush()
    assert server.ids == [["lost"], ["kept"]]
    assert (client.stats.sent, client.stats.dropped) == (1, 1)


def test_many_threads_lose_nothing_and_each_keeps_its_order(connect: Any, script: Any) -> None:
    server = script()
    client = connect(transport=server, batch_rows=7, max_delay_s=0.001)

    def log(name: str) -> None:
        for number in range(100):
            client.log_prediction({}, {}, f"{name}{number:03}")

    threads = [threading.Thread(target=log, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush()
    arrived = [prediction_id for batch in server.ids for prediction_id in batch]
    assert len(arrived) == len(set(arrived)) == client.stats.sent == 400
    for name in "abcd":
        own = [prediction_id for prediction_id in arrived if prediction_id.startswith(name)]
        assert own == sorted(own)


@pytest.mark.parametrize(
    "options",
    [
        {"url": "nonsense"},
        {"model": ""},
        {"model_version": ""},
        {"model_version": 3},
        {"max_queue": 0},
        {"batch_rows": 0},
        {"max_delay_s": -1.0},
        {"exit_timeout_s": -1.0},
        {"request_timeout_s": 0.0},
    ],
)
def test_a_client_that_could_never_work_is_refused_at_once(options: dict[str, Any]) -> None:
    fine = {"url": "http://tocsin.test", "model": "late", "model_version": "3"}
    with pytest.raises(InvalidInputError):
        Client(**(fine | options))
