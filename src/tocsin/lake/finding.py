"""Rows found by their prediction id: first the files that hold some, then those alone."""

from collections.abc import Sequence

import pyarrow as pa

from tocsin.lake.columns import OFFSET
from tocsin.lake.folder import FILE
from tocsin.lake.identity import ID_HASH, id_hashes
from tocsin.lake.query import query_files
from tocsin.lake.tables import DeltaTables, Table

ID = "prediction_id"


def found(
    tables: DeltaTables,
    table: Table,
    files: Sequence[str],
    ids: pa.Array,
    schema: pa.Schema,
    *,
    until: int,
    narrow: bool,
) -> pa.Table:
    """Rows of some files with one of these ids and an offset up to `until`.

    narrow: whether only the columns of `schema` are read, which all files have to have.
    Returns: the columns of `schema` as far as the files have them, and perhaps others.
    """
    held = holding(tables, table, files, ids)
    if not held:
        return schema.empty_table()
    key, kind, wanted = _wanted(tables, table, ids)
    columns = schema
    for name, needed in ((ID, pa.string()), (OFFSET, pa.int64()), (key, kind)):
        if name not in columns.names:
            columns = columns.append(pa.field(name, needed))
    # Files that are older than a feature lack its column, perhaps all of them.
    chosen = ", ".join(f"rows.{name}" for name in columns.names) if narrow else "rows.*"
    # The hash leads to few rows; which of them are meant is told by the id.
    return query_files(
        f"SELECT * FROM (SELECT {chosen} FROM rows SEMI JOIN wanted USING ({key}) "
        f"WHERE {OFFSET} <= {until}) SEMI JOIN wanted USING ({ID})",
        tables.folder.child(table),
        held,
        columns,
        wanted=wanted,
    )


def holding(tables: DeltaTables, table: Table, files: Sequence[str], ids: pa.Array) -> list[str]:
    """Those of the files that hold rows with one of these ids (or, hardly ever, seem to)."""
    key, kind, wanted = _wanted(tables, table, ids)
    return _holding(tables, table, files, pa.schema([(key, kind)]), wanted)


def holding_rows(
    tables: DeltaTables, table: Table, files: Sequence[str], wanted: pa.Table
) -> list[str]:
    """Those of the files that hold rows which agree in all columns with one of `wanted`."""
    if wanted.column_names == [ID]:
        return holding(tables, table, files, wanted[ID].combine_chunks())
    return _holding(tables, table, files, wanted.schema, wanted)


def names(wanted: pa.Table) -> str:
    """The columns of a table for SQL."""
    return ", ".join('"' + name.replace('"', '""') + '"' for name in wanted.column_names)


def _holding(
    tables: DeltaTables, table: Table, files: Sequence[str], keys: pa.Schema, wanted: pa.Table
) -> list[str]:
    if not files or wanted.num_rows == 0:
        return []
    folder = tables.folder.child(table)
    by = names(wanted.select(keys.names))
    rows = query_files(
        f"SELECT DISTINCT {FILE} FROM rows SEMI JOIN wanted USING ({by})",
        folder,
        files,
        keys,
        wanted=wanted,
    )
    held = set(rows[FILE].to_pylist())
    return [file for file in files if folder.path_of(file) in held]


def _wanted(tables: DeltaTables, table: Table, ids: pa.Array) -> tuple[str, pa.DataType, pa.Table]:
    """The column to look by, its type, and the ids with it."""
    if not tables.keyed(table):
        return ID, pa.string(), pa.table({ID: ids})
    return ID_HASH, pa.int64(), pa.table({ID: ids, ID_HASH: id_hashes(ids)})
