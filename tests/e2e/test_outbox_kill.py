"""kill -9 of processes that deliver: no message is lost, none overtakes another."""

import http.server
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.e2e.outbox_worker import records_at
from tests.sources.postgres import postgres

from tocsin.records import outbox
from tocsin.records.outbox import Receiver
from tocsin.records.tables import metadata
from tocsin.service.clock import wall_clock

WORKER = Path(__file__).with_name("outbox_worker.py")
# What an episode tells; the payloads do not say of which, so that nothing takes another's place.
EVENTS = ("fired", "acknowledged", "resolved")


@contextmanager
def receiver() -> Iterator[tuple[str, list[str]]]:
    """An address, and the ids of what came there in the order in which it came."""
    came: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            came.append(self.headers["webhook-id"])
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):  # whoever asked was killed
                super().handle()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", came
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Workers:
    """Processes that deliver, each replaced when it ends."""

    place: str
    lease_s: float
    chance: float
    number: int
    kills: int = 0
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def keep(self, most_kills: int) -> None:
        for i, process in enumerate(self.running):
            if process.poll() is not None:
                assert process.returncode == -signal.SIGKILL, process.returncode
                self.kills += 1
                self.running[i] = self._started(most_kills)
        while len(self.running) < self.number:
            self.running.append(self._started(most_kills))

    def kill_one(self) -> None:
        random.choice(self.running).send_signal(signal.SIGKILL)

    def end(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()

    def _started(self, most_kills: int) -> "subprocess.Popen[bytes]":
        chance = self.chance if self.kills < most_kills else 0.0
        return subprocess.Popen(
            [sys.executable, str(WORKER), self.place, str(self.lease_s), str(chance)],
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )


def delivered_under_fire(
    place: str, *, messages: int, kills: int, chance: float, lease_s: float, workers: int
) -> dict[str, int]:
    """What came of it: kills, lost, out of order, repeats."""
    records = records_at(place)
    expected = [f"e{i // 3}.{EVENTS[i % 3]}" for i in range(messages)]
    with receiver() as (url, came):
        with records.write() as connection:
            outbox.set_receiver(connection, Receiver("hook", "webhook", {"url": url}))
            for message_id in expected:
                episode, event = message_id.split(".")
                outbox.put(
                    connection,
                    receiver="hook",
                    order_key=f"hook/{episode}",
                    message_id=message_id,
                    payload={"event": event, "title": message_id},
                    now=wall_clock(),
                )
        senders = Workers(place, lease_s, chance, workers)
        deadline = time.monotonic() + 60 + messages
        try:
            while time.monotonic() < deadline:
                senders.keep(kills)
                time.sleep(0.05)
                if senders.kills < kills and random.random() < 0.02:
                    senders.kill_one()
                with records.read() as connection:
                    states = outbox.by_state(connection)
                if states == {"delivered": messages}:
                    break
        finally:
            senders.end()
            records.close()
    assert states == {"delivered": messages}
    return {
        "kills": senders.kills,
        "lost": len(set(expected) - set(came)),
        "out of order": out_of_order(came),
        "repeats": len(came) - len(set(came)),
        "strangers": len(set(came) - set(expected)),
    }


def out_of_order(came: list[str]) -> int:
    """How many came after something that follows them, repeats included."""
    furthest: dict[str, int] = defaultdict(int)
    wrong = 0
    for message_id in came:
        episode, event = message_id.split(".")
        at = EVENTS.index(event)
        wrong += at < furthest[episode]
        furthest[episode] = max(furthest[episode], at)
    return wrong


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield str(folder / "records.db")
        return
    with postgres() as address:
        engine = sa.create_engine(address)
        metadata.create_all(engine)
        engine.dispose()
        yield address


def check(found: dict[str, int], *, kills: int) -> None:
    print(found)  # noqa: T201 - quoted in the documentation
    assert found["kills"] >= kills
    assert (found["lost"], found["out of order"], found["strangers"]) == (0, 0, 0)


def test_the_measure_of_order_sees_what_is_out_of_order() -> None:
    assert out_of_order(["a.fired", "b.fired", "a.fired", "a.acknowledged", "a.resolved"]) == 0
    assert out_of_order(["a.resolved", "a.fired"]) == 1
    assert out_of_order(["a.fired", "a.acknowledged", "a.fired"]) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_killed_senders_lose_nothing_and_keep_the_order(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path) as place:
        found = delivered_under_fire(
            place, messages=45, kills=3, chance=0.06, lease_s=1.5, workers=3
        )
    check(found, kills=1)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_nine_hundred_messages_survive_twenty_five_kills(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path) as place:
        found = delivered_under_fire(
            place, messages=900, kills=25, chance=0.025, lease_s=10, workers=6
        )
    check(found, kills=25)
