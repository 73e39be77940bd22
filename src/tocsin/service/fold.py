"""Fold the inbox: new rows into the lake, their sums into the profiles, each exactly once.

The order makes a crash harmless: first the lake, in commits that carry the offset, so that a repeat
appends nothing; then one transaction of the records that adds the sums and moves the offset. A fold
that was cut off between the two is finished with just the entries that it had sealed, and looks at
the lake only up to the offset that the records know.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.declared import Monitor, parse_monitor
from tocsin.engines import merged, profile_labels, profile_predictions
from tocsin.lake import EARLIEST, OFFSET, Lake, ModelLake, Span, Table, counting_labels, shaped
from tocsin.records import Records, changes, inbox, models, profiles
from tocsin.records.models import ModelRecord
from tocsin.service.clock import Clock
from tocsin.values import DAY, to_datetime

MOST_ROWS = 200_000
_CALENDAR = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, eq=False)
class Batch:
    """The rows of one fold, after repeats are dropped.

    labelled, retracted: predictions with the `label` and `outcome_timestamp` that now count, and
    with those that no longer do.
    """

    predictions: pa.Table
    outcomes: pa.Table
    quarantine: pa.Table
    labelled: pa.Table
    retracted: pa.Table
    repeated: int


class Fold:
    """Folds one model's inbox. One at a time."""

    def __init__(self, records: Records, lake: Lake, clock: Clock) -> None:
        self._records = records
        self._lake = lake
        self._clock = clock
        self._open: dict[int, ModelLake] = {}

    def waiting(self) -> list[str]:
        """The models with something to fold, the longest waiting first."""
        with self._records.read() as connection:
            return inbox.models_waiting(connection)

    def fold(self, model: str, *, most_rows: int = MOST_ROWS) -> int:
        """Fold the oldest entries of a model's inbox; how many rows they had."""
        # In one transaction: entries are of the monitor that is known with them, or an earlier one.
        with self._records.read() as connection:
            record = models.model_named(connection, model)
            monitor = parse_monitor(record.name, record.monitor)
            lake = self._model_lake(record, monitor)
            # More than the records know: a fold was cut off after this seal.
            sealed = max(lake.sealed(table) for table in Table)
            entries = inbox.entries(
                connection,
                record.id,
                after=record.folded_offset,
                until=sealed if sealed > record.folded_offset else None,
                most_rows=most_rows,
            )
        if not entries:
            return 0
        offset = entries[-1].offset
        batch = _batch(entries, lake, monitor, folded=record.folded_offset)
        lake.seal(Table.PREDICTIONS, batch.predictions, offset)
        lake.seal(Table.OUTCOMES, batch.outcomes, offset)
        lake.seal(Table.QUARANTINE, batch.quarantine, offset)
        self._count(record, monitor, batch, offset)
        lake.compact()
        return sum(entry.rows.num_rows for entry in entries)

    def _model_lake(self, record: ModelRecord, monitor: Monitor) -> ModelLake:
        lake = self._open.get(record.id)
        if lake is None or lake.monitored != monitor.schema:
            lake = self._lake.model(record.id, record.name, monitor.schema)
            self._open[record.id] = lake
        return lake

    def _count(self, record: ModelRecord, monitor: Monitor, batch: Batch, offset: int) -> None:
        plan, schema, granularity = record.plan, monitor.schema, monitor.granularity
        deltas = merged(
            profile_predictions(plan, schema, batch.predictions, granularity).items(),
            profile_labels(plan, schema, batch.labelled, granularity).items(),
            (
                (key, -gone)
                for key, gone in profile_labels(plan, schema, batch.retracted, granularity).items()
            ),
        )
        newest = record.newest_event
        if batch.predictions.num_rows:
            seen = pc.max(batch.predictions["timestamp"].cast(pa.int64())).as_py()
            newest = seen if newest is None else max(newest, seen)
        now = self._clock()
        with self._records.write() as connection:
            if profiles.add(connection, record.id, plan, deltas):
                models.await_rebuild(connection, record.id)
            models.mark_changed(connection, record.id, {key.bucket for key in deltas})
            models.move_folded(connection, record.id, offset=offset, newest_event=newest)
            models.count(
                connection,
                record.id,
                repeated=batch.repeated,
                joined=batch.labelled.num_rows - batch.retracted.num_rows,
            )
            inbox.empty(connection, record.id, until=offset)
            changes.announce(connection, f"model/{record.name}", now=now)


