"""Rows deleted by their prediction id, or by other columns."""

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.lake.finding import holding_rows
from tocsin.lake.rewriting import exchange, rewritten
from tocsin.lake.tables import DeltaTables, Table, stored_files

_BETWEEN = ":"


def erase(tables: DeltaTables, table: Table, wanted: pa.Table) -> int:
    """Delete the rows that agree in all columns with one of `wanted`, in one commit; how many.

    Only files that hold some of them are written anew. Nothing of the values gets into the log.
    """
    delta = tables.table(table)
    if delta is None or wanted.num_rows == 0:
        return 0
    folder = tables.folder.child(table)
    held = holding_rows(tables, table, tables.files(table), wanted)
    names = {name.rpartition("/")[2] for name in held}
    gone = [file for file in stored_files(delta) if file.path.rpartition("/")[2] in names]
    if not gone:
        return 0
    values = _together(wanted, wanted.column_names)

    def others(batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.filter(
            pc.invert(pc.is_in(_together(batch, wanted.column_names), value_set=values))
        )

    new = [rewritten(folder, file, others) for file in gone]
    return exchange(tables, table, gone, [each.added for each in new if each.added is not None])


def _together(rows: pa.Table | pa.RecordBatch, names: list[str]) -> pa.Array:
    """One text of each row; null where one of its values is."""
    columns = [rows[name].cast(pa.string()) for name in names]
    if len(columns) == 1:
        found = columns[0]
    else:
        # The lengths keep ("a:", "b") apart from ("a", ":b"), whatever values hold.
        lengths = [pc.utf8_length(column).cast(pa.string()) for column in columns]
        found = pc.binary_join_element_wise(*lengths, *columns, _BETWEEN, null_handling="emit_null")
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
