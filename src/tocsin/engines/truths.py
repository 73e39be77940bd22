"""Which rows of some files count, and with which outcome: joined by DuckDB, told by row number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tocsin.engines.arrow import MICROSECONDS
from tocsin.engines.base import EARLIEST, Source
from tocsin.engines.checks import ids_as_text
from tocsin.engines.columns import AT, ID, LABEL, lake_labels
from tocsin.engines.files import (
    File,
    all_names,
    columns_of_outcomes,
    numbered,
    read_footers,
)
from tocsin.errors import InvalidInputError
from tocsin.schema import Schema

Keep = NDArray[np.bool_]
# Which entry of the inbox a row of the lake came from.
OFFSET, PLACE = "inbox_offset", "inbox_place"
# When it came, to tell which of two of one time came later.
_ORDER = f"{OFFSET} * 4294967296 + {PLACE}"
# Columns of ours beside those of the files, which may have any name.
_FILE, _NUMBER = "tocsin_file", "tocsin_number"


@dataclass(frozen=True, eq=False)
class Truth:
    """Of all rows of the predictions' files, one after the other.

    keep: (n,) False for repeats; None where there are none.
    label, told: (n,) the outcome that counts and its time, null where there is none; or None.
    """

    keep: Keep | None
    label: pa.Array | None
    told: pa.Array | None


class Truths:
    """One DuckDB in this process."""

    def __init__(self, threads: int) -> None:
        self._database = duckdb.connect(config={"threads": threads})
        self._database.execute("SET GLOBAL TimeZone = 'UTC'")

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def of(self, source: Source, schema: Schema, files: Sequence[File]) -> Truth:
        """The truth of all predictions of a source, which are in `files`.

        Raises: InvalidInputError when a column is missing or cannot be compared.
        """
        known = source.name(ID) in all_names(files)
        keep = self._repeats(source, files) if known and source.until is None else None
        if not source.outcomes:
            return Truth(keep, None, None)
        label, told = self._joined(source, schema, files)
        return Truth(keep, label if source.until is not None else lake_labels(schema, label), told)

    def hashes(self, table: pa.Table) -> dict[int, tuple[int, int]]:
        """The rows per value of the column `day`, and a number that changes with them."""
        mixed = ", ".join(_quoted(name) for name in table.column_names)
        found = self._query(
            f"SELECT day, count(*) AS n, sum(hash({mixed})) AS mixed FROM wanted GROUP BY day",
            wanted=table,
        )
        return {row["day"]: (row["n"], int(row["mixed"])) for row in found.to_pylist()}

    def _repeats(self, source: Source, files: Sequence[File]) -> Keep | None:
        """False for every row whose id an earlier row has; rows without an id are no repeats."""
        identity, at = _quoted(source.name(ID)), _quoted(source.name(AT))
        distinct = self._query(
            f"SELECT count(DISTINCT hash({identity})) FILTER ({identity} IS NOT NULL) AS n, "
            f"count({identity}) AS known "
            f"FROM {_read(source.predictions)}"
        )
        if distinct["n"][0].as_py() == distinct["known"][0].as_py():
            return None
        rows = _numbered(files, source.name(ID), source.name(AT))
        repeats = self._query(
            f"SELECT number FROM (SELECT {_NUMBER} AS number, row_number() OVER "
            f"(PARTITION BY {identity} ORDER BY {at}, {_NUMBER}) AS place FROM {rows} "
            f"WHERE {identity} IS NOT NULL) WHERE place > 1"
        )
        keep = np.ones(_rows(files), np.bool_)
        keep[repeats["number"].to_numpy()] = False
        return keep

    def _joined(
        self, source: Source, schema: Schema, files: Sequence[File]
    ) -> tuple[pa.Array, pa.Array]:
        """The outcome that counts for each row."""
        outcomes = read_footers(source.outcomes, source.opened)
        columns = columns_of_outcomes(source, schema, outcomes)
        own = source.name(ID)
        ids = ids_as_text(_types(files, own), _types(outcomes, columns[ID]))
        text = "::VARCHAR" if ids else ""
        identity, label = _quoted(columns[ID]), _quoted(columns[LABEL])
        # In the lake an outcome without a label takes the earlier ones back.
        order, counted = "0", f"{label} IS NOT NULL"
        if source.until is not None:
            order, counted = _ORDER, f"{OFFSET} <= {source.until}"
        predicted, answered, tables = _relations(source, columns, files, outcomes)
        found = self._query(
            f"WITH p AS (SELECT {_NUMBER} AS number, {_quoted(own)}{text} AS id, "
            f"{_micros(source.name(AT))} AS asked FROM {predicted}), "
            f"o AS (SELECT {identity}{text} AS id, {_micros(columns[AT])} AS told, "
            f"{label} AS label, {order} AS place "
            f"FROM {answered} WHERE {counted}) "
            "SELECT number, told, place, label FROM p JOIN o USING (id) "
            f"WHERE told BETWEEN asked - {EARLIEST} AND asked + {source.horizon}",
            **tables,
        )
        latest = _latest(found, _rows(files))
        index = pa.array(latest, mask=latest < 0)
        labels, times = (found[name].combine_chunks() for name in ("label", "told"))
        return labels.take(index), times.take(index).cast(MICROSECONDS)

    def _query(self, sql: str, **tables: pa.Table | pa.RecordBatchReader) -> pa.Table:
        cursor = self._database.cursor()
        try:
            for name, table in tables.items():
                cursor.register(name, table)
            return cursor.sql(sql).to_arrow_table()
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            raise InvalidInputError(f"the source cannot be read: {said}") from error
        finally:
            cursor.close()


def _latest(found: pa.Table, rows: int) -> NDArray[np.int64]:
    """(rows,) for each row of the predictions where its latest outcome stands; -1 without any."""
    number = found["number"].to_numpy()
    place = np.full(rows, -1, np.int64)
    place[number] = np.arange(len(number))
    # Few rows have more than one outcome: only those are put in order, and the last one stays.
    several = np.flatnonzero(np.bincount(number, minlength=rows)[number] > 1)
    keys = [(name, "ascending") for name in ("told", "place", "label")]
    order = pc.sort_indices(found.take(pa.array(several)), sort_keys=keys).to_numpy()
    place[number[several[order]]] = several[order]
    return place


def _relations(
    source: Source, columns: Mapping[str, str], files: Sequence[File], outcomes: Sequence[File]
) -> tuple[str, str, dict[str, pa.RecordBatchReader]]:
    """What the join calls the numbered predictions and the outcomes, and what has to be handed over
    for that: DuckDB reads files of this machine only, Arrow the others."""
    names = [source.name(ID), source.name(AT)]
    if source.opened is None:
        return _numbered(files, *names), _read(source.outcomes), {}
    needed = [*columns.values(), OFFSET, PLACE]
    handed = {
        "elsewhere": numbered(files, names, _NUMBER),
        "answers": numbered(outcomes, needed, _NUMBER),
    }
    return "elsewhere", "answers", handed


def _rows(files: Sequence[File]) -> int:
    return sum(file.metadata.num_rows for file in files)


def _types(files: Sequence[File], name: str) -> list[pa.DataType]:
    """The types that a column has in files."""
    return [file.fields[name] for file in files if name in file.fields]


def _numbered(files: Sequence[File], *names: str) -> str:
    """Columns of files, with the number of each row among those of all."""
    firsts = np.cumsum([0, *(file.metadata.num_rows for file in files)])
    known = ", ".join(
        f"({_text(file.path)}, {first})" for file, first in zip(files, firsts, strict=False)
    )
    columns = ", ".join(_quoted(name) for name in dict.fromkeys(names))
    return (
        f"(SELECT {columns}, firsts.first + file_row_number AS {_NUMBER} FROM "
        f"read_parquet({_list([file.path for file in files])}, filename = '{_FILE}', "
        "file_row_number = true, union_by_name = true, hive_partitioning = false) "
        f"JOIN (VALUES {known}) AS firsts({_FILE}, first) USING ({_FILE}))"
    )


def _read(files: Sequence[str]) -> str:
    return f"read_parquet({_list(files)}, union_by_name = true, hive_partitioning = false)"


def _list(files: Sequence[str]) -> str:
    # DuckDB reads a path as a pattern.
    escaped = ["".join(f"[{c}]" if c in "*?[" else c for c in file) for file in files]
    return f"[{', '.join(_text(file) for file in escaped)}]"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _micros(name: str) -> str:
    """A column of times, of whatever unit and zone, in microseconds since 1970."""
    return f"epoch_us({_quoted(name)}::TIMESTAMPTZ)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
