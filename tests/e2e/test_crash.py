"""kill -9 at random moments of a running ingest: every acknowledged row counts exactly once."""

import json
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from tests.servers import Server
from tests.world import HOUR, START, Feed, flights, monitor_document, outcome, prediction, reference

from tocsin.app import opened
from tocsin.settings import Settings

KILLS = 20
BATCH = 40


@dataclass
class Sender:
    """A client that repeats each batch with the same ids until it is acknowledged."""

    url: str
    name: str
    stop: threading.Event
    acknowledged: list[tuple[str, float, int]] = field(default_factory=list)
    corrections: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        batch = 0
        with httpx2.Client(base_url=f"{self.url}/api/v1/models/late", timeout=10) as http:
            while not self.stop.is_set():
                made = flights(BATCH, seed=batch)
                ids = [f"{self.name}-{batch}-{i}" for i in range(BATCH)]
                at = START + HOUR * (batch % 200)
                self._send(http, "predictions", [
                    prediction(ids[i], timestamp=at, distance=float(made.distance[i]),
                               carrier=str(made.carrier[i]), p=float(made.score[i]))
                    for i in range(BATCH)
                ])  # fmt: skip
                labels = [int(label) for label in made.late]
                self._send(http, "outcomes", [
                    outcome(ids[i], labels[i], timestamp=at + HOUR) for i in range(BATCH)
                ])  # fmt: skip
                # Every tenth is corrected, and the whole first request is sent again.
                self._send(http, "outcomes", [
                    outcome(ids[i], 1 - labels[i], timestamp=at + 2 * HOUR)
                    for i in range(0, BATCH, 10)
                ])  # fmt: skip
                self._send(http, "predictions", [
                    prediction(ids[i], timestamp=at) for i in range(0, BATCH, 5)
                ])  # fmt: skip
                for i in range(BATCH):
                    label = 1 - labels[i] if i % 10 == 0 else labels[i]
                    self.acknowledged.append((ids[i], float(made.score[i]), label))
                batch += 1

    def _send(self, http: httpx2.Client, kind: str, records: list[dict[str, Any]]) -> None:
        body = json.dumps(records)
        while True:
            try:
                answer = http.post(f"/{kind}", content=body)
            except httpx2.TransportError:
                time.sleep(0.01)
                continue
            assert answer.status_code == 202, answer.text
            return


def test_every_acknowledged_row_is_counted_once_after_twenty_kills(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    where = Settings(folder, "127.0.0.1", 1, "http://tocsin.test", None)
    with opened(where) as app:
        app.register.add("late", monitor_document(), reference(1_000))

    chance = random.Random(7)
    stop = threading.Event()
    with Server(folder) as server:
        senders = [Sender(server.url, name, stop) for name in ("a", "b", "c")]
        threads = [threading.Thread(target=sender.run) for sender in senders]
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.05, 0.8))
            server.kill()
            server.start()
        stop.set()
        for thread in threads:
            thread.join()
        server.caught_up()
        summary = server.get("/models/late/summary")

    acknowledged = [row for sender in senders for row in sender.acknowledged]
    assert len(acknowledged) > 1_000
    with opened(where) as app:
        feed = Feed(app, "late")
        assert feed.total("n") == len(acknowledged)
        assert feed.total("labelled") == len(acknowledged)
        assert feed.total("label") == sum(label for _, _, label in acknowledged)
        scores = sum(score for _, score, _ in acknowledged)
        np.testing.assert_allclose(feed.total("score"), scores, rtol=1e-9)
        before = feed.profiles()
        app.rebuild.rebuild("late")
        after = feed.profiles()
        assert before.keys() == after.keys()
        for key, vector in before.items():
            np.testing.assert_allclose(after[key], vector, rtol=1e-9, atol=1e-9)
    assert summary["repeated"] > 0
