"""Clients in processes of their own, which repeat each request until it is acknowledged."""

import json
import multiprocessing
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import httpx2
from tests.api.formats import FORMS
from tests.world import HOUR, START, flights, outcome, prediction

BATCH = 40
VERSIONS = ("1", "2")
_FORMS = [name for name in FORMS if "request" not in name]
_OF_OUTCOMES = [name for name in _FORMS if not name.startswith(("dataframe_", "instances"))]


@dataclass
class Sender:
    """One client. log: what was acknowledged, in order: (what, whose, when, what it says)."""

    url: str
    name: str
    stop: Event
    seed: int
    log: list[tuple[str, str, str, Any]] = field(default_factory=list)

    def run(self) -> None:
        chance = random.Random(self.seed)
        batch = 0
        with httpx2.Client(base_url=f"{self.url}/api/v1/models/late", timeout=60) as http:
            while not self.stop.is_set():
                self._batch(http, chance, batch)
                batch += 1

    def _batch(self, http: httpx2.Client, chance: random.Random, batch: int) -> None:
        made = flights(BATCH, seed=self.seed * 10_000 + batch)
        at = START + HOUR * (batch % 200)
        rows = [
            prediction(
                f"{self.name}-{batch}-{i}",
                timestamp=at,
                distance=float(made.distance[i]) if i % 7 else None,
                carrier=str(made.carrier[i]),
                p=float(made.score[i]),
                model_version=VERSIONS[i % 2],
            )
            for i in range(BATCH)
        ]
        told = [
            outcome(row["prediction_id"], int(label), timestamp=at + HOUR)
            for row, label in zip(rows, made.late, strict=True)
        ]
        if chance.random() < 0.3:
            # The truth is sometimes there first.
            self._outcomes(http, chance, told)
            self._predictions(http, chance, rows)
        else:
            self._predictions(http, chance, rows)
            self._outcomes(http, chance, told[: chance.randrange(1, BATCH)])
        self._change(http, chance, rows, at)

    def _change(
        self, http: httpx2.Client, chance: random.Random, rows: list[dict[str, Any]], at: datetime
    ) -> None:
        """Correct some outcomes, take some back, repeat predictions, erase one."""
        corrected, deleted = chance.sample(rows, 6), chance.sample(rows, 4)
        # At one time as well: the later request counts.
        when = at + HOUR * chance.choice([1, 2])
        self._outcomes(
            http, chance, [outcome(r["prediction_id"], i % 2, timestamp=when)
                           for i, r in enumerate(corrected)],
        )  # fmt: skip
        self._outcomes(
            http, chance, [{**outcome(r["prediction_id"], None, timestamp=when), "deleted": True}
                           for r in deleted],
        )  # fmt: skip
        again = chance.sample(rows, 5)
        self._predictions(http, chance, [{**row, "outputs": {"p": 0.125}} for row in again])
        if chance.random() < 0.1:
            gone = rows[0]["prediction_id"]
            body = json.dumps({"prediction_ids": [gone]}).encode()
            self._until_acknowledged(http, "erase", body, {"content-type": "application/json"})
            self.log.append(("erase", gone, "", None))

    def _predictions(
        self, http: httpx2.Client, chance: random.Random, rows: list[dict[str, Any]]
    ) -> None:
        form = FORMS[chance.choice(_FORMS)]
        (body,) = form.bodies(rows)
        self._until_acknowledged(http, "predictions", body, form.headers)
        for row in rows:
            said = [row["inputs"]["distance"], row["inputs"]["carrier"], row["outputs"]["p"]]
            what = [row["model_version"], *said]
            self.log.append(("predict", row["prediction_id"], row["timestamp"], what))

    def _outcomes(
        self, http: httpx2.Client, chance: random.Random, told: list[dict[str, Any]]
    ) -> None:
        form = FORMS[chance.choice(_OF_OUTCOMES)]
        (body,) = form.bodies(told)
        self._until_acknowledged(http, "outcomes", body, form.headers)
        for row in told:
            label = None if row.get("deleted") else row["actual_outcome"]
            self.log.append(("tell", row["prediction_id"], row["timestamp"], label))

    def _until_acknowledged(
        self, http: httpx2.Client, path: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        while True:
            try:
                answer = http.post(f"/{path}", content=body, headers=headers)
            except httpx2.TransportError:
                time.sleep(0.01)
                continue
            if answer.status_code == 503:
                time.sleep(0.1)
                continue
            assert answer.status_code == 202, answer.text
            assert answer.json().get("quarantined", 0) == 0, answer.text
            return


def _run(url: str, name: str, stop: Event, threads: int, folder: Path) -> None:
    seeds = [sum(name.encode()) * 100 + i for i in range(threads)]
    senders = [Sender(url, f"{name}{i}", stop, seed) for i, seed in enumerate(seeds)]
    with ThreadPoolExecutor(threads) as pool:
        for running in [pool.submit(sender.run) for sender in senders]:
            running.result()
    for sender in senders:
        (folder / f"{sender.name}.json").write_text(json.dumps(sender.log))


@dataclass
class Clients:
    """Processes of senders; what each sender got acknowledged is in a file of `folder`."""

    url: str
    folder: Path
    processes: int = 2
    threads: int = 2

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._running = [
            context.Process(
                target=_run, args=(self.url, name, self._stop, self.threads, self.folder)
            )
            for name in "abcdefgh"[: self.processes]
        ]
        for process in self._running:
            process.start()

    def stop(self) -> list[list[tuple[str, str, str, Any]]]:
        """The logs of all senders, once each has what it sent acknowledged."""
        self._stop.set()
        for process in self._running:
            process.join()
        assert [process.exitcode for process in self._running] == [0] * self.processes
        logs = [json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))]
        assert len(logs) == self.processes * self.threads
        return logs
