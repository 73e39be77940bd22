"""The lake: rows are sealed into it exactly once, and found again by id."""

import re
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from tocsin.lake.columns import OFFSET, outcomes_schema, predictions_schema, quarantine_schema
from tocsin.lake.query import query
from tocsin.schema import Schema

# The name under which a seal's offset is remembered in the Delta log.
_WRITER = "tocsin-fold"
# Small files of one day beyond which they are merged; files of the size are left as they are.
_COMPACT_FILES = 64
_COMPACT_SIZE = 16 * 2**20
# How long files that were merged stay, for readers who still look at them.
_KEEP_MERGED_H = 24

# The first and the last day, both included.
Span = tuple[date, date]
_ALWAYS = (date.min, date.max)


class Table(StrEnum):
    """The tables of a model."""

    PREDICTIONS = "predictions"
    OUTCOMES = "outcomes"
    QUARANTINE = "quarantine"


class Lake:
    """The folder of all models' tables."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def model(self, model_id: int, name: str, schema: Schema) -> "ModelLake":
        """The tables of one model; they come to be with their first row."""
        slug = re.sub(r"[^A-Za-z0-9_-]+", "-", name)
        return ModelLake(self._root / f"{slug}-{model_id}", schema)


class ModelLake:
    """The tables of one model. One thread at a time."""

    def __init__(self, folder: Path, schema: Schema) -> None:
        self._folder = folder
        self.monitored = schema
        self._schemas = {
            Table.PREDICTIONS: predictions_schema(schema),
            Table.OUTCOMES: outcomes_schema(schema),
            Table.QUARANTINE: quarantine_schema(),
        }
        self._open: dict[Table, DeltaTable] = {}

    def schema(self, table: Table) -> pa.Schema:
        """The columns of a table as rows are sealed, the inbox offset last."""
        return self._schemas[table].append(pa.field(OFFSET, pa.int64()))

    def clashes(self) -> list[str]:
        """The columns that the stored predictions have with another type or another spelling."""
        delta = self._table(Table.PREDICTIONS)
        if delta is None:
            return []
        stored = {f.name: f.type for f in delta.schema().to_arrow(as_large_types=False)}
        spelt = {name.casefold(): name for name in stored}
        return [
            field.name
            for field in self.schema(Table.PREDICTIONS)
            if spelt.get(field.name.casefold(), field.name) != field.name
            or not _alike(stored.get(field.name), field.type)
        ]

    def keep_reference(self, digest: str, reference: pa.Table) -> None:
        """Keep the rows that the plan of this digest was made from."""
        path = self._folder / "reference" / f"{digest}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        pq.write_table(reference, part, compression="zstd")
        part.replace(path)

    def reference(self, digest: str) -> pa.Table:
        """The rows that `keep_reference` kept. Raises: FileNotFoundError."""
        return pq.read_table(self._folder / "reference" / f"{digest}.parquet")

    def seal(self, table: Table, rows: pa.Table, offset: int) -> None:
        """Append rows; a repeat with the same or an earlier offset changes nothing."""
        if rows.num_rows == 0 or self.sealed(table) >= offset:
            return
        days = pc.strftime(rows["timestamp"], format="%Y-%m-%d")
        commit = CommitProperties(app_transactions=[Transaction(_WRITER, offset)])
        path = self._folder / table
        path.parent.mkdir(parents=True, exist_ok=True)
        write_deltalake(
            self._table(table) or str(path),
            rows.append_column("date", days),
            mode="append",
            partition_by=["date"],
            commit_properties=commit,
            # A new feature of the model is a new column here.
            schema_mode="merge",
        )
        self._refresh(table)

    def sealed(self, table: Table) -> int:
        """The offset up to which rows were sealed, 0 when none were."""
        delta = self._table(table)
        return 0 if delta is None else delta.transaction_version(_WRITER) or 0

    def find(self, table: Table, ids: pa.Array, *, until: int, span: Span | None) -> pa.Table:
        """Rows with one of these prediction ids, offsets up to `until`, in the days of `span`."""
        files = self._files(table, span) if span is not None and len(ids) else []
        if not files:
            return self.schema(table).empty_table()
        return self._query(
            table,
            f"SELECT rows.* FROM rows SEMI JOIN wanted USING (prediction_id) "
            f"WHERE {OFFSET} <= {until}",
            files,
            wanted=pa.table({"prediction_id": ids}),
        )

    def days(self) -> list[date]:
        """The days that hold predictions, ascending."""
        delta = self._table(Table.PREDICTIONS)
        if delta is None:
            return []
        return sorted({date.fromisoformat(part["date"]) for part in delta.partitions()})

    def scan_predictions(self, *, until: int) -> Iterator[tuple[date, pa.Table]]:
        """All predictions of offsets up to `until`, a day at a time."""
        for day in self.days():
            files = self._files(Table.PREDICTIONS, (day, day))
            sql = f"SELECT rows.* FROM rows WHERE {OFFSET} <= {until}"
            yield day, self._query(Table.PREDICTIONS, sql, files)

    def quarantined(self, limit: int) -> pa.Table:
        """The newest rows in quarantine."""
        files = self._files(Table.QUARANTINE, _ALWAYS)
        if not files:
            return self.schema(Table.QUARANTINE).empty_table()
        return self._query(
            Table.QUARANTINE,
            f"SELECT rows.* FROM rows ORDER BY {OFFSET} DESC, timestamp DESC LIMIT {limit}",
            files,
        )

    def files(self, table: Table) -> list[str]:
        """The Parquet files of a table."""
        delta = self._table(table)
        return [] if delta is None else [unquote(uri) for uri in delta.file_uris()]

    def compact(self) -> None:
        """Merge the small files of each day."""
        for name in Table:
            delta = self._table(name)
            if delta is None:
                continue
            days: dict[str, int] = {}
            for uri in delta.file_uris():
                day = re.search(r"date=([\d-]+)", uri)
                if day:
                    days[day[1]] = days.get(day[1], 0) + 1
            for day_text, files in days.items():
                if files > _COMPACT_FILES:
                    delta.optimize.compact(
                        partition_filters=[("date", "=", day_text)], target_size=_COMPACT_SIZE
                    )
                    delta.vacuum(_KEEP_MERGED_H, dry_run=False, enforce_retention_duration=False)
                    self._refresh(name)

    def _table(self, table: Table) -> DeltaTable | None:
        if table not in self._open:
            path = str(self._folder / table)
            if not DeltaTable.is_deltatable(path):
                return None
            self._open[table] = DeltaTable(path)
        return self._open[table]

    def _refresh(self, table: Table) -> None:
        delta = self._table(table)
        if delta is not None:
            delta.update_incremental()

    def _files(self, table: Table, span: Span) -> list[str]:
        delta = self._table(table)
        if delta is None:
            return []
        first, last = span
        days = [("date", ">=", first.isoformat()), ("date", "<=", last.isoformat())]
        uris = delta.file_uris(file_pruning_predicate=None if span == _ALWAYS else days)
        return [_pattern(uri) for uri in uris]

    def _query(self, table: Table, sql: str, files: list[str], **tables: pa.Table) -> pa.Table:
        """The answer over `rows`, the table's rows in some of its files."""
        rows = "WITH rows AS (FROM read_parquet($files, union_by_name = true)) "
        found = query(rows + sql, tables, files=files)
        return shaped(found, self.schema(table))


def shaped(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Rows with just these columns: null where the rows are older than a feature."""
    for field in wanted:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(wanted.names).cast(wanted)


def _alike(stored: Any, wanted: pa.DataType) -> bool:
    """Whether a stored column, if there is one, can take values of a type."""
    if stored is None:
        return True
    kind = pa.field(stored).type if not isinstance(stored, pa.DataType) else stored
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if any(is_text(kind) for is_text in texts):
        return bool(pa.types.is_string(wanted))
    return bool(kind == wanted)


def _pattern(uri: str) -> str:
    """What DuckDB reads as just this file: delta-rs quotes it, DuckDB takes it for a pattern."""
    return re.sub(r"([\[*?])", r"[\1]", unquote(uri))
