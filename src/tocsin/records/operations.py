"""What serving cost, in sums by version and bucket; each summary is added once."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from tocsin.operations import COUNTS, LATENCY_BINS, Summary
from tocsin.records.tables import operation_processes, operations
from tocsin.values import MINUTE

BUCKET = 5 * MINUTE
# Summaries of one process that may be overtaken by later ones.
_MOST_MISSING = 1_000

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cost:
    """What one version cost in one bucket, or in several that were added.

    latencies: (LATENCY_BINS,) requests; counts: (len(COUNTS),). rss_bytes: the largest process.
    """

    version: str
    bucket: int
    latencies: Counts
    counts: Counts
    rss_bytes: int

    def count(self, name: str) -> int:
        """One of `COUNTS`."""
        return int(self.counts[COUNTS.index(name)])


def add(connection: Connection, model_id: int, summary: Summary) -> bool:
    """Add a summary to the bucket in which it begins; False if that was done before."""
    if not _is_new(connection, model_id, summary):
        return False
    latencies = np.zeros(LATENCY_BINS, np.int64)
    for number, requests in summary.latencies.items():
        latencies[number] += requests
    counts = np.array([summary.counts.get(name, 0) for name in COUNTS], np.int64)
    bucket = bucket_of(summary)
    mine = (
        (operations.c.model_id == model_id)
        & (operations.c.bucket == bucket)
        & (operations.c.version == summary.model_version)
    )
    row = connection.execute(sa.select(operations).where(mine)).first()
    if row is None:
        connection.execute(
            operations.insert().values(
                model_id=model_id,
                version=summary.model_version,
                bucket=bucket,
                vector=_to_bytes(latencies, counts),
                rss_bytes=summary.rss_bytes,
            )
        )
        return True
    before = _cost(row)
    connection.execute(
        operations.update()
        .where(mine)
        .values(
            vector=_to_bytes(before.latencies + latencies, before.counts + counts),
            rss_bytes=max(before.rss_bytes, summary.rss_bytes),
        )
    )
    return True


def bucket_of(summary: Summary) -> int:
    """The start of the bucket that a summary is of: that in which it begins."""
    return summary.start // BUCKET * BUCKET


def stored(connection: Connection, model_id: int, first: int, end: int) -> Iterator[Cost]:
    """What is stored of the buckets in [first, end), oldest first."""
    query = (
        sa.select(operations)
        .where(
            operations.c.model_id == model_id,
            operations.c.bucket >= first,
            operations.c.bucket < end,
        )
        .order_by(operations.c.bucket, operations.c.version)
    )
    return map(_cost, connection.execute(query))


def newest_bucket(connection: Connection, model_id: int) -> int | None:
    """The start of the newest bucket; None where there is none."""
    newest = sa.select(sa.func.max(operations.c.bucket)).where(operations.c.model_id == model_id)
    return connection.execute(newest).scalar()


def expire(connection: Connection, model_id: int, *, before: int) -> None:
    """Drop the buckets that begin before a time."""
    old = (operations.c.model_id == model_id) & (operations.c.bucket < before)
    connection.execute(operations.delete().where(old))


def forget_processes(connection: Connection, model_id: int, *, silent_since: int) -> None:
    """Drop what is known of processes that ended; nothing of theirs may be added any longer."""
    gone = operation_processes.c.heard_until < silent_since
    mine = operation_processes.c.model_id == model_id
    connection.execute(operation_processes.delete().where(mine & gone))


def _is_new(connection: Connection, model_id: int, summary: Summary) -> bool:
    """Whether a summary was not added yet; it counts as added from here on."""
    mine = (operation_processes.c.model_id == model_id) & (
        operation_processes.c.process == summary.process
    )
    row = connection.execute(sa.select(operation_processes).where(mine)).first()
    newest = -1 if row is None else row.newest
    missing = [] if row is None else list(row.missing)
    if summary.sequence > newest:
        between = range(max(newest + 1, summary.sequence - _MOST_MISSING), summary.sequence)
        missing = [*missing, *between][-_MOST_MISSING:]
        newest = summary.sequence
    elif summary.sequence in missing:
        missing.remove(summary.sequence)
    else:
        return False
    values = {
        "newest": newest,
        "missing": missing,
        "heard_until": max(summary.end, 0 if row is None else row.heard_until),
    }
    if row is None:
        values |= {"model_id": model_id, "process": summary.process}
        connection.execute(operation_processes.insert().values(values))
    else:
        connection.execute(operation_processes.update().where(mine).values(values))
    return True


def _to_bytes(latencies: Counts, counts: Counts) -> bytes:
    # Nearly all of it is zero.
    return zlib.compress(np.concatenate([latencies, counts]).astype("<i8").tobytes())


def _cost(row: sa.Row[Any]) -> Cost:
    vector = np.frombuffer(zlib.decompress(row.vector), "<i8").astype(np.int64)
    counts = np.zeros(len(COUNTS), np.int64)
    # Earlier versions counted fewer things.
    counts[: len(vector) - LATENCY_BINS] = vector[LATENCY_BINS:]
    return Cost(row.version, row.bucket, vector[:LATENCY_BINS], counts, row.rss_bytes)
