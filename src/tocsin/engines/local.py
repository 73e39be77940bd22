"""This machine: DuckDB finds which outcome counts, threads read Parquet and run the kernel."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tocsin.engines.arrow import micros
from tocsin.engines.base import Source
from tocsin.engines.batches import merged, profile_joined, profile_predictions
from tocsin.engines.columns import AT, LABEL, OUTCOME_TIMESTAMP, as_lake
from tocsin.engines.files import File, prediction_columns, read_footers
from tocsin.engines.truths import Truth, Truths
from tocsin.profiles import Plan, Profile, ProfileKey
from tocsin.schema import Schema
from tocsin.values import DAY

_EPOCH = date(1970, 1, 1)
# Row groups that wait beyond those that are worked on, so that no thread does.
_AHEAD = 2
_Profiles = dict[ProfileKey, Profile]
_Found = TypeVar("_Found")


class LocalEngine:
    """Parquet files in this process."""

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or os.cpu_count() or 1
        self._truths = Truths(self._threads)

    def days(self, source: Source, schema: Schema) -> dict[date, str]:
        """For each day with predictions a text that changes when its rows or outcomes do."""
        groups, truth = self._read(source, schema)

        def work(group: _RowGroup) -> dict[int, tuple[int, int]]:
            table = group.read(source, schema, truth)
            return self._truths.hashes(table.append_column("day", _days(table)))

        total: dict[int, tuple[int, int]] = {}
        for part in _in_order(self._threads, groups, work):
            for day, (rows, mixed) in part.items():
                before = total.get(day, (0, 0))
                total[day] = (before[0] + rows, before[1] + mixed)
        return {
            _EPOCH + timedelta(days=day): f"local:{rows}:{mixed:x}"
            for day, (rows, mixed) in sorted(total.items())
        }

    def profile(
        self, source: Source, schema: Schema, plan: Plan, granularity: int, days: Collection[date]
    ) -> dict[ProfileKey, Profile]:
        """The profiles of some days, with the truth as far as it is known."""
        if not days:
            return {}
        groups, truth = self._read(source, schema)
        numbers = np.array(sorted((day - _EPOCH).days for day in days))

        def work(group: _RowGroup) -> _Profiles:
            table = group.read(source, schema, truth, numbers)
            fold = profile_joined if LABEL in table.column_names else profile_predictions
            return fold(plan, schema, table, granularity)

        total: _Profiles = {}
        near = [group for group in groups if group.may_hold(numbers)]
        for part in _in_order(self._threads, near, work):
            total = merged(total.items(), part.items())
        return total

    def close(self) -> None:
        """Let go of the database."""
        self._truths.close()

    def _read(self, source: Source, schema: Schema) -> tuple[list["_RowGroup"], Truth]:
        files = read_footers(source.predictions, source.opened)
        columns = prediction_columns(source, schema, files)
        return _row_groups(files, columns), self._truths.of(source, schema, files)


@dataclass(frozen=True)
class _RowGroup:
    """A part of a file.

    first: the number of its first row among those of all files. columns: what those of the lake are
    called; the file may lack some, which are null. span: its first and last day, if that is known.
    """

    file: File
    number: int
    first: int
    rows: int
    columns: dict[str, str]
    span: tuple[int, int] | None

    def may_hold(self, days: NDArray[np.int64]) -> bool:
        """Whether there can be rows of these days."""
        if self.span is None:
            return True
        return bool(np.any((days >= self.span[0]) & (days <= self.span[1])))

    def read(
        self,
        source: Source,
        schema: Schema,
        truth: Truth,
        days: NDArray[np.int64] | None = None,
    ) -> pa.Table:
        """Its rows in the columns of the lake, those that count and are of the days."""
        table = self._table(source)
        rows = slice(self.first, self.first + self.rows)
        found = (
            pa.table({column: table[name] for column, name in self.columns.items()})
            if source.until is not None
            else as_lake(schema, table, self.columns)
        )
        if truth.label is not None and truth.told is not None:
            found = found.append_column(LABEL, truth.label[rows]).append_column(
                OUTCOME_TIMESTAMP, truth.told[rows]
            )
        keep = np.ones(self.rows, np.bool_)
        if days is not None:
            keep &= np.isin(_days(found).to_numpy(), days)
        if truth.keep is not None:
            keep &= truth.keep[rows]
        if source.until is not None:
            keep &= table["inbox_offset"].to_numpy() <= source.until
        return found if keep.all() else found.filter(pa.array(keep))

    def _table(self, source: Source) -> pa.Table:
        """Its rows as they are, text as dictionaries, with null columns for those it lacks."""
        fields = self.file.fields
        offsets = [] if source.until is None else ["inbox_offset"]
        wanted = list(dict.fromkeys([*self.columns.values(), *offsets]))
        present = [name for name in wanted if name in fields]
        text = [name for name in present if _is_text(fields[name])]
        with self.file.reader(text) as reader:
            table = reader.read_row_group(self.number, columns=present, use_threads=False)
        for name in wanted:
            if name not in fields:
                table = table.append_column(name, pa.nulls(self.rows))
        return table


def _row_groups(files: list[File], columns: dict[str, str]) -> list[_RowGroup]:
    """All parts of all files of the predictions."""
    found: list[_RowGroup] = []
    first = 0
    for file in files:
        for number in range(file.metadata.num_row_groups):
            rows = file.metadata.row_group(number).num_rows
            span = file.days(number, columns[AT])
            if rows:
                found.append(_RowGroup(file, number, first, rows, columns, span))
            first += rows
    return found


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _days(table: pa.Table) -> pa.Array:
    return pa.array(micros(table[AT]) // DAY)


def _in_order(
    threads: int, groups: Iterable[_RowGroup], work: Callable[[_RowGroup], _Found]
) -> Iterator[_Found]:
    """What `work` makes of each group, in their order, with few of them in memory."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[_Found]] = []
        for group in groups:
            waiting.append(pool.submit(work, group))
            if len(waiting) >= threads + _AHEAD:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
