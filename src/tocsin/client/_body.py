"""The body of a request: rows of one kind as the bytes that are posted, again and again."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tocsin.client._books import Fate
from tocsin.client._log import told
from tocsin.client._queue import Batch
from tocsin.client._rows import Encoded, Kind, Outcome, Prediction, TableRows
from tocsin.client._wire import encode_batch, encode_row, encoded

COMPRESSED_FROM_BYTES = 4096
# What saves less is not worth the server's time to unpack it.
WORTHWHILE = 0.9

Encoding = Literal["identity", "gzip"]


@dataclass(frozen=True)
class Body:
    """What is posted; `rows` says how many are in it."""

    kind: Kind
    rows: int
    content: bytes
    encoding: Encoding = "identity"

    @property
    def headers(self) -> dict[str, str]:
        """What the server has to know to read it."""
        headers = {"Content-Type": "application/json"}
        if self.encoding != "identity":
            headers["Content-Encoding"] = self.encoding
        return headers


@dataclass(frozen=True)
class Misfits:
    """Rows of a batch that cannot be sent, and why the last of them cannot."""

    rows: int
    error: str | None

    def joined(self, fate: Fate) -> Fate:
        """The fate of the whole batch, given that of its other rows."""
        rejected = fate.rejected + self.rows
        return replace(fate, rejected=rejected, error=fate.error or self.error)


def body_of(batch: Batch) -> tuple[Body, Misfits]:
    """A batch as it is posted, and what of it cannot be. The same batch gives the same bytes."""
    rows: list[bytes] = []
    misfits = 0
    error: str | None = None
    for row in _encoded_rows(batch):
        if isinstance(row, bytes):
            rows.append(row)
        else:
            misfits, error = misfits + 1, told(row)
    return Body(batch.kind, len(rows), encode_batch(rows)), Misfits(misfits, error)


def compressed(body: Body) -> Body:
    """The body gzip'd, if it is long enough and that makes it shorter; else as it is.

    >>> compressed(Body("outcomes", 1, b"[1]")).encoding
    'identity'
    """
    if len(body.content) < COMPRESSED_FROM_BYTES:
        return body
    # Without the time of packing, so that the same rows give the same bytes.
    content = gzip.compress(body.content, compresslevel=1, mtime=0)
    if len(content) > WORTHWHILE * len(body.content):
        return body
    return replace(body, content=content, encoding="gzip")


def _encoded_rows(batch: Batch) -> Iterator[Encoded]:
    for part in batch.parts:
        if isinstance(part, Prediction | Outcome):
            yield encoded(encode_row, part)
        else:
            yield from _table_rows(part)


def _table_rows(part: TableRows) -> Iterator[Encoded]:
    done = 0
    try:
        for row in part.encoded():
            yield row
            done += 1
    except Exception as error:  # noqa: BLE001 - a column that its library cannot read fails its rows
        yield from [error] * (part.rows - done)
