"""SQL over Arrow tables and Parquet files, in one in-process DuckDB."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from tocsin.lake.folder import FILE, Folder


def query(sql: str, tables: Mapping[str, Any], **parameters: Any) -> pa.Table:
    """The answer to a query over named Arrow tables or readers; any thread may ask."""
    # A cursor is a connection of its own to the one database: opening that takes 10 ms.
    connection = _database().cursor()
    try:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql, params=parameters or None).to_arrow_table()
    finally:
        connection.close()


def query_files(
    sql: str, folder: Folder, files: Sequence[str], schema: pa.Schema, **tables: pa.Table
) -> pa.Table:
    """The answer to a query over `rows`: those of Parquet files in a folder, null where one lacks
    a column of `schema`, with their place in `FILE`.

    DuckDB reads the files of this machine, and more of them than `schema` has; Arrow those of an
    object store, just the columns of `schema`.
    """
    if folder.local:
        rows = (
            "WITH rows AS (FROM read_parquet($files, union_by_name = true, "
            f"hive_partitioning = false, filename = '{FILE}')) "
        )
        return query(rows + sql, tables, files=[_pattern(file) for file in files])
    return query(sql, {**tables, "rows": folder.batches(files, schema)})


@cache
def _database() -> duckdb.DuckDBPyConnection:
    # Two: the files of a fold are small, and the process has other work.
    database = duckdb.connect(config={"threads": 2})
    database.execute("SET GLOBAL TimeZone = 'UTC'")
    return database


def _pattern(address: str) -> str:
    """What DuckDB reads as just this file: it takes a path for a pattern."""
    return re.sub(r"([\[*?])", r"[\1]", address)
