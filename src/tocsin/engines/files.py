"""Parquet files by their footers: columns, types, and which days a row group holds."""

import os
from collections.abc import Iterable, Sequence
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


@dataclass(frozen=True, eq=False)
class File:
    """The footer of a file."""

    path: str
    metadata: pq.FileMetaData
    fields: dict[str, pa.DataType]

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


def read_footers(paths: Iterable[str]) -> list[File]:
    """The footers of files.

    Raises: InvalidInputError for a path where there is none, or something else than Parquet.
    """
    found = []
    for path in paths:
        if not os.path.isfile(path):
            raise InvalidInputError(
                f"there is no file or folder {path}; only Spark knows tables by name"
            )
        try:
            reader = pq.ParquetFile(path)
            schema = reader.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise InvalidInputError(f"{path} cannot be read as Parquet: {error}") from error
        with reader:
            fields = dict(zip(schema.names, schema.types, strict=True))
            if len(fields) < len(schema.names):
                twice = next(name for name in schema.names if schema.names.count(name) > 1)
                raise InvalidInputError(f"{path} has two columns {twice!r}; rename or drop one")
            found.append(File(path, reader.metadata, fields))
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


def all_names(files: Iterable[File]) -> list[str]:
    """The names of the columns of all files, each once."""
    return list(dict.fromkeys(name for file in files for name in file.fields))


def _day(moment: datetime | date) -> int:
    if isinstance(moment, datetime):
        moment = (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
    return moment.toordinal() - _EPOCH
