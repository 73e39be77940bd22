"""Counts of what a fold met and no profile has, by bucket of event time and kind."""

from collections import Counter
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.errors import InvalidInputError
from tocsin.service.reasons import kind_of_reason
from tocsin.values import from_datetime

REPEATED = "repeated"
QUARANTINED = "quarantined"
UNKNOWN_FIELDS = "unknown_fields"
# Before a kind of reason, of which the rows in quarantine are once more.
BECAUSE = "quarantined: "
# More kinds of reasons than people read, and longer than they are.
_MOST_REASONS, _LONGEST = 20, 200
_OTHER = "other reasons"


def counted_intake(
    arrived: pa.Table, fresh: pa.Table, quarantine: pa.Table, granularity: int
) -> dict[tuple[int, str], int]:
    """Rows by (start of the bucket, kind).

    arrived: predictions that fit, `fresh` those of them that are no repeats. A row in quarantine is
    of the time that it says, where that can be read, or else of when it came.
    """
    found: Counter[tuple[int, str]] = Counter()
    _count(found, arrived, REPEATED, granularity, 1)
    _count(found, fresh, REPEATED, granularity, -1)
    if "extra" in fresh.column_names:
        _count(found, fresh.filter(fresh["extra"].is_valid()), UNKNOWN_FIELDS, granularity, 1)
    reasons = Counter(_because(reason) for reason in quarantine["reason"].to_pylist())
    told = {reason for reason, _ in reasons.most_common(_MOST_REASONS)}
    for row in quarantine.filter(pc.equal(quarantine["kind"], "predictions")).to_pylist():
        bucket = _event_time(row) // granularity * granularity
        because = _because(row["reason"])
        found[bucket, QUARANTINED] += 1
        found[bucket, BECAUSE + (because if because in told else _OTHER)] += 1
    return {key: rows for key, rows in found.items() if rows}


def _because(reason: str) -> str:
    return kind_of_reason(reason)[:_LONGEST]


def _count(
    found: Counter[tuple[int, str]], rows: pa.Table, kind: str, granularity: int, times: int
) -> None:
    moments = rows["timestamp"].cast(pa.int64()).to_numpy()
    buckets, numbers = np.unique(moments // granularity * granularity, return_counts=True)
    for bucket, number in zip(buckets.tolist(), numbers.tolist(), strict=True):
        found[bucket, kind] += times * number


# Whatever is in a row that was put aside: nobody knows, and its time may be why.
_UNREADABLE = (
    InvalidInputError, msgspec.MsgspecError, RecursionError,
    ValueError, TypeError, KeyError, IndexError, OverflowError,
)  # fmt: skip


def _event_time(row: dict[str, Any]) -> int:
    arrived = from_datetime(row["timestamp"])
    try:
        said = msgspec.json.decode(row["row"])
        moment = from_datetime(datetime.fromisoformat(said["timestamp"]))
    except _UNREADABLE:
        return arrived
    # What a clock far ahead says would be a bucket that nobody looks at.
    return moment if 0 <= moment <= arrived else arrived
