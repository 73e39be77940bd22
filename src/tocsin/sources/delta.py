"""A Delta table: what lies in it, then what each further version adds."""

import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import PyFileSystem

from tocsin.errors import InvalidInputError
from tocsin.sources.base import Batch, digest, parsed, written

_ANEW = (
    "read the table as it is now under another --name, where rows with the same prediction_id "
    "count once"
)


@dataclass(frozen=True)
class _File:
    """A file that a version adds. partition: the values of its partition columns as text."""

    path: str
    size: int
    partition: dict[str, str | None]


class DeltaSource:
    """The files of the first version that is seen, then those that later commits add.

    A position says the version, the file and its rows. Compactions, which change no data, are
    passed over; commits that delete or replace rows are an error, as Tocsin has counted those.
    """

    def __init__(self, uri: str, name: str, *, batch_rows: int) -> None:
        self.name = name
        self._uri = uri
        self._batch_rows = batch_rows

    def batches(self, position: str) -> Iterator[Batch]:
        """The rows of this version and those that follow. Raises: InvalidInputError."""
        try:
            yield from self._batches(position)
        except TableNotFoundError as error:
            raise InvalidInputError(f"there is no Delta table at {self.name}") from error
        except FileNotFoundError as error:
            raise InvalidInputError(
                f"{self.name} lacks a file of a version that is not read to its end ({error}); "
                f"vacuum less eagerly, and {_ANEW}"
            ) from error
        except (DeltaError, pa.ArrowException, OSError) as error:
            raise InvalidInputError(f"{self.name} cannot be read: {error}") from error

    def stored(self, position: str) -> None:
        """The table need not know."""

    def close(self) -> None:
        """Nothing is held."""

    def _batches(self, position: str) -> Iterator[Batch]:
        table = DeltaTable(self._uri)
        self._check(table)
        newest = table.version()
        at = parsed(position, self.name, "version", "file", "rows", "whole") if position else None
        if at is None:
            at = {"version": newest, "snapshot": True, "file": "", "rows": 0, "whole": False}
        if at["version"] > newest:
            raise InvalidInputError(
                f"{self.name} is at version {newest}, but was read up to version {at['version']}: "
                f"the table was made anew; {_ANEW}"
            )
        pending = [] if at["whole"] else [(at["version"], self._left(at))]
        pending += [(v, self._added(v)) for v in range(at["version"] + 1, newest + 1)]
        total = sum(file.size for _, files in pending for file in files)
        types = pa.schema(table.schema())
        done = 0
        for version, files in pending:
            snapshot = bool(at.get("snapshot")) and version == at["version"]
            for file in files:
                resumed = version == at["version"] and file.path == at["file"]
                after = at["rows"] if resumed else 0
                last = file is files[-1]
                place = {"version": version, "snapshot": snapshot, "file": file.path}
                for rows, first, every in self._rows(file, types, after):
                    end = first + rows.num_rows
                    ids = [f"{digest(self.name, file.path)}-{row}" for row in range(first, end)]
                    whole = last and end == every
                    where = written({**place, "rows": end, "whole": whole})
                    read = done + file.size * end // every
                    yield Batch(rows, ids, where, read, total)
                done += file.size

    def _files(self) -> PyFileSystem:
        return PyFileSystem(DeltaStorageHandler(_absolute(self._uri)))

    def _check(self, table: DeltaTable) -> None:
        mapped = table.metadata().configuration.get("delta.columnMapping.mode", "none")
        if mapped != "none":
            raise InvalidInputError(
                f"{self.name} maps its columns to other names ({mapped}), which is not read yet; "
                "write a copy of it without delta.columnMapping.mode"
            )

    def _left(self, at: dict[str, Any]) -> list[_File]:
        """The files of a version from where it was left."""
        version = at["version"]
        files = self._snapshot(version) if at["snapshot"] else self._added(version)
        return [file for file in files if file.path >= at["file"]]

    def _snapshot(self, version: int) -> list[_File]:
        table = DeltaTable(self._uri, version=version)
        if pa.table(table.deletion_vectors()).num_rows:
            raise InvalidInputError(f"{self.name} {_DELETION_VECTORS}")
        actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
        files = [
            _File(
                urllib.parse.unquote(action["path"]),
                action["size_bytes"],
                {
                    name.removeprefix("partition."): None if value is None else str(value)
                    for name, value in action.items()
                    if name.startswith("partition.")
                },
            )
            for action in actions
        ]
        return sorted(files, key=lambda file: file.path)

    def _added(self, version: int) -> list[_File]:
        """What a commit adds. Raises: InvalidInputError when it takes away or changes rows."""
        path = f"_delta_log/{version:020}.json"
        try:
            with self._files().open_input_file(path) as log:
                actions = [json.loads(line) for line in log.read().splitlines() if line.strip()]
        except FileNotFoundError as error:
            raise InvalidInputError(
                f"{self.name} no longer has the log of version {version}, which was not read; "
                f"import more often than the log is cleaned, and {_ANEW}"
            ) from error
        done: dict[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
        if any("remove" in a and a["remove"].get("dataChange", True) for a in actions):
            raise InvalidInputError(
                f"version {version} of {self.name} deletes or replaces rows "
                f"({done.get('operation', 'unknown operation')}), which may have been counted; "
                f"{_ANEW}"
            )
        adds = [a["add"] for a in actions if "add" in a and a["add"].get("dataChange", True)]
        if any(add.get("deletionVector") for add in adds):
            raise InvalidInputError(f"version {version} of {self.name} {_DELETION_VECTORS}")
        files = [
            _File(urllib.parse.unquote(add["path"]), add["size"], add["partitionValues"])
            for add in adds
        ]
        return sorted(files, key=lambda file: file.path)

    def _rows(
        self, file: _File, types: pa.Schema, after: int
    ) -> Iterator[tuple[pa.Table, int, int]]:
        """Rows with the number of the first, and how many the file has."""
        with self._files().open_input_file(file.path) as opened, pq.ParquetFile(opened) as parquet:
            total, first = parquet.metadata.num_rows, 0
            for batch in parquet.iter_batches(self._batch_rows):
                skipped = min(max(after - first, 0), batch.num_rows)
                start, first = first + skipped, first + batch.num_rows
                if skipped < batch.num_rows:
                    rows = pa.Table.from_batches([batch.slice(skipped)])
                    yield _with_partition(rows, file, types), start, total


_DELETION_VECTORS = (
    "has rows that are marked as deleted (deletion vectors), which is not read yet; purge them "
    "with REORG TABLE ... APPLY (PURGE), or switch delta.enableDeletionVectors off"
)


def _with_partition(rows: pa.Table, file: _File, types: pa.Schema) -> pa.Table:
    for name, text in file.partition.items():
        kind = types.field(name).type
        value = pa.array([text or None], pa.string()).cast(kind)
        rows = rows.append_column(name, pa.repeat(value[0], rows.num_rows))
    return rows


def _absolute(uri: str) -> str:
    """What the storage wants of a path."""
    return uri if "://" in uri else str(Path(uri).resolve())
