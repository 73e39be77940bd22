"""Compute all profiles of a model anew from the lake, with what is sealed as the only truth."""

import logging
from collections.abc import Callable, Mapping

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, parse_monitor
from tocsin.engines import merged, profile_labels, profile_predictions
from tocsin.errors import InvalidInputError
from tocsin.lake import Lake, ModelLake, Table
from tocsin.profiles import Profile, ProfileKey
from tocsin.records import Records, changes, inbox, models, profiled_days, profiles
from tocsin.records.models import ModelRecord
from tocsin.service.clock import Clock
from tocsin.service.erasing import finish_erasures
from tocsin.service.labels import labels_of_day
from tocsin.service.uncountable import COUNTERS
from tocsin.values import SECOND, to_datetime

_log = logging.getLogger(__name__)
_TOLD_EVERY = SECOND
# Told how many days are done, of how many.
Progress = Callable[[int, int], None]


def _untold(done: int, days: int) -> None:
    """Nobody watches."""


class Rebuild:
    """Rebuilds profiles; nobody may fold meanwhile."""

    def __init__(self, records: Records, lake: Lake, clock: Clock) -> None:
        self._records = records
        self._lake = lake
        self._clock = clock

    def waiting(self) -> list[str]:
        """The models that wait to be rebuilt; those of tables wait for `tocsin profile`."""
        with self._records.read() as connection:
            return [
                name
                for name in models.names_to_rebuild(connection)
                if not profiled_days.any_of(connection, models.model_named(connection, name).id)
            ]

    def rebuild(self, model: str, *, progress: Progress = _untold) -> int:
        """Replace a model's profiles in one transaction; how many predictions the lake has.

        Those of buckets whose rows have expired stay. progress: told how many days of the lake are
        read, of how many; the records know it too.

        Raises: UnknownModelError; InvalidInputError when the lake lacks rows.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, model)
            if profiled_days.any_of(connection, record.id):
                raise InvalidInputError(
                    f"the predictions of {model!r} lie in a table: `tocsin profile` makes its "
                    "profiles anew"
                )
        monitor = parse_monitor(record.name, record.monitor)
        lake = self._lake.model(record.id, record.name, monitor.schema)
        finish_erasures(self._records, record, monitor, lake, now=self._clock())
        lake.evolve()
        _log.info("rebuilding the profiles of %s from the lake", model)
        try:
            rows = self._replaced(record, monitor, lake, progress)
        finally:
            with self._records.write() as connection:
                models.rebuild_ended(connection, record.id)
                changes.announce(connection, f"model/{model}", now=self._clock())
        _log.info("rebuilt the profiles of %s from %d predictions", model, rows)
        return rows

    def _replaced(
        self, record: ModelRecord, monitor: Monitor, lake: ModelLake, progress: Progress
    ) -> int:
        """Replace a model's profiles by those of its lake; how many predictions that has."""
        # Others can write meanwhile: nothing folds, so that the lake stays as it is.
        total, rows = _profiled(record, monitor, lake, self._told(record, progress))
        with self._records.write() as connection:
            current = models.model_named(connection, record.name)
            if models.changed_since(current, record):
                # It still waits to be rebuilt.
                return rows
            check_complete(connection, record, rows + lake.removed(Table.PREDICTIONS))
            # What expired is in its profiles alone.
            before = profiles.clear(connection, record.id, first=record.retained_from)
            profiles.add(connection, record.id, record.plan, total)
            models.mark_changed(connection, record.id, before | {key.bucket for key in total})
            models.rebuilt(connection, record.id, record.plan)
            # Those that were too late may not be by the horizon of now.
            models.count_anew(connection, record.id, COUNTERS)
            changes.announce(connection, f"model/{record.name}", now=self._clock())
        return rows

    def _told(self, record: ModelRecord, progress: Progress) -> Progress:
        """Progress as the records are told it, now and then."""
        told: list[int] = []

        def tell(done: int, days: int) -> None:
            progress(done, days)
            now = self._clock()
            if told and abs(now - told[-1]) < _TOLD_EVERY:
                return
            told.append(now)
            with self._records.write() as connection:
                models.rebuild_went_on(connection, record.id, done=done, days=days)
                changes.announce(connection, f"model/{record.name}", now=now)

        return tell


def check_complete(connection: Connection, record: ModelRecord, rows: int) -> None:
    """Raises: InvalidInputError when a lake lacks predictions that were folded.

    rows: how many it has, and those that expired or were erased.
    """
    counted = models.counts(connection, record.id)
    waiting = inbox.rows_of_kind(connection, record.id, Table.PREDICTIONS)
    expected = counted.get("predictions", 0) - counted.get("repeated", 0) - waiting
    if rows < expected:
        raise InvalidInputError(
            f"the lake of {record.name!r} has {rows:,} of its {expected:,} counted predictions; "
            "restore its files, or the profiles would lose the others"
        )


def _profiled(
    record: ModelRecord, monitor: Monitor, lake: ModelLake, progress: Progress
) -> tuple[dict[ProfileKey, Profile], int]:
    """The profiles of all rows that are kept, and how many predictions the lake has."""
    until = record.folded_offset
    plan, schema, granularity = record.plan, monitor.schema, monitor.granularity
    parts: list[dict[ProfileKey, Profile]] = []
    first = to_datetime(record.retained_from or 0).date()
    rows = lake.predictions_before(first, until=until)
    days = sum(day >= first for day in lake.days())
    scanned = lake.scan_predictions(until=until, first=first)
    for done, (day, predictions) in enumerate(scanned):
        progress(done, days)
        labelled = labels_of_day(day, predictions, lake, monitor, folded=until)
        parts.append(profile_predictions(plan, schema, predictions, granularity))
        parts.append(profile_labels(plan, schema, labelled, granularity))
        rows += predictions.num_rows
    return kept(merged(item for part in parts for item in part.items()), record), rows


def kept(found: Mapping[ProfileKey, Profile], record: ModelRecord) -> dict[ProfileKey, Profile]:
    """The profiles that replace stored ones: those of buckets that began when rows were kept."""
    start = record.retained_from or 0
    return {key: profile for key, profile in found.items() if key.bucket >= start}
