"""The lake: rows are sealed into it exactly once, and found again by id."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa
from deltalake import Transaction

from tocsin.lake import erasure, evolution, references, upkeep
from tocsin.lake.columns import (
    OFFSET,
    PLACE,
    outcomes_schema,
    predictions_schema,
    quarantine_schema,
)
from tocsin.lake.finding import ID, found, names
from tocsin.lake.folder import Folder
from tocsin.lake.query import query_files
from tocsin.lake.rewriting import removed
from tocsin.lake.tables import ALWAYS, DeltaTables, Span, Table
from tocsin.schema import Schema, column_of
from tocsin.values import to_datetime

# The name under which a seal's offset is remembered in the Delta log.
_WRITER = "tocsin-fold"
# Rows of the quarantine that are in memory together.
_AT_ONCE = 10_000


class Lake:
    """The folder of all models' tables."""

    def __init__(self, root: Folder) -> None:
        self._root = root

    def model(self, model_id: int, name: str, schema: Schema) -> "ModelLake":
        """The tables of one model; they come to be with their first row."""
        return ModelLake(self._folder(model_id, name), schema)

    def remove(self, model_id: int, name: str) -> None:
        """Delete all files of a model, whoever reads them; a repeat changes nothing."""
        self._folder(model_id, name).remove()

    def _folder(self, model_id: int, name: str) -> Folder:
        slug = re.sub(r"[^A-Za-z0-9_-]+", "-", name)
        return self._root.child(f"{slug}-{model_id}")


