"""SQL over Arrow tables and Parquet files, in one in-process DuckDB."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa


def query(sql: str, tables: Mapping[str, pa.Table], **parameters: Any) -> pa.Table:
    """The answer to a query over named tables; any thread may ask."""
    # A cursor is a connection of its own to the one database: opening that takes 10 ms.
    connection = _database().cursor()
    try:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql, params=parameters or None).to_arrow_table()
    finally:
        connection.close()


@cache
def _database() -> duckdb.DuckDBPyConnection:
    # Two: the files of a fold are small, and the process has other work.
    database = duckdb.connect(config={"threads": 2})
    database.execute("SET GLOBAL TimeZone = 'UTC'")
    return database
