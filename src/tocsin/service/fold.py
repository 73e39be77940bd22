"""Fold the inbox: new rows into the lake, their sums into the profiles, each exactly once.

The order makes a crash harmless: first the lake, in commits that carry the offset, so that a repeat
appends nothing; then one transaction of the records that adds the sums and moves the offset. A fold
that was cut off between the two is finished with just the entries that it had sealed, and looks at
the lake only up to the offset that the records know.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from operator import attrgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.declared import Monitor, parse_monitor
from tocsin.engines import merged, profile_labels, profile_predictions
from tocsin.lake import OFFSET, PLACE, Lake, ModelLake, Table, evolved, shaped
from tocsin.profiles import Profile, ProfileKey
from tocsin.records import Records, changes, erasures, inbox, intake, models, profiles
from tocsin.records.deletions import Deletion
from tocsin.records.models import ModelRecord
from tocsin.service.clock import Clock
from tocsin.service.erasing import erasing, finish_erasures
from tocsin.service.intake import counted_intake
from tocsin.service.labels import changed_labels, days_around
from tocsin.service.uncountable import uncountable
from tocsin.values import DAY

MOST_ROWS = 50_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Due:
    """When a model's inbox is folded: so many rows wait, or the first has for so long.

    age: microseconds.
    """

    rows: int
    age: int


@dataclass(frozen=True, eq=False)
class Batch:
    """The rows of one fold, after repeats are dropped.

    replayed: ids of rows that are in quarantine no more.
    labelled, retracted: predictions with the `label` and `outcome_timestamp` that now count, and
    with those that no longer do. intake: what came and is in no profile, by bucket and kind.
    """

    predictions: pa.Table
    outcomes: pa.Table
    quarantine: pa.Table
    replayed: pa.Table
    labelled: pa.Table
    retracted: pa.Table
    repeated: int
    uncountable: dict[str, int]
    intake: dict[tuple[int, str], int]


class Fold:
    """Folds one model's inbox. One at a time."""

    def __init__(self, records: Records, lake: Lake, clock: Clock, due: Due) -> None:
        self._records = records
        self._lake = lake
        self._clock = clock
        self._due = due
        self._open: dict[int, ModelLake] = {}

    def waiting(self) -> list[str]:
        """The models with enough to fold, the longest waiting first."""
        now = self._clock()
        with self._records.read() as connection:
            return inbox.models_waiting(
                connection, rows=self._due.rows, since=now - self._due.age, now=now
            )

    def fold(self, model: str, *, most_rows: int = MOST_ROWS) -> int:
        """Fold the oldest entries of a model's inbox; how many rows they had.

        Nothing while the model waits to be rebuilt: its lake may lack what a new monitor asks for.
        Raises: UnknownModelError, also when the model is deleted meanwhile.
        """
        # In one transaction: entries are of the monitor that is known with them, or an earlier one.
        with self._records.read() as connection:
            record = models.model_named(connection, model)
            if models.awaits_rebuild(connection, record.id):
                return 0
            monitor = parse_monitor(record.name, record.monitor)
            lake = self._model_lake(record, monitor)
            lake.refresh()
            # More than the records know: a fold was cut off after this seal.
            sealed = max(lake.sealed(table) for table in Table)
            entries = inbox.entries(
                connection,
                record.id,
                after=record.folded_offset,
                until=sealed if sealed > record.folded_offset else None,
                most_rows=most_rows,
            )
        finish_erasures(self._records, record, monitor, lake, now=self._clock())
        if not entries:
            return 0
        offset = entries[-1].offset
        if entries[0].kind == inbox.ERASURE:
            return self._subtract(record, monitor, lake, entries[0])
        batch = _batch(entries, lake, monitor, folded=record.folded_offset)
        lake.seal(Table.PREDICTIONS, batch.predictions, offset)
        lake.seal(Table.OUTCOMES, batch.outcomes, offset)
        lake.seal(Table.QUARANTINE, batch.quarantine, offset)
        lake.erase(Table.QUARANTINE, batch.replayed)
        self._count(record, monitor, batch, offset)
        lake.compact()
        return sum(entry.rows.num_rows for entry in entries)

    def forget(self, deletion: Deletion) -> None:
        """Let go of what is remembered of a model that is deleted."""
        self._open.pop(deletion.model_id, None)

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
            _negated(profile_labels(plan, schema, batch.retracted, granularity)),
        )
        newest = record.newest_event
        if batch.predictions.num_rows:
            seen = pc.max(batch.predictions["timestamp"].cast(pa.int64())).as_py()
            newest = seen if newest is None else max(newest, seen)
        joined = batch.labelled.num_rows - batch.retracted.num_rows
        counts = {"repeated": batch.repeated, "joined": joined, **batch.uncountable}
        self._add(record, deltas, offset, newest, counts, batch.intake)

    def _subtract(
        self, record: ModelRecord, monitor: Monitor, lake: ModelLake, entry: inbox.Entry
    ) -> int:
        """Take what is to be erased out of the profiles, then out of the lake."""
        plan, schema, granularity = record.plan, monitor.schema, monitor.granularity
        gone = erasing(entry.rows, lake, monitor, folded=record.folded_offset)
        deltas = merged(
            _negated(profile_predictions(plan, schema, gone.predictions, granularity)),
            _negated(profile_labels(plan, schema, gone.began, granularity)),
            profile_labels(plan, schema, gone.ceased, granularity).items(),
        )
        counts = {
            "erased": gone.predictions.num_rows,
            "joined": gone.ceased.num_rows - gone.began.num_rows,
        }
        rows = {"predictions": gone.predictions.num_rows, "outcomes": gone.outcomes.num_rows}
        with self._records.write() as connection:
            erasures.counted(connection, entry.offset, **rows)
        self._add(record, deltas, entry.offset, record.newest_event, counts, {})
        done = replace(record, folded_offset=entry.offset)
        finish_erasures(self._records, done, monitor, lake, now=self._clock())
        _log.info(
            "erased %d predictions and %d outcomes of %s, by %d ids or keys",
            *(gone.predictions.num_rows, gone.outcomes.num_rows, record.name, entry.rows.num_rows),
        )
        return int(entry.rows.num_rows)

    def _add(
        self,
        record: ModelRecord,
        deltas: dict[ProfileKey, Profile],
        offset: int,
        newest: int | None,
        counts: dict[str, int],
        came: dict[tuple[int, str], int],
    ) -> None:
        """Profiles, offset and inbox move in one transaction. Raises: UnknownModelError."""
        now = self._clock()
        with self._records.write() as connection:
            models.check_there(connection, record)
            if profiles.add(connection, record.id, record.plan, deltas):
                models.await_rebuild(connection, record.id)
            models.mark_changed(connection, record.id, {key.bucket for key in deltas})
            models.move_folded(connection, record.id, offset=offset, newest_event=newest)
            models.count(connection, record.id, **counts)
            intake.add(connection, record.id, came)
            inbox.empty(connection, record.id, until=offset)
            changes.announce(connection, f"model/{record.name}", now=now)


