"""The profiles of windows, merged from their stored buckets."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from tocsin.profiles import EVERYTHING, Profile
from tocsin.records import profiles
from tocsin.records.models import ModelRecord
from tocsin.values import Window

Floats = NDArray[np.float64]


def window_profiles(
    connection: Connection,
    record: ModelRecord,
    granularity: int,
    windows: Sequence[Window],
    *,
    segment: str = EVERYTHING,
    version: str | None = None,
) -> tuple[Profile, list[dict[str, int]]]:
    """The stack of the windows' profiles, and their rows by version.

    windows: by ascending start. version: of which all rows are; of all versions when None. Of
    windows that overlap all buckets are in memory at once.
    """
    vectors = np.empty((len(windows), record.plan.layout.size))
    versions: list[dict[str, int]] = []
    for group in _overlapping(windows):
        merged, rows = _merged(connection, record, granularity, group, segment, version)
        vectors[len(versions) : len(versions) + len(group)] = merged
        versions.extend(rows)
    return Profile(record.plan, vectors), versions


def _overlapping(windows: Sequence[Window]) -> Iterator[list[Window]]:
    group: list[Window] = []
    for window in windows:
        if group and window.start >= max(earlier.end for earlier in group):
            yield group
            group = []
        group.append(window)
    if group:
        yield group


def _merged(
    connection: Connection,
    record: ModelRecord,
    granularity: int,
    windows: Sequence[Window],
    segment: str,
    version: str | None,
) -> tuple[Floats, list[dict[str, int]]]:
    plan = record.plan
    first = windows[0].start // granularity * granularity
    end = max(window.end for window in windows)
    count = -(-(end - first) // granularity)
    vectors = np.zeros((count, plan.layout.size))
    rows: dict[str, Floats] = {}
    found = profiles.stored(
        connection, record.id, plan, first, end, segment=segment, version=version
    )
    for key, profile in found:
        at = (key.bucket - first) // granularity
        vectors[at] += profile.vector
        rows.setdefault(key.version, np.zeros(count))[at] = profile.total("n")
    begins = [(window.start - first) // granularity for window in windows]
    ends = [(window.end - first) // granularity for window in windows]
    by_version = {name: _between(n, begins, ends) for name, n in rows.items()}
    return _between(vectors, begins, ends), [
        {name: round(float(n[i])) for name, n in by_version.items() if n[i] > 0}
        for i in range(len(windows))
    ]


def _between(values: Floats, begins: list[int], ends: list[int]) -> Floats:
    """Sums over [begin, end) along the first axis.

    Not by running totals: what one extreme row adds would leave its rounding in all later windows.
    """
    return np.stack([values[a:b].sum(0) for a, b in zip(begins, ends, strict=True)])
