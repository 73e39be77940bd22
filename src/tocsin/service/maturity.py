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
    counts = np.zeros((len(found), len(DELAY_EDGES) + 1))
    for row, (_, by_delay) in enumerate(found):
        counts[row, : len(by_delay)] = by_delay
    ages = np.array([watermark - end for end, _ in found], np.int64)
    return label_maturity(counts, ages, DELAY_EDGES)


def final_after(record: ModelRecord, monitor: Monitor) -> int:
    """How long after its end a window has nearly all labels that will come.

    As declared, else as learned, else the label horizon, after which none counts.
    """
    learned = None if record.maturity is None else record.maturity.delay
    known = learned if monitor.label_delay is None else monitor.label_delay
    return monitor.label_horizon if known is None else min(known, monitor.label_horizon)
