"""Outcomes that can never count: their time is too far from that of the prediction they name."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.declared import Monitor
from tocsin.lake import EARLIEST, ModelLake, Table, far_outcomes, not_near
from tocsin.service.labels import days_around

# The model's counters of them.
TOO_EARLY = "outcomes_too_early"
TOO_LATE = "outcomes_too_late"
COUNTERS = (TOO_EARLY, TOO_LATE)
_COLUMNS = ("prediction_id", "timestamp")
# So much further away a prediction is looked for: not in all the years of a lake.
_AROUND = timedelta(days=90)


def uncountable(
    fresh: pa.Table,
    outcomes: pa.Table,
    labelled: pa.Table,
    lake: ModelLake,
    monitor: Monitor,
    *,
    folded: int,
) -> dict[str, int]:
    """How many new outcomes can never count, by counter.

    fresh: predictions of the same fold. labelled: those that have a label by it. Outcomes that come
    before their prediction are not told, nor those that are joined by keys. Each row is judged by
    itself, whatever else is known of its id: not to depend on which rows are folded together.
    """
    said = pc.and_(outcomes["prediction_id"].is_valid(), outcomes["label"].is_valid())
    given = outcomes.filter(said).select(_COLUMNS)
    if given.num_rows == 0:
        return {}
    horizon = timedelta(microseconds=monitor.label_horizon)
    # Most fit what was found already: for the others the lake has to be looked into.
    near = pa.concat_tables([fresh.select(_COLUMNS), labelled.select(_COLUMNS)])
    told = not_near(given, near, earliest=EARLIEST, horizon=horizon)
    if told.num_rows == 0:
        return {}
    stored = lake.find(
        Table.PREDICTIONS,
        told["prediction_id"].combine_chunks(),
        until=folded,
        spans=days_around(told["timestamp"], before=horizon + _AROUND, after=_AROUND),
        columns=_COLUMNS,
    )
    known = pa.concat_tables([fresh.select(_COLUMNS), stored.select(_COLUMNS)])
    early, late = far_outcomes(told, known, earliest=EARLIEST, horizon=horizon)
    return {name: rows for name, rows in ((TOO_EARLY, early), (TOO_LATE, late)) if rows}
