"""When nothing can be stored, everybody is told, nothing is lost, and all goes on by itself."""

import logging
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from tests.servers import serving
from tests.world import Feed, monitor_document, prediction, reference

from tocsin.app import App, opened
from tocsin.settings import Settings

ENOUGH_S = 40.0
Trouble = Callable[[App], Any]


@dataclass
class Client:
    """Sends predictions until each is acknowledged, and notes how it was refused meanwhile."""

    url: str
    name: str
    enough: threading.Event
    acknowledged: int = 0
    refused: list[httpx2.Response] = field(default_factory=list)

    def run(self) -> None:
        with httpx2.Client(base_url=self.url, timeout=60) as http:
            while not self.enough.is_set():
                records = [
                    prediction(f"{self.name}-{self.acknowledged + i}", carrier="B6", p=0.25)
                    for i in range(20)
                ]
                answer = http.post("/api/v1/models/late/predictions", json=records)
                if answer.status_code == 202:
                    self.acknowledged += 20
                else:
                    self.refused.append(answer)
                    # A patient client would wait for longer than the tests.
                    time.sleep(0.02)


def until(happened: Callable[[], Any]) -> Any:
    """What `happened` says, once it is something."""
    deadline = time.monotonic() + ENOUGH_S
    while not (found := happened()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


@contextmanager
def ended(enough: threading.Event) -> Iterator[None]:
    """Clients end with the block, however it ends."""
    try:
        yield
    finally:
        enough.set()


FULL = threading.Event()


def limit(connection: sa.Connection) -> None:
    """While `FULL` is set SQLite may have no more pages than it has, and says so of the disk."""
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar() if FULL.is_set() else 2**30
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


@contextmanager
def full_disk(_: App) -> Iterator[None]:
    FULL.set()
    try:
        yield
    finally:
        FULL.clear()


@contextmanager
def no_room(app: App) -> Iterator[None]:
    real, app.room._free = app.room._free, lambda _: 10 * 2**20
    try:
        yield
    finally:
        app.room._free = real


@contextmanager
def lock_of_another(app: App) -> Iterator[None]:
    """Another program has begun to write into the records and does not end it."""
    other = sqlite3.connect(app.settings.data / "records.db", isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


@contextmanager
def nothing_folded(app: App) -> Iterator[None]:
    with app.worker._working:
        yield


TROUBLES: dict[str, tuple[Trouble, str]] = {
    "a full disk": (full_disk, "database or disk is full"),
    "a disk that is nearly full": (no_room, "has 10 MB left; free some"),
    "a lock that somebody holds": (lock_of_another, "database is locked"),
    "an inbox that nobody empties": (nothing_folded, "(TOCSIN_INBOX_MB)"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_is_told_and_passes_without_a_restart(settings: Settings, name: str) -> None:
    begin, said = TROUBLES[name]
    enough = threading.Event()
    with (
        opened(replace(settings, inbox_bytes=200_000)) as app,
        ThreadPoolExecutor(3) as pool,
        ended(enough),
    ):
        # Before anything runs: SQLAlchemy walks its listeners without a lock.
        sa.event.listen(app.records._engine, "begin", limit)
        app.register.add("late", monitor_document(), reference(300))
        with serving(app) as url, httpx2.Client(base_url=url, timeout=60) as http:
            clients = [Client(url, f"c{i}", enough) for i in range(3)]
            running = [pool.submit(client.run) for client in clients]
            until(lambda: all(client.acknowledged for client in clients))
            assert http.get("/ready").status_code == 200

            with begin(app):
                refused = until(lambda: [r for client in clients for r in client.refused])
                for answer in refused:
                    assert answer.status_code == 503
                    assert int(answer.headers["retry-after"]) >= 1
                    assert answer.json()["error"]["type"] == "Unavailable"
                assert said in refused[0].json()["error"]["message"]
                asked = time.monotonic()
                assert http.get("/health").status_code == 200
                assert time.monotonic() - asked < 4
                ready = http.get("/ready")
                assert ready.status_code == 503
                assert said in " ".join(ready.json()["reasons"])
                assert http.get("/api/v1/models/late").status_code == 200

            done = [client.acknowledged for client in clients]
            until(lambda: all(c.acknowledged > n for c, n in zip(clients, done, strict=True)))
            until(lambda: http.get("/ready").status_code == 200)
            enough.set()
            for each in running:
                each.result()
        feed = Feed(app, "late")
        feed.work()

        # An acknowledged row is there; one that was refused is there at most once.
        total = sum(client.acknowledged for client in clients)
        assert total <= feed.total("n") <= total + 20 * len(clients)
        with app.records.read() as connection:
            assert connection.execute(sa.text("PRAGMA integrity_check")).scalar() == "ok"
        assert app.rebuild.rebuild("late") == feed.total("n")


def test_many_who_wait_for_a_lock_keep_nobody_from_asking_whether_the_server_lives(
    feed: Feed,
) -> None:
    with serving(feed.app) as url, ThreadPoolExecutor(40) as pool:
        with lock_of_another(feed.app):
            waiting = [pool.submit(httpx2.get, f"{url}/ready", timeout=60) for _ in range(40)]
            asked = time.monotonic()
            assert httpx2.get(f"{url}/health", timeout=60).json() == {"status": "ok"}
            assert time.monotonic() - asked < 3
        assert all(each.result().status_code in (200, 503) for each in waiting)


def test_a_client_that_goes_away_in_the_middle_of_a_body_leaves_nothing(
    feed: Feed, caplog: pytest.LogCaptureFixture
) -> None:
    head = (
        b"POST /api/v1/models/late/predictions HTTP/1.1\r\nhost: t\r\n"
        b"content-length: 100000\r\n\r\n[{"
    )
    with serving(feed.app) as url, caplog.at_level(logging.WARNING):
        port = int(url.rpartition(":")[2])
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(head)
        answer = httpx2.post(f"{url}/api/v1/models/late/predictions", json=[prediction("a")])
        assert answer.status_code == 202
    feed.work()

    assert feed.total("n") == 1
    assert [record.getMessage() for record in caplog.records] == []
