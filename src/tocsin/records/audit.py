"""Who did what on which evidence: records that are only ever added, each sealed with the last."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.errors import InvalidInputError
from tocsin.records.canonical import canonical
from tocsin.records.tables import audit

VERSION = 1
# Who did it, where nobody said.
UNKNOWN = "unknown"
_DOMAIN = "tocsin-audit-v1\n"
# What the first record follows.
NOTHING = "0" * 64
_DOCUMENTS = ("before", "after", "evidence")


@dataclass(frozen=True)
class Deed:
    """What somebody did.

    actor: who, as they said. auth: how that is known; `none` while there are no logins.
    object: what it was done to, such as `models:/flight-delay@champion`. before, after, evidence:
    JSON without fractions. config_hash: of the monitor that was in force.
    """

    actor: str
    auth: str
    event: str
    object: str
    before: Any = None
    after: Any = None
    reason: str = ""
    evidence: Any = None
    config_hash: str = ""


@dataclass(frozen=True)
class AuditRecord:
    """A deed with its place in the chain. ts: wall time."""

    seq: int
    ts: int
    v: int
    deed: Deed
    prev_hash: str
    hash: str

    def to_dict(self) -> dict[str, Any]:
        """All fields, flat, as they are hashed and given out."""
        plain = {name: part for name, part in asdict(self).items() if name != "deed"}
        return {**plain, **asdict(self.deed)}


@dataclass(frozen=True)
class Anchor:
    """A record's hash as it was noted outside of the database."""

    seq: int
    hash: str


@dataclass(frozen=True)
class Fault:
    """The first record that is not as it was written, and why that is known."""

    seq: int
    reason: str


@dataclass(frozen=True)
class Verified:
    """How far a chain was followed. head: its last good record, None of an empty chain."""

    records: int
    head: Anchor | None
    fault: Fault | None


def append(connection: Connection, deed: Deed, *, now: int) -> int:
    """Record a deed, in the transaction that does it; its number.

    Raises: InvalidInputError for what canonical JSON cannot hold.
    """
    last = head(connection)
    document: dict[str, Any] = {
        "v": VERSION,
        "seq": 1 if last is None else last.seq + 1,
        "ts": now,
        **asdict(deed),
        "prev_hash": NOTHING if last is None else last.hash,
    }
    sealed = {**document, "hash": seal(document)}
    texts = {name: canonical(document[name]) for name in _DOCUMENTS}
    connection.execute(audit.insert().values({**sealed, **texts}))
    return int(sealed["seq"])


def seal(document: dict[str, Any]) -> str:
    """The hash of a record: SHA-256 of its canonical JSON without `hash`."""
    body = {name: part for name, part in document.items() if name != "hash"}
    return hashlib.sha256((_DOMAIN + canonical(body)).encode()).hexdigest()


def head(connection: Connection) -> Anchor | None:
    """The newest record, to be noted elsewhere."""
    query = sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Anchor(row.seq, row.hash)


def listed(
    connection: Connection,
    *,
    object_like: str | None = None,
    actor: str | None = None,
    event: str | None = None,
    after: int | None = None,
    before: int | None = None,
    limit: int,
) -> list[AuditRecord]:
    """Records, the newest first; those of numbers above `after` the oldest first.

    object_like: a part of the object. event: itself, or the part of it before a dot.
    Raises: InvalidInputError where a document was damaged.
    """
    query = sa.select(audit)
    if object_like is not None:
        query = query.where(audit.c.object.contains(object_like, autoescape=True))
    if actor is not None:
        query = query.where(audit.c.actor == actor)
    if event is not None:
        dotted = audit.c.event.startswith(f"{event}.", autoescape=True)
        query = query.where((audit.c.event == event) | dotted)
    if before is not None:
        query = query.where(audit.c.seq < before)
    order: sa.ColumnElement[Any] = audit.c.seq.desc()
    if after is not None:
        query, order = query.where(audit.c.seq > after), audit.c.seq
    found = connection.execute(query.order_by(order).limit(limit)).mappings()
    return [_record(row) for row in found]


def verified(connection: Connection, anchors: Sequence[Anchor] = ()) -> Verified:
    """Whether every record is as it was written, in its place.

    A chain whose end was cut off is a whole chain: only anchors tell.
    """
    rows = connection.execution_options(yield_per=1_000).execute(
        sa.select(audit).order_by(audit.c.seq)
    )
    return _followed(rows.mappings(), anchors)


def _followed(rows: Iterable[sa.RowMapping], anchors: Sequence[Anchor]) -> Verified:
    noted: dict[int, set[str]] = {}
    for anchor in anchors:
        noted.setdefault(anchor.seq, set()).add(anchor.hash)
    last: Anchor | None = None
    count = 0
    for row in rows:
        expected = 1 if last is None else last.seq + 1
        reason = _odd(row, expected, NOTHING if last is None else last.hash, noted)
        if reason is not None:
            return Verified(count, last, Fault(expected, reason))
        last, count = Anchor(row["seq"], row["hash"]), count + 1
    gone = [seq for seq in noted if seq > count]
    if gone:
        reason = f"it is gone, with all after it: record {max(gone)} was noted in the anchor file"
        return Verified(count, last, Fault(count + 1, reason))
    return Verified(count, last, None)


def _odd(row: sa.RowMapping, seq: int, prev_hash: str, noted: dict[int, set[str]]) -> str | None:
    """What is wrong with the record that should be number `seq`."""
    if row["seq"] != seq:
        return f"it is missing; the next record is {row['seq']}"
    try:
        record = _record(row)
        found = seal(record.to_dict())
    except InvalidInputError as error:
        return f"it cannot be read: {error}"
    if record.v != VERSION:
        return f"it is of form {record.v}, which this version of Tocsin does not know"
    if record.prev_hash != prev_hash:
        return "it does not follow the record before it"
    if record.hash != found:
        return "its content is not what was sealed"
    if noted.get(seq, {found}) != {found}:
        return "it is whole, but another than the one noted in the anchor file"
    return None


def _record(row: sa.RowMapping) -> AuditRecord:
    fields = dict(row)
    documents = {name: _document(name, fields.pop(name)) for name in _DOCUMENTS}
    place = {name: fields.pop(name) for name in ("seq", "ts", "v", "prev_hash", "hash")}
    return AuditRecord(deed=Deed(**fields, **documents), **place)


def _document(name: str, text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, TypeError) as error:
        raise InvalidInputError(f"`{name}` is no JSON any more") from error
    if canonical(value) != text:
        raise InvalidInputError(f"`{name}` is written otherwise than it was")
    return value


def anchors_of(lines: Iterator[str] | Sequence[str]) -> list[Anchor]:
    """The anchors of a file, one JSON object a line.

    Raises: InvalidInputError that names the line.
    """
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            found.append(Anchor(int(document["seq"]), str(document["hash"])))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(
                f'line {number} is no anchor; one is {{"seq": 1, "hash": "..."}}'
            ) from error
    return found