def _batch(entries: list[inbox.Entry], lake: ModelLake, monitor: Monitor, *, folded: int) -> Batch:
    arrived = _of_kind(entries, Table.PREDICTIONS, lake)
    outcomes = _of_kind(entries, Table.OUTCOMES, lake)
    fresh = _without_repeats(arrived, lake, folded)
    labelled, retracted = _labels(fresh, outcomes, lake, monitor, folded)
    return Batch(
        predictions=fresh,
        outcomes=outcomes,
        quarantine=_of_kind(entries, Table.QUARANTINE, lake),
        labelled=labelled,
        retracted=retracted,
        repeated=arrived.num_rows - fresh.num_rows,
    )


def _of_kind(entries: list[inbox.Entry], table: Table, lake: ModelLake) -> pa.Table:
    wanted = lake.schema(table)
    found = [
        entry.rows.append_column(OFFSET, pa.repeat(pa.scalar(entry.offset), entry.rows.num_rows))
        for entry in entries
        if entry.kind == table
    ]
    if not found:
        return wanted.empty_table()
    # Entries from before a feature was added lack its column.
    return pa.concat_tables([shaped(rows, wanted) for rows in found])


def _without_repeats(arrived: pa.Table, lake: ModelLake, folded: int) -> pa.Table:
    """The rows that are no repeats: of an id, none that counts lies on their day or beside it."""
    if arrived.num_rows == 0:
        return arrived
    known = lake.find(
        Table.PREDICTIONS,
        arrived["prediction_id"].combine_chunks(),
        until=folded,
        span=_days(arrived["timestamp"], before=timedelta(days=1), after=timedelta(days=1)),
    )
    counted: dict[str, list[int]] = {}
    for prediction_id, day in _ids_and_days(known):
        counted.setdefault(prediction_id, []).append(day)
    fresh = []
    for row, (prediction_id, day) in enumerate(_ids_and_days(arrived)):
        days = counted.setdefault(prediction_id, [])
        if all(abs(day - other) > 1 for other in days):
            days.append(day)
            fresh.append(row)
    return arrived.take(np.array(fresh, np.int64))


def _ids_and_days(predictions: pa.Table) -> Iterator[tuple[str, int]]:
    days = predictions["timestamp"].cast(pa.int64()).to_numpy() // DAY
    return zip(predictions["prediction_id"].to_pylist(), days.tolist(), strict=True)


def _labels(
    fresh: pa.Table, outcomes: pa.Table, lake: ModelLake, monitor: Monitor, folded: int
) -> tuple[pa.Table, pa.Table]:
    """Predictions with the labels that begin to count, and with those that cease to."""
    horizon = timedelta(microseconds=monitor.label_horizon)
    stored = lake.find(
        Table.PREDICTIONS,
        outcomes["prediction_id"].combine_chunks(),
        until=folded,
        span=_days(outcomes["timestamp"], before=horizon, after=EARLIEST),
    )
    ids = pa.chunked_array(
        [*fresh["prediction_id"].chunks, *stored["prediction_id"].chunks], pa.string()
    )
    predicted = [*fresh["timestamp"].chunks, *stored["timestamp"].chunks]
    earlier = lake.find(
        Table.OUTCOMES,
        ids.combine_chunks(),
        until=folded,
        span=_days(
            pa.chunked_array(predicted, fresh["timestamp"].type), before=EARLIEST, after=horizon
        ),
    )
    return counting_labels(
        stored=stored, fresh=fresh, earlier=earlier, arrived=outcomes, horizon=horizon
    )


def _days(timestamps: pa.ChunkedArray, *, before: timedelta, after: timedelta) -> Span | None:
    """The days from the first timestamp less `before` to the last and `after`; None of none."""
    ends = pc.min_max(timestamps.cast(pa.int64())).as_py()
    if ends["min"] is None:
        return None
    first, last = to_datetime(ends["min"]), to_datetime(ends["max"])
    # Python's calendar has ends; nothing lies beyond them.
    return (
        date.min if first - _CALENDAR[0] < before else (first - before).date(),
        date.max if _CALENDAR[1] - last < after else (last + after).date(),
    )
