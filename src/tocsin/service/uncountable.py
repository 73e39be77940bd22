"""Outcomes that do not count: no prediction has their id, or its time is too far from theirs."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.declared import Monitor
from tocsin.lake import EARLIEST, ModelLake, Table, far_outcomes, not_near
from tocsin.service.labels import Changed, days_around

# The model's counters of them.
TOO_EARLY = "outcomes_too_early"
TOO_LATE = "outcomes_too_late"
# Those that name a prediction which has not come; it may come yet.
UNMATCHED = "outcomes_unmatched"
COUNTERS = (TOO_EARLY, TOO_LATE)
_COLUMNS = ("prediction_id", "timestamp")
# So much further away a prediction is looked for: not in all the years of a lake.
_AROUND = timedelta(days=90)


def uncountable(
    fresh: pa.Table,
    outcomes: pa.Table,
    labels: Changed,
    lake: ModelLake,
    monitor: Monitor,
    *,
    folded: int,
) -> dict[str, int]:
    """How many new outcomes do not count, by counter; fewer than before where predictions came.

    fresh: predictions of the same fold; labels: what changed by it. Outcomes that come
    before their prediction are not told, nor those that are joined by keys. Each row is judged by
    itself, whatever else is known of its id: not to depend on which rows are folded together.
    """
    said = pc.and_(outcomes["prediction_id"].is_valid(), outcomes["label"].is_valid())
    given = outcomes.filter(said).select(_COLUMNS)
    found = {UNMATCHED: -labels.waited.num_rows}
    if given.num_rows == 0:
        return _counted(found)
    horizon = timedelta(microseconds=monitor.label_horizon)
    # Most fit what was found already: for the others the lake has to be looked into.
    near = pa.concat_tables([fresh.select(_COLUMNS), labels.began.select(_COLUMNS)])
    told = not_near(given, near, earliest=EARLIEST, horizon=horizon)
    if told.num_rows == 0:
        return _counted(found)
    stored = lake.find(
        Table.PREDICTIONS,
        told["prediction_id"].combine_chunks(),
        until=folded,
        spans=days_around(told["timestamp"], before=horizon + _AROUND, after=_AROUND),
        columns=_COLUMNS,
    )
    known = pa.concat_tables([fresh.select(_COLUMNS), stored.select(_COLUMNS)])
    early, late = far_outcomes(told, known, earliest=EARLIEST, horizon=horizon)
    ids = known["prediction_id"].combine_chunks()
    unmatched = pc.invert(pc.is_in(told["prediction_id"], value_set=ids))
    found[UNMATCHED] += pc.sum(unmatched).as_py()
    return _counted({**found, TOO_EARLY: early, TOO_LATE: late})


def _counted(found: dict[str, int]) -> dict[str, int]:
    return {name: rows for name, rows in found.items() if rows}
