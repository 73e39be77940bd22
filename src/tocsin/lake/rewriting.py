"""Files of a table exchanged for others in one commit."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, Schema, Transaction
from deltalake.transaction import AddAction, RemoveAction

from tocsin.lake.folder import Folder
from tocsin.lake.tables import DAY_COLUMN, DeltaTables, StoredFile, Table

# Rows of a file that are in memory at once, and of a row group of the new one.
_BATCH_ROWS = 2**18
# As small as those of delta-rs: a few rows are found without most of the others.
_PAGE_BYTES = 2**17
# The name under which the Delta log remembers how many rows were removed on purpose.
_REMOVED = "tocsin-removed"

Change = Callable[[pa.RecordBatch], pa.RecordBatch]


@dataclass(frozen=True)
class Rewritten:
    """A file that no commit refers to yet; `added` is None when no row was left."""

    added: AddAction | None
    rows: int


def rewritten(
    folder: Folder, file: StoredFile, change: Change, schema: pa.Schema | None = None
) -> Rewritten:
    """A file's rows as `change` makes them, in a new file beside it.

    schema: of the changed rows; that of the file when None.
    """
    name = f"{DAY_COLUMN}={file.day}/part-{uuid4()}.snappy.parquet"
    path = f"{folder.path}/{name}"
    rows = 0
    with (
        folder.filesystem.open_input_file(f"{folder.path}/{file.path}") as old,
        pq.ParquetFile(old, pre_buffer=True) as reader,
        folder.filesystem.open_output_stream(path, compression=None) as new,
        pq.ParquetWriter(
            new, schema or reader.schema_arrow, compression="snappy", data_page_size=_PAGE_BYTES
        ) as writer,
    ):
        for batch in reader.iter_batches(_BATCH_ROWS):
            changed = change(batch)
            rows += changed.num_rows
            writer.write_batch(changed)
    if rows == 0:
        folder.filesystem.delete_file(path)
        return Rewritten(None, 0)
    size = folder.filesystem.get_file_info(path).size
    added = AddAction(
        path=name,
        size=size,
        partition_values={DAY_COLUMN: file.day},
        modification_time=_now_ms(),
        data_change=True,
        stats=json.dumps({"numRecords": rows}),
    )
    return Rewritten(added, rows)


def removed(tables: DeltaTables, table: Table) -> int:
    """How many rows were ever removed from a table on purpose."""
    return tables.number(table, _REMOVED)


def exchange(
    tables: DeltaTables,
    table: Table,
    gone: Sequence[StoredFile],
    added: Iterable[AddAction] = (),
) -> int:
    """Replace files of a table by others with fewer rows, in one commit.

    The commit carries how many rows were ever removed: what lacks is told from what was lost.
    Returns: how many rows fewer the table has.
    """
    delta = tables.table(table)
    assert delta is not None
    new = list(added)
    kept = sum(int(json.loads(action.stats)["numRecords"]) for action in new)
    fewer = sum(file.rows for file in gone) - kept
    total = tables.number(table, _REMOVED) + fewer
    now = _now_ms()
    delta.create_write_transaction(
        [
            *(
                RemoveAction(
                    path=file.path,
                    data_change=True,
                    deletion_timestamp=now,
                    size=file.size,
                    partition_values={DAY_COLUMN: file.day},
                )
                for file in gone
            ),
            *new,
        ],
        mode="append",
        schema=delta.schema(),
        partition_by=[DAY_COLUMN],
        commit_properties=CommitProperties(app_transactions=[Transaction(_REMOVED, total)]),
    )
    tables.refresh(table)
    return fewer


def exchange_all(
    tables: DeltaTables, table: Table, added: Sequence[AddAction], schema: pa.Schema
) -> None:
    """Replace all files of a table by others with other columns, in one commit."""
    delta = tables.table(table)
    assert delta is not None
    delta.create_write_transaction(
        list(added), mode="overwrite", schema=Schema.from_arrow(schema), partition_by=[DAY_COLUMN]
    )
    tables.refresh(table)


def _now_ms() -> int:
    # As delta-rs dates its own files: by this it judges later how old they are.
    return time.time_ns() // 1_000_000