class ModelLake:
    """The tables of one model. One thread at a time.

    monitored: the schema by which rows are sealed; another one needs another `ModelLake`.
    """

    def __init__(self, folder: Folder, schema: Schema) -> None:
        self.monitored = schema
        self._tables = DeltaTables(folder)
        self._references = folder.child("reference")
        self._schemas = {
            Table.PREDICTIONS: predictions_schema(schema),
            Table.OUTCOMES: outcomes_schema(schema),
            Table.QUARANTINE: quarantine_schema(),
        }

    def schema(self, table: Table) -> pa.Schema:
        """The columns of a table as rows are sealed, their place in the inbox last."""
        found = self._schemas[table].append(pa.field(OFFSET, pa.int64()))
        return found.append(pa.field(PLACE, pa.int32())) if table is Table.OUTCOMES else found

    def clashes(self) -> list[str]:
        """The columns that the stored predictions have in another spelling."""
        delta = self._tables.table(Table.PREDICTIONS)
        if delta is None:
            return []
        going = {column_of("input_", old) for old in self.monitored.renamed()}
        stored = {name.casefold(): name for name in delta.schema().to_arrow().names}
        return [
            name
            for name in self.schema(Table.PREDICTIONS).names
            if stored.get(name.casefold(), name) not in {name, *going}
        ]

    def keep_reference(self, digest: str, reference: pa.Table) -> None:
        """Keep the rows that the plan of this digest was made from."""
        references.keep_reference(self._references, digest, reference)

    def reference(self, digest: str) -> pa.Table:
        """The rows that `keep_reference` kept. Raises: FileNotFoundError."""
        return references.reference(self._references, digest)

    def refresh(self) -> None:
        """See what others committed: an erasure, days that expired."""
        self._tables.refresh()

    def seal(self, table: Table, rows: pa.Table, offset: int) -> None:
        """Append rows; a repeat with the same or an earlier offset changes nothing."""
        if rows.num_rows == 0 or self.sealed(table) >= offset:
            return
        self._tables.append(table, rows, Transaction(_WRITER, offset))

    def sealed(self, table: Table) -> int:
        """The offset up to which rows were sealed, 0 when none were."""
        return self._tables.number(table, _WRITER)

    def find(
        self,
        table: Table,
        ids: pa.Array,
        *,
        until: int,
        spans: Sequence[Span],
        columns: Collection[str] | None = None,
    ) -> pa.Table:
        """Rows with one of these prediction ids, offsets up to `until`, in the days of `spans`.

        columns: those that are needed, of id, timestamp and offset; all when None.
        """
        schema = self.schema(table)
        if columns is not None:
            schema = pa.schema([field for field in schema if field.name in columns])
        files = self._tables.files(table, spans) if len(ids) else []
        narrow = columns is not None
        rows = found(self._tables, table, files, ids, schema, until=until, narrow=narrow)
        return shaped(rows, schema)

    def find_by(
        self, table: Table, wanted: pa.Table, *, until: int, spans: Sequence[Span]
    ) -> pa.Table:
        """Rows that agree in all columns of `wanted` with one of its rows; else as `find`."""
        if wanted.column_names == [ID]:
            return self.find(table, wanted[ID].combine_chunks(), until=until, spans=spans)
        if wanted.num_rows == 0:
            return self.schema(table).empty_table()
        sql = (
            f"SELECT rows.* FROM rows SEMI JOIN wanted USING ({names(wanted)}) "
            f"WHERE {OFFSET} <= {until}"
        )
        return self._query(table, sql, spans, wanted=wanted)

    def days(self) -> list[date]:
        """The days that hold predictions, ascending."""
        return self._tables.days(Table.PREDICTIONS)

    def scan_predictions(
        self, *, until: int, first: date = date.min
    ) -> Iterator[tuple[date, pa.Table]]:
        """All predictions of offsets up to `until` from a day on, a day at a time."""
        for day in self.days():
            if day >= first:
                sql = f"SELECT rows.* FROM rows WHERE {OFFSET} <= {until}"
                yield day, self._query(Table.PREDICTIONS, sql, ((day, day),))

    def sample_predictions(self, start: int, end: int, most: int, *, seed: int) -> pa.Table:
        """Some predictions of the event times [start, end), the same for the same seed."""
        days = (to_datetime(start).date(), to_datetime(end - 1).date())
        # An order of no meaning that any number of files gives.
        sql = (
            f"SELECT rows.* FROM rows WHERE epoch_us(timestamp) >= {start} "
            f"AND epoch_us(timestamp) < {end} "
            f"ORDER BY hash(concat(prediction_id, '#{seed}')), prediction_id LIMIT {most}"
        )
        return self._query(Table.PREDICTIONS, sql, (days,))

    def predictions_before(self, day: date, *, until: int) -> int:
        """How many predictions of offsets up to `until` lie before a day."""
        files = self._tables.files(Table.PREDICTIONS, ((date.min, day - date.resolution),))
        if not files:
            return 0
        folder = self._tables.folder.child(Table.PREDICTIONS)
        sql = f"SELECT count(*) AS n FROM rows WHERE {OFFSET} <= {until}"
        counted = query_files(sql, folder, files, pa.schema([(OFFSET, pa.int64())]))
        return int(counted["n"][0].as_py())

    def removed(self, table: Table) -> int:
        """How many rows were ever expired or erased."""
        return removed(self._tables, table)

    def quarantined(self, limit: int) -> pa.Table:
        """The newest rows in quarantine, the newest first."""
        return self._query(
            Table.QUARANTINE,
            f"SELECT rows.* FROM rows ORDER BY {OFFSET} DESC, id DESC LIMIT {limit}",
            ALWAYS,
        )

    def quarantine_rows(self) -> Iterator[list[dict[str, Any]]]:
        """All rows in quarantine, some at a time, in no order."""
        files = self._tables.files(Table.QUARANTINE)
        if files:
            folder = self._tables.folder.child(Table.QUARANTINE)
            for batch in folder.batches(files, self.schema(Table.QUARANTINE)):
                for start in range(0, batch.num_rows, _AT_ONCE):
                    yield batch.slice(start, _AT_ONCE).to_pylist()

    def quarantine_in_order(self) -> Iterator[list[dict[str, Any]]]:
        """All rows in quarantine, some at a time, in the order in which they came."""
        offset, row = 0, ""
        while True:
            # Of the files only those groups of rows are read that may have such offsets.
            sql = (
                f"SELECT rows.* FROM rows WHERE {OFFSET} >= {offset} "
                f"AND ({OFFSET} > {offset} OR id > '{row}') ORDER BY {OFFSET}, id LIMIT {_AT_ONCE}"
            )
            rows = self._query(Table.QUARANTINE, sql, ALWAYS).to_pylist()
            if not rows:
                return
            yield rows
            offset, row = rows[-1][OFFSET], rows[-1]["id"]

    def files(self, table: Table) -> list[str]:
        """The addresses of the Parquet files of a table."""
        return self._tables.files(table)

    @property
    def opener(self) -> Callable[[str], pa.NativeFile] | None:
        """What opens one of these files, None when they are on this machine."""
        folder = self._tables.folder
        return None if folder.local else folder.opened

    def compact(self) -> None:
        """Merge the small files of each day that has many."""
        upkeep.compact(self._tables)

    def tidy(self, *, now: datetime) -> None:
        """Merge the files of days that are over; remove files that nobody needs for a day."""
        upkeep.tidy(self._tables, now=now)

    def expire(self, table: Table, before: date) -> int:
        """Delete the days before one in one commit; how many rows they had.

        Their files go a day later, with `tidy`.
        """
        self._tables.refresh(table)
        return upkeep.expire(self._tables, table, before)

    def erase(self, table: Table, wanted: pa.Table, *, at_once: bool = False) -> int:
        """Delete, in one commit, the rows that agree in all columns of `wanted` with one of its.

        Readers see none of them from then on. The files that held them go a day later, with `tidy`;
        `at_once`: now, and with them all that were merged, whoever reads them.
        Returns: how many rows they were.
        """
        self._tables.refresh(table)
        rows = erasure.erase(self._tables, table, wanted)
        delta = self._tables.table(table)
        if at_once and delta is not None:
            upkeep.vacuum(delta, keep_h=0)
        return rows

    def evolve(self) -> None:
        """Write the predictions anew in one commit, if features were renamed or change their kind.

        Values of which the new kind has none go into `extra` under the feature's name. A repeat
        changes nothing; nobody may seal meanwhile. Raises: SchemaError when the old and the new
        name of a feature have a column.
        """
        self._tables.refresh(Table.PREDICTIONS)
        evolution.evolve(self._tables, self.monitored)

    def check_evolution(self) -> None:
        """Raises: SchemaError when `evolve` would."""
        evolution.check_evolution(self._tables, self.monitored)

    def _query(self, table: Table, sql: str, spans: Sequence[Span], **tables: pa.Table) -> pa.Table:
        """The answer over `rows`, the table's rows of some days."""
        schema, files = self.schema(table), self._tables.files(table, spans)
        if not files:
            return schema.empty_table()
        folder = self._tables.folder.child(table)
        return shaped(query_files(sql, folder, files, schema, **tables), schema)


def shaped(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Rows with just these columns: null where the rows are older than a feature."""
    for field in wanted:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(wanted.names).cast(wanted)
