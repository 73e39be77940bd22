"""The profiles of windows, merged from their stored buckets."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from tocsin.profiles import Profile
from tocsin.records import profiles
from tocsin.records.models import ModelRecord
from tocsin.values import Window

Floats = NDArray[np.float64]


def window_profiles(
    connection: Connection, record: ModelRecord, granularity: int, windows: Sequence[Window]
) -> tuple[Profile, list[dict[str, int]]]:
    """The stack of the windows' profiles over all versions, and their rows by version.

    windows: any order; the buckets between the first start and the last end are in memory.
    """
    plan = record.plan
    first = min(window.start for window in windows) // granularity * granularity
    end = max(window.end for window in windows)
    count = -(-(end - first) // granularity)
    vectors = np.zeros((count, plan.layout.size))
    rows: dict[str, Floats] = {}
    for (version, bucket), profile in profiles.stored(connection, record.id, plan, first, end):
        at = (bucket - first) // granularity
        vectors[at] += profile.vector
        rows.setdefault(version, np.zeros(count))[at] = profile.total("n")
    begins = [(window.start - first) // granularity for window in windows]
    ends = [(window.end - first) // granularity for window in windows]
    merged = Profile(plan, _between(vectors, begins, ends))
    by_version = {version: _between(n, begins, ends) for version, n in rows.items()}
    return merged, [
        {version: round(float(n[i])) for version, n in by_version.items() if n[i] > 0}
        for i in range(len(windows))
    ]


def _between(values: Floats, begins: list[int], ends: list[int]) -> Floats:
    """Sums over [begin, end) along the first axis, all at once by running totals."""
    running = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    return np.asarray(running[ends] - running[begins])
