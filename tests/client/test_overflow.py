"""Rows that go to disk and come back, against a real server, real ends of processes, real disks."""

import logging
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.client.test_client import balanced

FLUSH_S = 20.0
AWAY = httpx2.Response(503, headers={"Retry-After": "3600"})


@pytest.fixture
def spill(tmp_path: Path) -> Path:
    return tmp_path / "spill"


def held(spill: Path) -> list[Path]:
    return sorted(spill.rglob("*.rows"))


def until(state: Callable[[], bool]) -> None:
    """Wait for another thread or process; a test that waits for ever is ended by its runner."""
    for _ in range(2_000):
        if state():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came to that")


def log(client: Any, start: int, stop: int) -> list[str]:
    return [client.log_prediction({"x": x}, {}, f"{x:06}") for x in range(start, stop)]


def test_a_full_queue_overflows_to_disk_and_all_arrives_in_order_when_the_server_is_back(
    loopback: Any, connect: Any, spill: Path
) -> None:
    client = connect(loopback.url, max_queue=100, batch_rows=10, spill_dir=spill)
    loopback.stop()
    ids: list[str] = []
    for start in range(0, 1000, 50):
        ids += log(client, start, start + 50)
        until(lambda: client.stats.queued < 60)
        assert balanced(client)
    assert client.stats.spilled >= 900
    assert client.stats.dropped == 0
    loopback.start()
    assert client.flush(FLUSH_S)
    assert loopback.arrived == ids
    assert (client.stats.sent, client.stats.spilled, client.stats.queued) == (1000, 0, 0)
    assert held(spill) == []


def test_without_a_folder_a_full_queue_drops(loopback: Any, connect: Any) -> None:
    client = connect(loopback.url, max_queue=100, batch_rows=10)
    loopback.stop()
    log(client, 0, 1000)
    assert client.stats.dropped == 900
    loopback.start()
    assert not client.flush(FLUSH_S)
    assert len(loopback.arrived) == client.stats.sent == 100


