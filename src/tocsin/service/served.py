"""How a model was served in windows, over all processes or by version."""

from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy.engine import Connection

from tocsin.metrics import Served
from tocsin.operations import COUNTS
from tocsin.records import operations
from tocsin.records.operations import Cost
from tocsin.values import Window


def served(costs: Sequence[Cost], span: int) -> Served:
    """What costs come to; span: microseconds over which they were caused."""
    counts = np.sum([cost.counts for cost in costs], axis=0)
    return Served(
        np.sum([cost.latencies for cost in costs], axis=0),
        {name: int(count) for name, count in zip(COUNTS, counts, strict=True)},
        span,
    )


def served_in(
    connection: Connection, model_id: int, windows: Sequence[Window]
) -> list[dict[str, Served]]:
    """What was heard of each window by version, and of all versions together under ""."""
    first = min(window.start for window in windows)
    end = max(window.end for window in windows)
    costs = list(operations.stored(connection, model_id, first, end))
    return [_by_version(costs, window) for window in windows]


def _by_version(costs: Sequence[Cost], window: Window) -> dict[str, Served]:
    # As the buckets begin: a bucket that lies across the end of a window is of that window.
    mine = [cost for cost in costs if window.start <= cost.bucket < window.end]
    parts: Mapping[str, list[Cost]] = {
        "": mine,
        **{
            cost.version: [other for other in mine if other.version == cost.version]
            for cost in mine
        },
    }
    span = window.end - window.start
    return {name: served(part, span) for name, part in parts.items() if part}
