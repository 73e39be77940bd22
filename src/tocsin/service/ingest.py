"""Accept rows: decoded, checked, and durable before the answer."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

from tocsin.declared import Monitor, parse_monitor
from tocsin.errors import (
    InvalidInputError,
    SourceMovedError,
    TocsinError,
    UnavailableError,
    UnknownModelError,
)
from tocsin.lake import Table
from tocsin.records import Records, inbox, models, positions, profiled_days
from tocsin.records.deletions import Deletion
from tocsin.service.clock import Clock
from tocsin.service.decoding import (
    Body,
    Decoded,
    Reading,
    Rows,
    given,
    outcomes,
    predictions,
    records_of,
    scrubbed,
)
from tocsin.service.recent import Recent
from tocsin.service.room import Room

Kind = Literal["predictions", "outcomes"]
_DECODE = {"predictions": predictions, "outcomes": outcomes}
_ONE = {"predictions": "a prediction", "outcomes": "an outcome"}


@dataclass(frozen=True)
class Request:
    """Rows that somebody sends.

    dropped: how many more the sender had to let go of before. move: how far a source is read with
    them.
    """

    model: str
    kind: Kind
    body: Body
    dropped: int = 0
    move: positions.Move | None = None


@dataclass(frozen=True)
class Receipt:
    """What became of a request's rows.

    accepted: that fit, `repeated` of them known before and so not counted again. outcomes: that
    came with predictions. reasons: (row, reason) of those in quarantine. assigned: (row, id) of ids
    made here.
    """

    accepted: int
    repeated: int
    quarantined: int
    outcomes: int
    reasons: tuple[tuple[int, str], ...]
    assigned: tuple[tuple[int, str], ...]


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows of one or more requests that were decoded together.

    requests: (number of the request, its rows) in order. dropped: by their senders, before.
    """

    model: int
    name: str
    kind: Kind
    decoded: Decoded
    requests: tuple[tuple[int, int], ...]
    dropped: int
    move: positions.Move | None


class Ingest:
    """Takes request bodies into the inbox."""

    def __init__(self, records: Records, clock: Clock, room: Room, hash_key: bytes) -> None:
        self._records = records
        self._clock = clock
        self._room = room
        self._hash_key = hash_key
        self._parsed: dict[int, tuple[dict[str, Any], Monitor]] = {}
        self._recent = Recent()

    def accept(self, model: str, kind: Kind, body: Body | bytes) -> Receipt:
        """Store a body's rows; when this returns, a crash cannot lose them.

        Raises: UnknownModelError, MalformedBodyError, BodyTooLargeError, UnknownFormatError;
        InvalidInputError when the model has the rows of a table; UnavailableError.
        """
        body = Body(body) if isinstance(body, bytes) else body
        (answer,) = self.accept_all([Request(model, kind, body)])
        if isinstance(answer, TocsinError):
            raise answer
        return answer

    def accept_all(self, requests: Sequence[Request]) -> list[Receipt | TocsinError]:
        """Store the rows of several requests in one commit; what became of each.

        Rows of a source have a commit of their own, as its position may be refused.
        Raises: UnavailableError when nothing can be stored now.
        """
        self._room.check()
        numbered = list(enumerate(requests))
        answers = self._accept([pair for pair in numbered if pair[1].move is None])
        for number, request in numbered:
            if request.move is not None:
                try:
                    answers |= self._accept([(number, request)])
                except (SourceMovedError, UnavailableError) as error:
                    # Those before it are stored, and their senders have to know.
                    answers[number] = error
        return [answers[number] for number, _ in numbered]

    def _accept(self, requests: Sequence[tuple[int, Request]]) -> dict[int, Receipt | TocsinError]:
        """Store numbered requests in one commit; what became of each."""
        now = self._clock()
        answers: dict[int, Receipt | TocsinError] = {}
        parts: list[_Part] = []
        ordered = sorted(requests, key=lambda pair: _of_one(pair[1]))
        for (model, kind), group in groupby(ordered, key=lambda pair: _of_one(pair[1])):
            of_model = dict(group)
            try:
                self._room.check(model)
                model_id, monitor = self._monitor(model)
            except TocsinError as error:
                answers |= dict.fromkeys(of_model, error)
                continue
            by = Reading(monitor.schema, monitor.version, now, monitor.skew)
            found = {
                number: scrubbed(rows, monitor.privacy, self._hash_key)
                for number, rows in _read(of_model, answers).items()
            }
            parts += _parts(found, of_model, model_id, kind, by)
        stored = self._store(parts, now)
        for part in parts:
            if part.model in stored:
                answers |= self._receipts(part)
            else:
                gone = UnknownModelError(part.name)
                answers |= dict.fromkeys((number for number, _ in part.requests), gone)
        return answers

    def forget(self, deletion: Deletion) -> None:
        """Let go of what is remembered of a model that is deleted."""
        self._parsed.pop(deletion.model_id, None)
        self._recent.forget(deletion.model_id)

    def _monitor(self, model: str) -> tuple[int, Monitor]:
        with self._records.read() as connection:
            model_id, document = models.monitor_named(connection, model)
            if profiled_days.any_of(connection, model_id):
                raise InvalidInputError(
                    f"model {model!r} has the predictions of a table; send rows to a model of "
                    "their own"
                )
        known = self._parsed.get(model_id)
        if known is None or known[0] != document:
            known = self._parsed[model_id] = (document, parse_monitor(model, document))
        return model_id, known[1]

    def _store(self, parts: Sequence[_Part], now: int) -> set[int]:
        """Store parts; the ids of the models whose they are, but of those deleted meanwhile."""
        if not parts:
            return set()
        with self._records.write() as connection:
            there = {m for m in {part.model for part in parts} if models.is_there(connection, m)}
            for part in parts:
                if part.model not in there:
                    continue
                decoded = part.decoded
                if part.move is not None:
                    positions.move(connection, part.model, part.move, now=now)
                for kind, rows in (
                    (Table.PREDICTIONS, decoded.predictions),
                    (Table.OUTCOMES, decoded.outcomes),
                    (Table.QUARANTINE, decoded.quarantine),
                ):
                    if rows.num_rows:
                        inbox.append(connection, part.model, kind, rows, now=now)
                models.count(
                    connection,
                    part.model,
                    predictions=decoded.predictions.num_rows,
                    outcomes=decoded.outcomes.num_rows,
                    quarantined=decoded.quarantine.num_rows,
                    **({"dropped_by_clients": part.dropped} if part.dropped else {}),
                )
        return there

    def _receipts(self, part: _Part) -> dict[int, Receipt]:
        """What became of each request of a part, by its number."""
        decoded, found = part.decoded, {}
        repeated = self._recent.repeats(part.model, decoded.predictions)
        rows_before = kept_before = 0
        for number, rows in part.requests:
            own = range(rows_before, rows_before + rows)
            reasons = _of_request(decoded.reasons, own)
            kept = rows - len(reasons)
            found[number] = Receipt(
                accepted=kept,
                repeated=int(repeated[kept_before : kept_before + kept].sum()),
                quarantined=len(reasons),
                outcomes=int(decoded.told[kept_before : kept_before + kept].sum()),
                reasons=reasons,
                assigned=_of_request(decoded.assigned, own),
            )
            rows_before, kept_before = rows_before + rows, kept_before + kept
        return found


