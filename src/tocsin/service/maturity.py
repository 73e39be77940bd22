"""From when on the windows of a model are final."""

import numpy as np
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.estimation import Maturity, label_maturity
from tocsin.profiles import DELAY_EDGES
from tocsin.records import evaluations
from tocsin.records.models import ModelRecord

# Delays of longer ago tell little of those of today.
_HORIZONS = 3


def learned_maturity(
    connection: Connection, record: ModelRecord, monitor: Monitor, *, watermark: int
) -> Maturity:
    """How late labels come, by the shortest windows of the last three label horizons."""
    since = watermark - _HORIZONS * monitor.label_horizon
    found = evaluations.delays(connection, record.id, monitor.windows[0], since)
    # No label counts that comes after the horizon: the bin in which it lies ends there.
    last = int(np.searchsorted(DELAY_EDGES, monitor.label_horizon))
    edges = np.minimum(DELAY_EDGES[: last + 1], monitor.label_horizon)
    counts = np.zeros((len(found), len(edges) + 1))
    for row, (_, by_delay) in enumerate(found):
        some = by_delay[: counts.shape[1]]
        counts[row, : len(some)] = some
    ages = np.array([watermark - end for end, _ in found], np.int64)
    return label_maturity(counts, ages, edges)


def final_after(record: ModelRecord, monitor: Monitor) -> int:
    """How long after its end a window has nearly all labels that will come.

    As declared, else as learned, else the label horizon, after which none counts.
    """
    learned = None if record.maturity is None else record.maturity.delay
    known = learned if monitor.label_delay is None else monitor.label_delay
    return monitor.label_horizon if known is None else min(known, monitor.label_horizon)
