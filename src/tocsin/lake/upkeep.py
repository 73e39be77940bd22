"""What a model's tables need from time to time: few files, and none that nobody needs."""

from collections import Counter
from datetime import date, datetime, timedelta

from deltalake import DeltaTable

from tocsin.lake.references import sweep
from tocsin.lake.rewriting import exchange
from tocsin.lake.tables import (
    DAY_COLUMN,
    KEEP_H,
    PROPERTIES,
    SMALL,
    DeltaTables,
    Table,
    stored_files,
)

# Small files of one day beyond which they are merged while rows still come.
_MANY = 64
# A day that rows no longer come to: this many files below half of the size are merged to it.
_FEW = 8
_WHOLE = 128 * 2**20


def compact(tables: DeltaTables) -> None:
    """Merge the small files of each day that has many; cheap when none has."""
    for table in Table:
        delta = tables.table(table)
        if delta is None:
            continue
        small = tables.small[table]
        for day in [day for day, files in small.items() if files > _MANY]:
            _merge(delta, day, SMALL)
            tables.refresh(table)
            small[day] = 1


def tidy(tables: DeltaTables, *, now: datetime) -> None:
    """Merge the files of days that are over, and remove files that nobody needs any longer.

    Those are merged and erased ones and what writers left that died, all after a day.
    """
    for table in Table:
        tables.refresh(table)
        delta = tables.table(table)
        if delta is None:
            continue
        if any(delta.metadata().configuration.get(k) != v for k, v in PROPERTIES.items()):
            delta.alter.set_table_properties(PROPERTIES)
        for day in _over(delta):
            _merge(delta, day, _WHOLE)
        vacuum(delta, keep_h=KEEP_H)
        tables.refresh(table)
    sweep(tables.folder, now - timedelta(hours=KEEP_H))


def vacuum(delta: DeltaTable, *, keep_h: int) -> None:
    """Remove the files that no longer belong to a table for so long, and those that never did."""
    delta.vacuum(keep_h, dry_run=False, enforce_retention_duration=False, full=keep_h > 0)


def expire(tables: DeltaTables, table: Table, before: date) -> int:
    """Delete the days before one; how many rows they had."""
    delta = tables.table(table)
    if delta is None:
        return 0
    gone = [file for file in stored_files(delta) if file.day < before.isoformat()]
    return exchange(tables, table, gone) if gone else 0


def _merge(delta: DeltaTable, day: str, size: int) -> None:
    delta.optimize.compact(partition_filters=[(DAY_COLUMN, "=", day)], target_size=size)


def _over(delta: DeltaTable) -> list[str]:
    """The days before the last one that have several files to merge."""
    files = stored_files(delta)
    small = Counter(file.day for file in files if file.size < _WHOLE // 2)
    last = max((file.day for file in files), default="")
    return sorted(day for day, number in small.items() if number >= _FEW and day != last)
