"""Parquet files by their footers: columns, types, and which days a row group holds."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.engines.base import Source
from tocsin.engines.checks import check_types
from tocsin.engines.columns import lake_columns, outcome_columns
from tocsin.errors import InvalidInputError
from tocsin.schema import Schema

_EPOCH = date(1970, 1, 1).toordinal()
# What opens a file that is not on this machine.
Opened = Callable[[str], pa.NativeFile] | None


@dataclass(frozen=True, eq=False)
class File:
    """The footer of a file."""

    path: str
    metadata: pq.FileMetaData
    fields: dict[str, pa.DataType]
    opened: Opened = None

    def reader(self, text: Sequence[str] = ()) -> pq.ParquetFile:
        """The file, with columns of text as dictionaries."""
        if self.opened is None:
            return pq.ParquetFile(self.path, read_dictionary=text)
        return pq.ParquetFile(
            self.opened(self.path), metadata=self.metadata, read_dictionary=text, pre_buffer=True
        )

    def days(self, group: int, column: str) -> tuple[int, int] | None:
        """The first and the last day since 1970 of a row group's times, None when unknown."""
        names = self.metadata.schema.names
        part = self.metadata.row_group(group)
        if column not in names or part.num_columns != len(names):
            return None
        statistics = part.column(names.index(column)).statistics
        if statistics is None or not statistics.has_min_max:
            return None
        try:
            return _day(statistics.min), _day(statistics.max)
        except (ValueError, OverflowError, TypeError):
            return None


def read_footers(paths: Iterable[str], opened: Opened = None) -> list[File]:
    """The footers of files.

    Raises: InvalidInputError for a path where there is none, or something else than Parquet.
    """
    found = []
    for path in paths:
        if opened is None and not os.path.isfile(path):
            raise InvalidInputError(
                f"there is no file or folder {path}; only Spark knows tables by name"
            )
        try:
            reader = pq.ParquetFile(path if opened is None else opened(path))
            schema = reader.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise InvalidInputError(f"{path} cannot be read as Parquet: {error}") from error
        with reader:
            fields = dict(zip(schema.names, schema.types, strict=True))
            if len(fields) < len(schema.names):
                twice = next(name for name in schema.names if schema.names.count(name) > 1)
                raise InvalidInputError(f"{path} has two columns {twice!r}; rename or drop one")
            found.append(File(path, reader.metadata, fields, opened))
    return found


def prediction_columns(source: Source, schema: Schema, files: Sequence[File]) -> dict[str, str]:
    """What the columns of the lake are called in files that may lack some of them.

    Raises: InvalidInputError when all of them lack one, or one is of a wrong type.
    """
    columns = lake_columns(source, schema, all_names(files))
    for file in files:
        check_types(schema, columns, file.fields, file.path)
    return columns


def columns_of_outcomes(source: Source, schema: Schema, files: Sequence[File]) -> dict[str, str]:
    """What id, timestamp and label are called in files of outcomes.

    Raises: InvalidInputError likewise.
    """
    columns = outcome_columns(source, all_names(files))
    for file in files:
        check_types(schema, columns, file.fields, file.path)
    return columns


def numbered(files: Sequence[File], names: Sequence[str], number: str) -> pa.RecordBatchReader:
    """Columns of files, with the number of each row among those of all, a few rows at a time.

    number: what to call it.
    """
    types = {name: kind for file in reversed(files) for name, kind in file.fields.items()}
    fields = [*((name, types[name]) for name in names), (number, pa.int64())]
    schema = pa.schema(fields)
    return pa.RecordBatchReader.from_batches(schema, _numbered(files, names, schema))


def _numbered(
    files: Iterable[File], names: Sequence[str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    first = 0
    for file in files:
        with file.reader() as reader:
            for batch in reader.iter_batches(columns=[n for n in names if n in file.fields]):
                rows = batch.num_rows
                columns = [
                    batch[name] if name in file.fields else pa.nulls(rows, schema.field(name).type)
                    for name in names
                ]
                number = pa.array(range(first, first + rows), pa.int64())
                yield pa.RecordBatch.from_arrays([*columns, number], schema=schema)
                first += rows


def all_names(files: Iterable[File]) -> list[str]:
    """The names of the columns of all files, each once."""
    return list(dict.fromkeys(name for file in files for name in file.fields))


def _day(moment: datetime | date) -> int:
    if isinstance(moment, datetime):
        moment = (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
    return moment.toordinal() - _EPOCH