def test_the_server_is_told_once_of_what_was_dropped(
    loopback: Any, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(loopback.url, max_queue=5, max_delay_s=3600.0)
    log(client, 0, 12)
    loopback.answers.append((503, {}, {"Retry-After": "0"}))
    client.flush(FLUSH_S)
    log(client, 20, 21)
    client.flush(FLUSH_S)
    log(client, 30, 40)
    client.flush(FLUSH_S)
    log(client, 50, 51)
    client.flush(FLUSH_S)
    told = [headers.get("Tocsin-Dropped") for headers in loopback.headers]
    assert told == ["7", "7", None, "5", None]
    assert "7 row(s) were dropped here; the server was told" in caplog.text


def test_the_disk_is_bounded_and_what_exceeds_it_is_dropped(
    loopback: Any, connect: Any, spill: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(
        loopback.url, max_queue=100, batch_rows=10, spill_dir=spill, max_spill_bytes=10_000
    )
    loopback.stop()
    for start in range(0, 1000, 40):
        log(client, start, start + 40)
        until(lambda: client.stats.queued < 60 or "would hold more" in caplog.text)
    stats = client.stats
    assert balanced(client)
    assert 0 < stats.spilled < 100
    assert stats.dropped > 700
    assert sum(path.stat().st_size for path in held(spill)) <= 10_000
    assert "would hold more than max_spill_bytes" in caplog.text
    loopback.start()
    client.flush(FLUSH_S)
    assert client.stats.sent == 1000 - stats.dropped
    assert loopback.arrived == sorted(loopback.arrived)


def test_a_folder_that_cannot_be_written_hurts_nobody_and_is_said_once(
    loopback: Any, connect: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    client = connect(
        loopback.url, max_queue=10, batch_rows=2, spill_dir=tmp_path / "file" / "spill"
    )
    loopback.stop()
    log(client, 0, 10)
    until(lambda: "cannot be spilled" in caplog.text)
    log(client, 10, 30)
    assert (client.stats.queued, client.stats.dropped, client.stats.spilled) == (10, 20, 0)
    loopback.start()
    assert not client.flush(FLUSH_S)
    assert loopback.arrived == [f"{x:06}" for x in range(10)]
    said = [record for record in caplog.records if "cannot be spilled" in record.getMessage()]
    assert [record.levelno for record in said] == [logging.WARNING]


def test_a_disk_that_is_full_loses_nothing_that_memory_holds(
    loopback: Any, connect: Any, spill: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(loopback.url, max_queue=10, batch_rows=5, spill_dir=spill)
    loopback.stop()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        log(client, 0, 10)
        until(lambda: "cannot be spilled" in caplog.text)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (client.stats.queued, client.stats.spilled, client.stats.dropped) == (10, 0, 0)
    assert [path.name for path in spill.rglob("*") if path.is_file()] == ["lock"]
    loopback.start()
    assert client.flush(FLUSH_S)
    assert loopback.arrived == [f"{x:06}" for x in range(10)]


def test_a_corrupt_file_is_set_aside_and_the_next_is_sent(
    loopback: Any, connect: Any, spill: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(loopback.url, max_queue=10, batch_rows=5, spill_dir=spill)
    loopback.stop()
    log(client, 0, 5)
    until(lambda: client.stats.last_error is not None)  # the first batch is on its way
    log(client, 5, 10)
    until(lambda: len(held(spill)) == 1)
    log(client, 10, 15)
    until(lambda: len(held(spill)) == 2)
    held(spill)[0].write_bytes(b"scrambled")
    loopback.start()
    assert not client.flush(FLUSH_S)
    assert loopback.arrived == [f"{x:06}" for x in (*range(5), *range(10, 15))]
    assert (client.stats.sent, client.stats.dropped, client.stats.spilled) == (10, 5, 0)
    assert "does not begin as a spill file" in caplog.text
    assert [path.parent.name for path in held(spill)] == ["corrupt"]


def test_a_file_that_the_server_fails_at_is_set_aside_once_it_takes_others(
    loopback: Any, connect: Any, spill: Path
) -> None:
    client = connect(loopback.url, max_queue=10, batch_rows=5, spill_dir=spill)
    loopback.stop()
    log(client, 0, 5)
    until(lambda: client.stats.last_error is not None)  # the first batch is on its way
    log(client, 5, 10)
    until(lambda: len(held(spill)) == 1)
    log(client, 10, 15)
    until(lambda: len(held(spill)) == 2)
    log(client, 15, 20)
    until(lambda: len(held(spill)) == 3)
    loopback.faults = {"000005"}
    loopback.start()
    assert not client.flush(FLUSH_S)
    assert (client.stats.sent, client.stats.rejected, client.stats.spilled) == (15, 5, 0)
    assert [path.parent.name for path in held(spill)] == ["corrupt"]


def test_closing_spills_what_the_server_does_not_take(
    loopback: Any, connect: Any, spill: Path
) -> None:
    client = connect(loopback.url, spill_dir=spill, batch_rows=10)
    loopback.stop()
    ids = log(client, 0, 25)
    client.close(timeout_s=60.0)  # it does not take that long, for there is no hope
    assert (client.stats.spilled, client.stats.queued, client.stats.dropped) == (25, 0, 0)
    assert balanced(client)
    loopback.start()
    heir = connect(loopback.url, spill_dir=spill)
    until(lambda: heir.stats.recovered == 25)
    assert loopback.arrived == ids
    assert heir.stats.logged == heir.stats.sent == 0
    until(lambda: held(spill) == [])


def test_closing_spills_what_is_on_its_way_as_well(connect: Any, spill: Path, gate: Any) -> None:
    client = connect(transport=gate, spill_dir=spill)
    log(client, 0, 1)
    assert gate.reached.wait(10)
    client.close(timeout_s=0.02)
    assert (client.stats.spilled, client.stats.queued) == (1, 0)
    gate.opened.set()
    until(lambda: "tocsin-client" not in {thread.name for thread in threading.enumerate()})
    assert (client.stats.sent, client.stats.spilled) == (0, 1)
    assert balanced(client)


def test_a_repeated_request_from_disk_is_the_same_byte_for_byte(
    connect: Any, spill: Path, script: Any
) -> None:
    away = script(*[AWAY] * 1000)
    client = connect(transport=away, spill_dir=spill)
    log(client, 0, 3)
    client.close()
    back = script()
    heir = connect(transport=back, spill_dir=spill)
    until(lambda: heir.stats.recovered == 3)
    assert {request.content for request in away.requests} == {back.requests[0].content}


LOGGER = """
import sys, tocsin
url, spill, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
client = tocsin.Client(url, model="late", model_version="3", max_queue=100, batch_rows=10,
                       spill_dir=spill, exit_timeout_s={exit_timeout_s})
for x in range(first, last):
    client.log_prediction({{"x": x}}, {{}}, f"{{x:06}}")
    while client.stats.queued > 60:
        pass
print(client.stats.spilled, flush=True)
{then}
"""


def started(url: str, spill: Path, rows: range, then: str) -> subprocess.Popen[str]:
    code = LOGGER.format(exit_timeout_s=0.2, then=then)
    return subprocess.Popen(
        [sys.executable, "-c", code, url, str(spill), str(rows.start), str(rows.stop)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_end_of_a_process_leaves_its_rows_to_the_next(
    loopback: Any, connect: Any, spill: Path
) -> None:
    loopback.stop()
    with started(loopback.url, spill, range(200), then="") as process:
        assert process.wait(30) == 0
    loopback.start()
    heir = connect(loopback.url, spill_dir=spill)
    until(lambda: heir.stats.recovered == 200)
    assert loopback.arrived == [f"{x:06}" for x in range(200)]


def test_rows_spilled_by_a_killed_process_are_sent_by_the_next(
    loopback: Any, connect: Any, spill: Path
) -> None:
    loopback.stop()
    with started(loopback.url, spill, range(200), then="import time; time.sleep(60)") as process:
        assert process.stdout is not None
        spilled = int(process.stdout.readline())
        assert spilled >= 130
        # As long as it lives, its files are its own.
        loopback.start()
        other = connect("http://127.0.0.1:9", spill_dir=spill)
        assert other._delivery._overflow._spill.adopt() == 0
        loopback.stop()
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
    kept = [path.name for path in held(spill)]
    loopback.start()
    loopback.received.clear()
    heir = connect(loopback.url, spill_dir=spill)
    rows = sum(int(name.split("-")[3].split(".")[0]) for name in kept)
    # A file is gone a moment before its rows are counted.
    until(lambda: heir.stats.recovered >= rows and held(spill) == [])
    assert heir.stats.recovered == rows >= spilled
    assert loopback.arrived == sorted(set(loopback.arrived))


def test_two_heirs_send_nothing_twice(loopback: Any, connect: Any, spill: Path) -> None:
    loopback.stop()
    parts = [range(100), range(100, 200), range(200, 300)]
    for part in parts:
        with started(loopback.url, spill, part, then="") as process:
            assert process.wait(30) == 0
    loopback.start()
    heirs = [connect(loopback.url, spill_dir=spill) for _ in range(3)]
    until(lambda: sum(heir.stats.recovered for heir in heirs) == 300)
    assert sorted(loopback.arrived) == [f"{x:06}" for x in range(300)]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_spills_into_a_folder_of_its_own(
    loopback: Any, connect: Any, spill: Path
) -> None:
    client = connect(loopback.url, spill_dir=spill, max_queue=10, batch_rows=5)
    loopback.stop()
    log(client, 0, 10)
    until(lambda: client.stats.spilled > 0)
    child = os.fork()
    if child == 0:
        log(client, 100, 103)
        client.close(0.0)
        os._exit(client.stats.spilled)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert len({path.parent for path in held(spill)}) == 2
    loopback.start()
    assert client.flush(FLUSH_S)
    assert loopback.arrived == [f"{x:06}" for x in range(10)]
    client._delivery._overflow._look_at = 0.0
    log(client, 10, 11)
    until(lambda: client.stats.recovered == 3)
