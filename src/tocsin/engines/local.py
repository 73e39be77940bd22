"""This machine: DuckDB finds which outcome counts, threads read Parquet and run the kernel."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tocsin.engines.arrow import micros
from tocsin.engines.base import Source
from tocsin.engines.batches import merged, profile_joined, profile_predictions
from tocsin.engines.columns import LABEL, OUTCOME_TIMESTAMP, as_lake, lake_columns
from tocsin.engines.truths import Truth, Truths
from tocsin.errors import InvalidInputError
from tocsin.profiles import Plan, Profile, ProfileKey
from tocsin.schema import Schema
from tocsin.values import DAY

_EPOCH = date(1970, 1, 1)
# Row groups that wait beyond those that are worked on, so that no thread does.
_AHEAD = 2
_Profiles = dict[ProfileKey, Profile]


class LocalEngine:
    """Parquet files in this process."""

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or os.cpu_count() or 1
        self._truths = Truths(self._threads)

    def days(self, source: Source, schema: Schema) -> dict[date, str]:
        """For each day with predictions a text that changes when its rows or outcomes do."""
        groups = _row_groups(source, schema)
        if not groups:
            return {}
        truth = self._truths.of(source, schema)
        narrow = pa.concat_tables([group.narrow(source) for group in groups]).combine_chunks()
        for name, part in (("label", truth.label), ("told", truth.told)):
            if part is not None:
                narrow = narrow.append_column(name, part)
        if truth.keep is not None:
            narrow = narrow.filter(pa.array(truth.keep))
        return {
            _EPOCH + timedelta(days=int(day)): f"local:{text}"
            for day, text in sorted(self._truths.hashes(narrow).items())
        }

    def profile(
        self, source: Source, schema: Schema, plan: Plan, granularity: int, days: Collection[date]
    ) -> dict[ProfileKey, Profile]:
        """The profiles of some days, with the truth as far as it is known."""
        groups = _row_groups(source, schema)
        if not groups or not days:
            return {}
        truth = self._truths.of(source, schema)
        numbers = np.array(sorted((day - _EPOCH).days for day in days))
        fold = profile_predictions if truth.label is None else profile_joined

        def work(group: _RowGroup) -> _Profiles:
            table = group.read(source, schema, numbers, truth)
            return fold(plan, schema, table, granularity)

        total: _Profiles = {}
        for part in _in_order(self._threads, groups, work):
            total = merged(total.items(), part.items())
        return total

    def close(self) -> None:
        """Let go of the database."""
        self._truths.close()


@dataclass(frozen=True)
class _RowGroup:
    """A part of a file; first: the number of its first row among those of all files."""

    file: str
    number: int
    first: int
    rows: int
    columns: tuple[tuple[str, str], ...]

    def narrow(self, source: Source) -> pa.Table:
        """The day of its rows, and what else does not change but with them."""
        names = [source.name(column) for column in ("prediction_id", "model_version")]
        reader = pq.ParquetFile(self.file)
        at = dict(self.columns)["timestamp"]
        present = [name for name in names if name in reader.schema_arrow.names]
        table = reader.read_row_group(self.number, columns=[at, *present])
        times = micros(table[at])
        return pa.table(
            {
                "day": times // DAY,
                "timestamp": times,
                **{name: table[name] for name in present},
            }
        )

    def read(
        self, source: Source, schema: Schema, days: NDArray[np.int64], truth: Truth
    ) -> pa.Table:
        """Its rows in the columns of the lake, those that count and are of the days."""
        columns = dict(self.columns)
        wanted = list(dict.fromkeys(columns.values()))
        reader = pq.ParquetFile(self.file, read_dictionary=_texts(self.file, wanted))
        offsets = [] if source.until is None else ["inbox_offset"]
        table = reader.read_row_group(self.number, columns=[*wanted, *offsets], use_threads=False)
        rows = slice(self.first, self.first + self.rows)
        found = (
            pa.table({column: table[name] for column, name in columns.items()})
            if source.until is not None
            else as_lake(schema, table, columns)
        )
        if truth.label is not None and truth.told is not None:
            found = found.append_column(LABEL, truth.label[rows]).append_column(
                OUTCOME_TIMESTAMP, truth.told[rows]
            )
        keep = np.isin(micros(found["timestamp"]) // DAY, days)
        if truth.keep is not None:
            keep &= truth.keep[rows]
        if source.until is not None:
            keep &= table["inbox_offset"].to_numpy() <= source.until
        return found if keep.all() else found.filter(pa.array(keep))


def _row_groups(source: Source, schema: Schema) -> list[_RowGroup]:
    """All parts of all files of the predictions.

    Raises: InvalidInputError for a file that is no Parquet, or lacks a column.
    """
    found: list[_RowGroup] = []
    first = 0
    for file in source.predictions:
        if not os.path.isfile(file):
            raise InvalidInputError(
                f"there is no file or folder {file}; only Spark knows tables by name"
            )
        try:
            reader = pq.ParquetFile(file)
        except (pa.ArrowException, OSError) as error:
            raise InvalidInputError(f"{file} cannot be read as Parquet: {error}") from error
        columns = lake_columns(source, schema, reader.schema_arrow.names)
        for number in range(reader.metadata.num_row_groups):
            rows = reader.metadata.row_group(number).num_rows
            found.append(_RowGroup(file, number, first, rows, tuple(columns.items())))
            first += rows
    return found


def _texts(file: str, names: list[str]) -> list[str]:
    """The columns that are text: they are read as dictionaries, each value once."""
    schema = pq.read_schema(file)
    return [
        name
        for name in names
        if pa.types.is_string(schema.field(name).type)
        or pa.types.is_large_string(schema.field(name).type)
    ]


def _in_order(
    threads: int, groups: Iterable[_RowGroup], work: Callable[[_RowGroup], _Profiles]
) -> Iterator[_Profiles]:
    """What `work` makes of each group, in their order, with few of them in memory."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[_Profiles]] = []
        for group in groups:
            waiting.append(pool.submit(work, group))
            if len(waiting) >= threads + _AHEAD:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
