"""Let go of what a model's lake need not keep: rows that are too old, files that nobody needs."""

from datetime import timedelta

from tocsin.declared import Monitor, parse_monitor
from tocsin.lake import Lake, ModelLake, Table
from tocsin.records import Records, models, operations
from tocsin.records.deletions import Deletion
from tocsin.records.models import ModelRecord
from tocsin.service.clock import Clock
from tocsin.service.operations import TOO_LATE
from tocsin.values import DAY, HOUR, to_datetime

_EXPIRE_EVERY = HOUR
_TIDY_EVERY = DAY


class Retain:
    """Keeps lakes as small as their monitors say. One at a time, and nobody may fold meanwhile."""

    def __init__(self, records: Records, lake: Lake, clock: Clock) -> None:
        self._records = records
        self._lake = lake
        self._clock = clock
        self._expired: dict[int, int] = {}
        self._tidied: dict[int, int] = {}

    def waiting(self) -> list[str]:
        """The models that were not looked after for an hour."""
        with self._records.read() as connection:
            names = models.names_by_id(connection)
        return [n for model, n in names.items() if self._due(self._expired, model, _EXPIRE_EVERY)]

    def forget(self, deletion: Deletion) -> None:
        """Let go of what is remembered of a model that is deleted."""
        self._expired.pop(deletion.model_id, None)
        self._tidied.pop(deletion.model_id, None)

    def retain(self, model: str) -> int:
        """Delete rows that are older than the monitor keeps them; how many predictions they were.

        Profiles stay. Once a day files are merged, and removed if nobody needs them.
        Raises: UnknownModelError.
        """
        now = self._clock()
        with self._records.read() as connection:
            record = models.model_named(connection, model)
        monitor = parse_monitor(record.name, record.monitor)
        lake = self._lake.model(record.id, record.name, monitor.schema)
        expired = self._expire(record, monitor, lake)
        self._expire_operations(record, monitor, now)
        if self._due(self._tidied, record.id, _TIDY_EVERY):
            lake.tidy(now=to_datetime(now))
            self._tidied[record.id] = now
        self._expired[record.id] = now
        return expired

    def _expire(self, record: ModelRecord, monitor: Monitor, lake: ModelLake) -> int:
        kept_from = _kept_from(record, monitor)
        if kept_from is None:
            return 0
        day = to_datetime(kept_from).date()
        if any(held < day for held in lake.days()):
            # First what a rebuild has to know: it finds no rows of before any longer.
            with self._records.write() as connection:
                models.set_retained_from(connection, record.id, kept_from)
        # An outcome may be dated up to a day before its prediction.
        lake.expire(Table.OUTCOMES, day - timedelta(days=1))
        lake.expire(Table.QUARANTINE, day)
        return lake.expire(Table.PREDICTIONS, day)

    def _expire_operations(self, record: ModelRecord, monitor: Monitor, now: int) -> None:
        """What serving cost is of wall time, whatever times its predictions are of."""
        with self._records.write() as connection:
            operations.forget_processes(connection, record.id, silent_since=now - TOO_LATE - DAY)
            if monitor.retention is not None:
                operations.expire(connection, record.id, before=now - monitor.retention)

    def _due(self, done: dict[int, int], model: int, every: int) -> bool:
        return model not in done or not 0 <= self._clock() - done[model] < every


def _kept_from(record: ModelRecord, monitor: Monitor) -> int | None:
    """The start of the first day that is kept, None when all are."""
    if monitor.retention is None or record.newest_event is None:
        return None
    oldest = record.newest_event - monitor.lateness - monitor.retention
    return max(oldest // DAY * DAY, record.retained_from or 0)
