"""The client against a real socket, a real fork and a real end of a process."""

import os
import subprocess
import sys
from typing import Any

import pytest

FLUSH_S = 10.0
NOW = {"Retry-After": "0"}


def forks(test: Any) -> Any:
    ignored = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
    return pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")(ignored(test))


def test_rows_reach_the_server_in_order(loopback: Any, connect: Any) -> None:
    client = connect(loopback.url, batch_rows=10)
    ids = client.log_predictions([{"inputs": {"x": x}, "outputs": {}} for x in range(25)])
    client.log_outcomes(
        [{"prediction_id": prediction_id, "actual_outcome": 1} for prediction_id in ids]
    )
    assert client.flush(FLUSH_S)
    paths = [path for path, _ in loopback.received]
    assert paths == ["/api/v1/models/late/predictions"] * 3 + ["/api/v1/models/late/outcomes"] * 3
    assert [row["inputs"]["x"] for _, rows in loopback.received[:3] for row in rows] == [*range(25)]
    assert [one for batch in loopback.ids for one in batch] == ids + ids
    assert client.stats.sent == client.stats.logged == 50
    assert {agent.partition("/")[0] for agent in loopback.agents} == {"tocsin"}


def test_503_then_success_sends_the_same_ids_once_more(loopback: Any, connect: Any) -> None:
    loopback.answers.append((503, {"error": {"message": "starting"}}, NOW))
    client = connect(loopback.url)
    ids = client.log_predictions([{"inputs": {}, "outputs": {}}] * 3)
    assert client.flush(FLUSH_S)
    assert loopback.ids == [ids, ids]
    assert (client.stats.sent, client.stats.retries) == (3, 1)
    assert client.stats.last_error == "503: starting"


def test_400_is_not_tried_again(loopback: Any, connect: Any) -> None:
    loopback.answers.append((400, {"error": {"message": "bad row at byte 7"}}, {}))
    client = connect(loopback.url)
    client.log_prediction({}, {})
    assert not client.flush(FLUSH_S)
    client.log_prediction({}, {}, "next")
    assert client.flush(FLUSH_S)
    assert len(loopback.received) == 2
    assert (client.stats.rejected, client.stats.sent, client.stats.retries) == (1, 1, 0)
    assert client.stats.last_error == "400: bad row at byte 7"


def test_a_server_that_goes_and_comes_back_gets_every_row(loopback: Any, connect: Any) -> None:
    client = connect(loopback.url)
    client.log_prediction({}, {}, "before")
    assert client.flush(FLUSH_S)
    loopback.stop()
    client.log_prediction({}, {}, "during")
    client.log_outcome("before", 1)
    assert not client.flush(timeout_s=0.3)
    assert client.stats.queued == 2
    loopback.start()
    client.log_prediction({}, {}, "after")
    assert client.flush(FLUSH_S)
    assert loopback.ids == [["before"], ["during"], ["before"], ["after"]]
    assert client.stats.sent == 4
    assert client.stats.retries >= 1


@forks
def test_a_forked_child_sends_its_own_rows_and_none_of_its_parents(
    loopback: Any, connect: Any
) -> None:
    client = connect(loopback.url, max_delay_s=3600.0)
    client.log_prediction({}, {}, "sent before")
    assert client.flush(FLUSH_S)
    client.log_prediction({}, {}, "parent")
    child = os.fork()
    if child == 0:
        # No assert here: only the status says how it went, and pytest must not run on.
        clean = client.stats.logged == 0
        client.log_prediction({}, {}, "child")
        os._exit(0 if clean and client.flush(FLUSH_S) and client.stats.sent == 1 else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert loopback.ids == [["sent before"], ["child"]]
    assert client.flush(FLUSH_S)
    assert loopback.ids == [["sent before"], ["child"], ["parent"]]
    assert client.stats.sent == 2


@forks
def test_a_fork_while_another_thread_logs_leaves_no_lock_held(connect: Any, script: Any) -> None:
    client = connect(transport=script(), max_delay_s=3600.0)
    with client._delivery._queue._changed, client._delivery._starting:
        child = os.fork()
        if child == 0:
            client.log_prediction({}, {}, "child")
            os._exit(0 if client.flush(FLUSH_S) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def run(code: str, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, url],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


FORGOTTEN = """
import sys, tocsin
def serve():
    client = tocsin.Client(sys.argv[1], model="late", model_version="3", max_delay_s=3600.0,
                           exit_timeout_s=float({exit_timeout_s}))
    client.log_prediction({{"x": 1}}, {{"p": 0.7}}, "last words")
serve()
"""


def test_the_end_of_the_process_sends_what_a_forgotten_client_holds(loopback: Any) -> None:
    ended = run(FORGOTTEN.format(exit_timeout_s=10), loopback.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert loopback.ids == [["last words"]]


def test_the_end_of_the_process_does_not_wait_for_a_server_that_is_away(loopback: Any) -> None:
    loopback.stop()
    ended = run(FORGOTTEN.format(exit_timeout_s=0.2), loopback.url)
    loopback.start()
    assert ended.returncode == 0
    assert "1 row(s) were not sent before the client closed" in ended.stderr
    assert loopback.received == []
