"""The Delta tables of one model: opened once, appended to, and which files they have."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import TableNotFoundError

from tocsin.lake.folder import Folder
from tocsin.lake.identity import ID_HASH, id_hashes

# The first and the last day, both included.
Span = tuple[date, date]
ALWAYS: tuple[Span, ...] = ((date.min, date.max),)
DAY_COLUMN = "date"
# Files below this are merged.
SMALL = 16 * 2**20
# How long what a reader may still look at is kept.
KEEP_H = 24
# Delta keeps a file a commit, and we commit each second: 30 days of them, its default, are too
# many. The ranges of other columns than the time would only tell what rows that are gone held.
PROPERTIES = {
    "delta.logRetentionDuration": f"interval {KEEP_H} hours",
    "delta.deletedFileRetentionDuration": f"interval {KEEP_H} hours",
    "delta.dataSkippingStatsColumns": "timestamp",
}


class Table(StrEnum):
    """The tables of a model."""

    PREDICTIONS = "predictions"
    OUTCOMES = "outcomes"
    QUARANTINE = "quarantine"


@dataclass(frozen=True)
class StoredFile:
    """A file of a table. path: as the Delta log has it, inside the table's folder."""

    path: str
    day: str
    rows: int
    size: int


class DeltaTables:
    """The Delta tables in a folder. One thread at a time.

    small: how many files of each day may be too small, as far as is known.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.small: dict[Table, Counter[str]] = {}
        self._open: dict[Table, DeltaTable] = {}

    def table(self, table: Table) -> DeltaTable | None:
        """A table, None before its first row."""
        if table not in self._open:
            place = self.folder.child(table)
            try:
                self._open[table] = DeltaTable(
                    place.address, storage_options=dict(place.options) or None
                )
            except TableNotFoundError:
                return None
            files = stored_files(self._open[table])
            self.small[table] = Counter(file.day for file in files if file.size < SMALL)
        return self._open[table]

    def refresh(self, *tables: Table) -> None:
        """See what was committed since, by whomever; of all tables when none is named."""
        for table in tables or tuple(self._open):
            delta = self.table(table)
            if delta is not None:
                delta.update_incremental()

    def append(self, table: Table, rows: pa.Table, transaction: Transaction) -> None:
        """Commit rows of a table with their day, and with the hash of their id if they have one."""
        # Not by strftime, which takes longer than all the rest of a fold's arithmetic.
        days = rows["timestamp"].cast(pa.date32()).cast(pa.string())
        place = self.folder.child(table)
        if self.keyed(table):
            rows = rows.append_column(ID_HASH, id_hashes(rows["prediction_id"]))
        delta = self.table(table)
        if delta is None:
            place.make()
        write_deltalake(
            delta or place.address,
            rows.append_column(DAY_COLUMN, days),
            mode="append",
            partition_by=[DAY_COLUMN],
            configuration=PROPERTIES,
            storage_options=dict(place.options) or None,
            commit_properties=CommitProperties(app_transactions=[transaction]),
            # A new feature of the model is a new column here.
            schema_mode="merge",
        )
        if delta is None:
            self.table(table)
        else:
            self.refresh(table)
            self.small[table].update(pc.unique(days).to_pylist())

    def keyed(self, table: Table) -> bool:
        """Whether the rows of a table have the hash of their id."""
        if table is Table.QUARANTINE:
            return False
        delta = self.table(table)
        # One that an earlier version began has none in any row.
        return delta is None or any(field.name == ID_HASH for field in delta.schema().fields)

    def number(self, table: Table, name: str) -> int:
        """The number that the last commit with a transaction of this name carried, or 0."""
        delta = self.table(table)
        return 0 if delta is None else delta.transaction_version(name) or 0

    def days(self, table: Table) -> list[date]:
        """The days that hold rows, ascending."""
        delta = self.table(table)
        if delta is None:
            return []
        return sorted({date.fromisoformat(part[DAY_COLUMN]) for part in delta.partitions()})

    def files(self, table: Table, spans: Sequence[Span] = ALWAYS) -> list[str]:
        """The addresses of the Parquet files that hold the rows of some days.

        spans: ascending, apart from each other.
        """
        delta = self.table(table)
        if delta is None:
            return []
        if not spans:
            return []
        uris = delta.file_uris(file_pruning_predicate=self._predicate(table, spans))
        return [unquote(uri) for uri in uris]

    def _predicate(
        self, table: Table, spans: Sequence[Span]
    ) -> list[tuple[str, str, str | list[str]]] | None:
        """What tells the files of some days: in one look at the log, which takes its time."""
        if spans == ALWAYS:
            return None
        if len(spans) > 1:
            days = [day.isoformat() for day in self.days(table) if _holds(spans, day)]
            return [(DAY_COLUMN, "in", days)]
        ((first, last),) = spans
        return [(DAY_COLUMN, ">=", first.isoformat()), (DAY_COLUMN, "<=", last.isoformat())]


def _holds(spans: Sequence[Span], day: date) -> bool:
    """Whether one of the spans, which ascend, holds a day."""
    before = bisect_right(spans, (day, date.max))
    return before > 0 and spans[before - 1][1] >= day


def stored_files(delta: DeltaTable) -> list[StoredFile]:
    """The files of a table, without looking into any."""
    actions = pa.table(delta.get_add_actions(flatten=True))
    names = ("path", f"partition.{DAY_COLUMN}", "num_records", "size_bytes")
    if actions.num_rows == 0:
        return []
    return [StoredFile(*row) for row in zip(*(actions[n].to_pylist() for n in names), strict=True)]
