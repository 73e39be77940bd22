"""Requests that are stored together are answered each by itself."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection
from tests.world import Feed, prediction

from tocsin.errors import UnavailableError
from tocsin.records import Records
from tocsin.records.positions import Move
from tocsin.service.clock import wall_clock
from tocsin.service.decoding import Body
from tocsin.service.ingest import Ingest, Receipt, Request


class OneWrite:
    """Records whose disk is full after one transaction."""

    def __init__(self, records: Records) -> None:
        self.read = records.read
        self._write = records.write
        self._full = False

    @contextmanager
    def write(self) -> Iterator[Connection]:
        if self._full:
            raise UnavailableError("the disk is full")
        self._full = True
        with self._write() as connection:
            yield connection


def test_what_was_stored_is_said_even_if_the_next_rows_could_not_be(feed: Feed) -> None:
    app = feed.app
    ingest = Ingest(OneWrite(app.records), wall_clock, app.room, b"key")  # type: ignore[arg-type]
    body = Body(json.dumps([prediction("a")]).encode())
    stored, refused = ingest.accept_all(
        [
            Request("late", "predictions", body),
            Request("late", "predictions", body, move=Move("file", "", "1")),
        ]
    )
    assert isinstance(stored, Receipt)
    assert stored.accepted == 1
    assert isinstance(refused, UnavailableError)


def test_each_request_is_told_of_its_own_rows(feed: Feed) -> None:
    nameless = {k: v for k, v in prediction("").items() if k != "prediction_id"}
    bodies = [[prediction("a")], [nameless, prediction("b", p=9)], [], [prediction("c", p=8)] * 2]
    answers = feed.app.ingest.accept_all(
        [Request("late", "predictions", Body(json.dumps(rows).encode())) for rows in bodies]
    )
    receipts = [answer for answer in answers if isinstance(answer, Receipt)]
    assert [(r.accepted, r.quarantined) for r in receipts] == [(1, 0), (1, 1), (0, 0), (0, 2)]
    assert [[row for row, _ in r.reasons] for r in receipts] == [[], [1], [], [0, 1]]
    assert [[row for row, _ in r.assigned] for r in receipts] == [[], [0], [], []]