def _negated(found: dict[ProfileKey, Profile]) -> Iterator[tuple[ProfileKey, Profile]]:
    return ((key, -profile) for key, profile in found.items())


def _batch(entries: list[inbox.Entry], lake: ModelLake, monitor: Monitor, *, folded: int) -> Batch:
    arrived = _of_kind(entries, Table.PREDICTIONS, lake)
    outcomes = _of_kind(entries, Table.OUTCOMES, lake)
    fresh = _without_repeats(arrived, lake, folded)
    labels = changed_labels(fresh, outcomes, lake, monitor, folded=folded)
    quarantine = _of_kind(entries, Table.QUARANTINE, lake)
    return Batch(
        predictions=fresh,
        outcomes=outcomes,
        quarantine=quarantine,
        replayed=pa.concat_tables(
            [pa.table({"id": pa.array([], pa.string())})]
            + [entry.rows for entry in entries if entry.kind == inbox.REPLAY]
        ),
        labelled=labels.began,
        retracted=labels.ceased,
        repeated=arrived.num_rows - fresh.num_rows,
        uncountable=uncountable(fresh, outcomes, labels, lake, monitor, folded=folded),
        intake=counted_intake(arrived, fresh, quarantine, monitor.granularity),
    )


def _of_kind(entries: list[inbox.Entry], table: Table, lake: ModelLake) -> pa.Table:
    wanted = lake.schema(table)
    found = [_placed(entry) for entry in entries if entry.kind == table]
    if not found:
        return wanted.empty_table()
    # Entries of an earlier monitor may lack columns, or have them under another name or kind.
    alike = [pa.concat_tables(group) for _, group in groupby(found, key=attrgetter("schema"))]
    now = [evolved(rows, lake.monitored) for rows in alike]
    return pa.concat_tables([shaped(rows, wanted) for rows in now])


def _placed(entry: inbox.Entry) -> pa.Table:
    """Its rows with their place in the inbox."""
    rows, n = entry.rows, entry.rows.num_rows
    rows = rows.append_column(OFFSET, pa.repeat(pa.scalar(entry.offset), n))
    return rows.append_column(PLACE, pa.array(np.arange(n, dtype=np.int32)))


def _without_repeats(arrived: pa.Table, lake: ModelLake, folded: int) -> pa.Table:
    """The rows that are no repeats: of an id, none that counts lies on their day or beside it."""
    if arrived.num_rows == 0:
        return arrived
    known = lake.find(
        Table.PREDICTIONS,
        arrived["prediction_id"].combine_chunks(),
        until=folded,
        spans=days_around(arrived["timestamp"], before=timedelta(days=1), after=timedelta(days=1)),
        columns=("prediction_id", "timestamp"),
    )
    if known.num_rows == 0 and pc.count_distinct(arrived["prediction_id"]).as_py() == len(arrived):
        return arrived
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
