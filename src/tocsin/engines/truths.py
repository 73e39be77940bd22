"""Which rows of some files count, and with which outcome: joined by DuckDB, told by row number."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tocsin.engines.arrow import MICROSECONDS
from tocsin.engines.base import EARLIEST, Source
from tocsin.engines.columns import LABEL, OUTCOME_TIMESTAMP, lake_labels
from tocsin.errors import InvalidInputError
from tocsin.schema import Schema

Keep = NDArray[np.bool_]


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
        self._database.execute("SET TimeZone = 'UTC'")

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def of(self, source: Source, schema: Schema) -> Truth:
        """The truth of all predictions of a source.

        Raises: InvalidInputError when a column is missing or cannot be compared.
        """
        names = pq.read_schema(source.predictions[0]).names
        identity = source.name("prediction_id")
        if identity not in names and source.outcomes:
            raise InvalidInputError(
                f"the predictions have no column {identity!r}, by which outcomes are joined"
            )
        rows = sum(pq.read_metadata(file).num_rows for file in source.predictions)
        keep = self._repeats(source, rows) if identity in names else None
        if source.outcomes:
            label, told = self._joined(source, rows)
        else:
            label, told = _beside(source, names)
        if label is not None and source.until is None:
            label = lake_labels(schema, label)
        return Truth(keep, label, told)

    def hashes(self, table: pa.Table) -> dict[str, str]:
        """A text per value of the column `day` that changes with the rows that have it."""
        mixed = ", ".join(f'"{name}"' for name in table.column_names)
        found = self._query(
            f"SELECT day, count(*) AS n, sum(hash({mixed})) AS mixed FROM wanted GROUP BY day",
            wanted=table,
        )
        return {row["day"]: f"{row['n']}:{int(row['mixed']):x}" for row in found.to_pylist()}

    def _repeats(self, source: Source, rows: int) -> Keep | None:
        """False for every row whose id an earlier row has; in the lake there are none."""
        if source.until is not None:
            return None
        identity, at = _quoted(source.name("prediction_id")), _quoted(source.name("timestamp"))
        files = source.predictions
        distinct = self._query(f"SELECT count(DISTINCT hash({identity})) AS n FROM {_read(files)}")
        if distinct["n"][0].as_py() == rows:
            return None
        repeats = self._query(
            "SELECT number FROM (SELECT number, row_number() OVER "
            f"(PARTITION BY {identity} ORDER BY {at}, number) AS place FROM {_numbered(files)}) "
            "WHERE place > 1"
        )
        keep = np.ones(rows, np.bool_)
        keep[repeats["number"].to_numpy()] = False
        return keep

    def _joined(self, source: Source, rows: int) -> tuple[pa.Array, pa.Array]:
        """The outcome that counts for each row."""
        names = pq.read_schema(source.outcomes[0]).names
        wanted = [source.outcome_name(c) for c in ("prediction_id", "timestamp", LABEL)]
        missing = [name for name in wanted if name not in names]
        if missing:
            raise InvalidInputError(
                f"the outcomes lack {', '.join(missing)}; they have {', '.join(names)}"
            )
        identity, told, label = (_quoted(name) for name in wanted)
        offset = "inbox_offset" if source.until is not None else "0"
        until = "" if source.until is None else f"AND inbox_offset <= {source.until}"
        found = self._query(
            f"WITH p AS (SELECT number, {_quoted(source.name('prediction_id'))} AS id, "
            f"{_quoted(source.name('timestamp'))} AS asked FROM {_numbered(source.predictions)}), "
            f"o AS (SELECT {identity} AS id, {told} AS told, {label} AS label, {offset} AS place "
            f"FROM {_read(source.outcomes)} WHERE {label} IS NOT NULL {until}) "
            f"SELECT number, told, place, label FROM p JOIN o USING (id) WHERE told BETWEEN asked - to_microseconds({EARLIEST}) "
            f"AND asked + to_microseconds({source.horizon})"
        )
        latest = _latest(found, rows)
        index = pa.array(latest, mask=latest < 0)
        labels, times = (found[name].combine_chunks() for name in ("label", "told"))
        return labels.take(index), times.take(index).cast(MICROSECONDS)

    def _query(self, sql: str, **tables: pa.Table) -> pa.Table:
        cursor = self._database.cursor()
        try:
            for name, table in tables.items():
                cursor.register(name, table)
            return cursor.sql(sql).to_arrow_table()
        except duckdb.Error as error:
            raise InvalidInputError(f"the source cannot be read: {error}") from error
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


def _beside(source: Source, names: Sequence[str]) -> tuple[pa.Array | None, pa.Array | None]:
    """Labels that stand beside their predictions, told at once if no column says when."""
    label, told = source.name(LABEL), source.name(OUTCOME_TIMESTAMP)
    if label not in names:
        return None, None
    told = told if told in names else source.name("timestamp")
    tables = [pq.read_table(file, columns=[label, told]) for file in source.predictions]
    table = pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    return tuple(
        part.chunk(0) if part.num_chunks == 1 else part.combine_chunks()
        for part in (table[label], table[told].cast(MICROSECONDS))
    )


def _numbered(files: Sequence[str]) -> str:
    """The rows of files with their number among those of all."""
    firsts = np.cumsum([0, *(pq.read_metadata(file).num_rows for file in files)])
    known = ", ".join(
        f"({_text(file)}, {first})" for file, first in zip(files, firsts, strict=False)
    )
    return (
        f"(SELECT rows.*, firsts.first + rows.file_row_number AS number FROM "
        f"read_parquet({_list(files)}, filename = true, file_row_number = true, "
        f"union_by_name = true) AS rows JOIN (VALUES {known}) AS firsts(filename, first) "
        "USING (filename))"
    )


def _read(files: Sequence[str]) -> str:
    return f"read_parquet({_list(files)}, union_by_name = true)"


def _list(files: Sequence[str]) -> str:
    # DuckDB reads a path as a pattern.
    escaped = ["".join(f"[{c}]" if c in "*?[" else c for c in file) for file in files]
    return f"[{', '.join(_text(file) for file in escaped)}]"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
