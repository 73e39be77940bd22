"""The port of sources: rows that lie elsewhere, in an order that can be gone on with."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Protocol

import pyarrow as pa

from tocsin.errors import InvalidInputError
from tocsin.operations import Summary

# Tells whoever started an import what it waits for or leaves out.
Say = Callable[[str], None]
# Rests so many seconds; False when the import has to end instead.
Wait = Callable[[float], bool]


@dataclass(frozen=True)
class Tombstone:
    """A message without a value: what was said before under its key is no longer so."""

    key: str | None


@dataclass(frozen=True, eq=False)
class Batch:
    """The next rows of a source.

    rows: a table, or JSON records as they came, whatever they are, and tombstones.
    ids, times: for rows that have no id or time of their own; the same whenever they are read.
    position: where the source is after them; a word of the source's own.
    done, total: how far it is, in any unit; no total where there is no end in sight.
    text: the records' values are text, of which numbers have to be read.
    place: columns whose values the position holds.
    costs: what the calls cost by which the rows were made, where the source knows; an empty version
    stands for that of the model.
    """

    rows: pa.Table | Sequence[Any]
    ids: Sequence[str]
    position: str
    done: int
    total: int | None
    text: bool = False
    times: Sequence[str | None] = ()
    place: Sequence[str] = ()
    costs: Sequence[Summary] = ()


@dataclass(frozen=True)
class Options:
    """How a source is read.

    table, cursor, key: of a database; lag_s: of a database or traces, where younger rows wait.
    topic: of Kafka, where the address has none. outcomes: whether assessments of traces are read,
    those of the name `outcome` if there is one, of traces not older than lookback_s.
    tracking_uri: of the MLflow server with the traces; MLflow's own default if None.
    zone: of times that name none. follow: whether it is read again and again.
    """

    batch_rows: int = 20_000
    table: str | None = None
    cursor: str | None = None
    key: str | None = None
    lag_s: float = 0.0
    topic: str | None = None
    zone: tzinfo | None = None
    follow: bool = False
    outcomes: bool = False
    outcome: str | None = None
    lookback_s: float = 7 * 86_400.0
    tracking_uri: str | None = None


class Source(Protocol):
    """Rows in an order of their own.

    Reading from the start gives every row once, and reading from a batch's position gives exactly
    the rows after it; so rows count once when they are stored together with their position.
    """

    @property
    def name(self) -> str:
        """By which the server knows it, without secrets."""
        ...

    def batches(self, position: str) -> Iterator[Batch]:
        """What there is now after a position, from the start if it is empty.

        Raises: InvalidInputError when it cannot be read, or has changed so that rows would be
            counted twice or never.
        """
        ...

    def stored(self, position: str) -> None:
        """The server has all rows up to a position."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


def written(position: dict[str, Any]) -> str:
    """A position as text, the same for equal ones."""
    return json.dumps(position, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def parsed(position: str, source: str, *needed: str) -> dict[str, Any]:
    """What was `written`.

    Raises: InvalidInputError for that of a source of another kind.
    """
    try:
        found = json.loads(position)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not set(needed) <= found.keys():
        raise InvalidInputError(
            f"the server has source {source!r} at {position!r}, which is of something else; give "
            "this one another name with --name"
        )
    return found


def digest(*parts: str) -> str:
    """24 characters that differ where the parts do."""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=12).hexdigest()
