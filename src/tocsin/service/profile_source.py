"""Profile predictions that lie elsewhere: files, Delta tables, tables of Spark; day by day."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from tocsin.declared import Monitor, parse_monitor
from tocsin.engines import Engine, Source
from tocsin.errors import InvalidInputError
from tocsin.lake import Lake, Table, files_of
from tocsin.profiles import EVERYTHING, Plan, Profile, ProfileKey
from tocsin.records import Records, changes, models, profiled_days, profiles
from tocsin.records.models import ModelRecord
from tocsin.service.clock import Clock
from tocsin.service.erasing import finish_erasures
from tocsin.service.rebuild import check_complete, kept
from tocsin.values import DAY, format_duration, to_datetime

# Days that are profiled and stored at once: what a crash makes to be done again.
_DAYS_AT_ONCE = 31
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Profiled:
    """What became of a source.

    days: that were profiled; known: that had not changed; gone: that it no longer has.
    """

    days: int
    known: int
    gone: int
    predictions: int
    labelled: int


class ProfileSource:
    """Writes the profiles of sources into the records; nobody may fold meanwhile."""

    def __init__(self, records: Records, lake: Lake, clock: Clock) -> None:
        self._records = records
        self._lake = lake
        self._clock = clock

    def profile(
        self,
        model: str,
        engine: Engine,
        *,
        predictions: str,
        outcomes: str | None = None,
        columns: Mapping[str, str] | None = None,
        drop: bool = False,
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Profiled:
        """Profile the days of a source that are new or have changed; a repeat changes nothing.

        predictions, outcomes: a Parquet file, a folder of them, a Delta table, or the name of a
        table that the engine knows. columns: see `Source`. drop: forget days that it lacks now.
        progress: told days done and to do.
        Raises: UnknownModelError; InvalidInputError when the model has predictions of its own, or
        the source does not fit.
        """
        record, monitor = self._record(model)
        self._check(record, monitor, joined=outcomes is not None)
        source = Source(
            files_of(predictions),
            () if outcomes is None else files_of(outcomes),
            monitor.label_horizon,
            dict(columns or {}),
        )
        found = engine.days(source, monitor.schema)
        known = self._known(record)
        gone = sorted(known.keys() - found)
        if gone and not drop:
            raise InvalidInputError(
                f"{predictions} lacks {len(gone)} days of {model!r} that were profiled before, the "
                f"first of them {gone[0]}: name a folder with all files, or drop the days (--drop)"
            )
        stale = sorted({day for day, text in found.items() if known.get(day) != text})
        total = [0.0, 0.0]
        for first in range(0, len(stale), _DAYS_AT_ONCE):
            days = stale[first : first + _DAYS_AT_ONCE]
            progress(first, len(stale))
            part = engine.profile(source, monitor.schema, record.plan, monitor.granularity, days)
            self._store(record, part, {day: found[day] for day in days})
            for key, profile in part.items():
                if key.segment == EVERYTHING:
                    total[0] += float(profile.total("n"))
                    total[1] += float(profile.total("labelled"))
        if gone:
            self._store(record, {}, dict.fromkeys(gone))
        progress(len(stale), len(stale))
        return Profiled(len(stale), len(found) - len(stale), len(gone), *map(round, total))

    def _check(self, record: ModelRecord, monitor: Monitor, *, joined: bool) -> None:
        """Raises: InvalidInputError when a model cannot have the profiles of a table."""
        if joined:
            _check_join(monitor)
        if DAY % monitor.granularity:
            raise InvalidInputError(
                f"granularity {format_duration(monitor.granularity)} does not divide a day, by "
                "which sources are profiled; choose one such as 1h"
            )
        with self._records.read() as connection:
            counted = models.counts(connection, record.id)
        if counted.get("predictions", 0):
            raise InvalidInputError(
                f"model {record.name!r} has predictions of its own, to which a table cannot be "
                "added; give the table to a model of its own"
            )

    def _known(self, record: ModelRecord) -> dict[date, str]:
        """What the profiled days were like; none are known when the plan has changed since."""
        with self._records.write() as connection:
            if record.name in models.names_to_rebuild(connection):
                gone = profiles.clear(connection, record.id)
                profiled_days.forget(connection, record.id)
                models.mark_changed(connection, record.id, gone)
                models.rebuilt(connection, record.id, record.plan)
            return profiled_days.fingerprints(connection, record.id)

    def rebuild(self, model: str, engine: Engine) -> int:
        """Replace a model's profiles by those of its own lake; how many predictions they stand for.

        Raises: UnknownModelError; InvalidInputError when there is nothing in the lake.
        """
        record, monitor = self._record(model)
        _check_join(monitor)
        lake = self._lake.model(record.id, record.name, monitor.schema)
        finish_erasures(self._records, record, monitor, lake, now=self._clock())
        lake.evolve()
        source = Source(
            tuple(lake.files(Table.PREDICTIONS)),
            tuple(lake.files(Table.OUTCOMES)),
            monitor.label_horizon,
            until=record.folded_offset,
            opened=lake.opener,
        )
        if not source.predictions:
            raise InvalidInputError(
                f"model {model!r} has no predictions in its lake; name a table with --table"
            )
        start = to_datetime(record.retained_from or 0).date()
        days = [day for day in engine.days(source, monitor.schema) if day >= start]
        part = engine.profile(source, monitor.schema, record.plan, monitor.granularity, days)
        everything = [p.total("n") for key, p in part.items() if key.segment == EVERYTHING]
        rows = round(float(sum(everything)))
        rows += lake.predictions_before(start, until=record.folded_offset)
        part = kept(part, record)
        with self._records.write() as connection:
            check_complete(connection, record, rows + lake.removed(Table.PREDICTIONS))
            before = profiles.clear(connection, record.id, first=record.retained_from)
            profiles.add(connection, record.id, record.plan, part)
            models.mark_changed(connection, record.id, before | {key.bucket for key in part})
            models.rebuilt(connection, record.id, record.plan)
            changes.announce(connection, f"model/{model}", now=self._clock())
        return rows

    def _record(self, model: str) -> tuple[ModelRecord, Monitor]:
        with self._records.read() as connection:
            record = models.model_named(connection, model)
        return record, parse_monitor(record.name, record.monitor)

    def _store(
        self,
        record: ModelRecord,
        part: Mapping[ProfileKey, Profile],
        days: Mapping[date, str | None],
    ) -> None:
        """Replace the profiles of some days in one transaction."""
        plan: Plan = record.plan
        with self._records.write() as connection:
            current = models.model_named(connection, record.name)
            for day in days:
                start = (day - _EPOCH) // timedelta(days=1) * DAY
                gone = profiles.clear(connection, record.id, first=start, end=start + DAY)
                models.mark_changed(connection, record.id, gone)
            profiles.add(connection, record.id, plan, part)
            models.mark_changed(connection, record.id, {key.bucket for key in part})
            profiled_days.remember(connection, record.id, days)
            ends = [key.bucket for key in part] + [current.newest_event or 0]
            models.move_folded(
                connection,
                record.id,
                offset=current.folded_offset,
                newest_event=max(ends),
            )
            changes.announce(connection, f"model/{record.name}", now=self._clock())


def _check_join(monitor: Monitor) -> None:
    """Raises: InvalidInputError when outcomes are joined in a way that engines do not know."""
    if monitor.schema.join_on:
        raise InvalidInputError(
            f"the outcomes of {monitor.name!r} are joined by keys, and tables are joined by "
            "prediction id: leave out `join`, or send the rows; `tocsin rebuild` knows keys"
        )