def _of_one(request: Request) -> tuple[str, Kind]:
    """What requests that are decoded together have in common."""
    return request.model, request.kind


def _read(
    requests: Mapping[int, Request], answers: dict[int, Receipt | TocsinError]
) -> dict[int, list[Any] | Rows]:
    """What requests hold, by their number; errors go to `answers`."""
    found: dict[int, list[Any] | Rows] = {}
    for number, request in requests.items():
        try:
            found[number] = records_of(request.body)
        except TocsinError as error:
            answers[number] = error
    return found


def _parts(
    found: Mapping[int, list[Any] | Rows],
    requests: Mapping[int, Request],
    model: int,
    kind: Kind,
    by: Reading,
) -> Iterator[_Part]:
    """The rows of a model's requests; records are decoded together."""

    def part(rows: list[Any] | Rows, lengths: dict[int, int]) -> _Part:
        decoded = _DECODE[kind](given(rows, by.schema, _ONE[kind]), by)
        dropped = sum(requests[number].dropped for number in lengths)
        move = next((requests[number].move for number in lengths), None)
        name = next(requests[number].model for number in lengths)
        return _Part(model, name, kind, decoded, tuple(lengths.items()), dropped, move)

    together: list[Any] = []
    lengths: dict[int, int] = {}
    for number, rows in found.items():
        if isinstance(rows, list):
            together += rows
            lengths[number] = len(rows)
        else:
            yield part(rows, {number: rows[0]})
    if lengths:
        yield part(together, lengths)


def _of_request(told: tuple[tuple[int, str], ...], rows: range) -> tuple[tuple[int, str], ...]:
    """What is told of some rows, by their number in the request; told: by row."""
    # Searched, as there may be thousands of requests in one commit.
    first, end = (bisect_left(told, at, key=itemgetter(0)) for at in (rows.start, rows.stop))
    return tuple((row - rows.start, text) for row, text in told[first:end])


def first_reasons(
    reasons: Sequence[tuple[int, str]], limit: int = 10
) -> list[dict[str, str | int]]:
    """The first reasons, as the answer to a request shows them."""
    return [{"row": row, "reason": reason} for row, reason in reasons[:limit]]
