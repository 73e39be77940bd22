"""Spark: it reads and joins where the rows are, and the executors run the same kernel."""

import os
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tocsin.engines.base import EARLIEST, Source
from tocsin.engines.batches import merged, profile_joined, profile_predictions
from tocsin.engines.columns import (
    LABEL,
    OUTCOME_TIMESTAMP,
    as_lake,
    lake_columns,
    lake_labels,
)
from tocsin.errors import InvalidInputError, StartupError
from tocsin.profiles import Plan, Profile, ProfileKey
from tocsin.schema import Schema
from tocsin.values import DAY

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_EPOCH = date(1970, 1, 1)
# Rows that one executor hands to the kernel at once.
_BATCH_ROWS = 200_000
_PARTIAL = "version string, bucket long, segment string, vector binary"
# How vectors travel: three times as fast as the way they are stored.
_CODEC = pa.Codec("zstd", 1)
_ID, _AT = "prediction_id", "timestamp"


class SparkEngine:
    """A Spark cluster, or Spark in this machine with a master such as `local[2]`."""

    def __init__(self, master: str) -> None:
        self._session = _session(master)

    def days(self, source: Source, schema: Schema) -> dict[date, str]:
        """For each day with predictions a text that changes when its rows or outcomes do."""
        from pyspark.sql import functions as f

        rows = self._joined(source, schema)
        kept = [
            c for c in (_ID, _AT, "model_version", LABEL, OUTCOME_TIMESTAMP) if c in rows.columns
        ]
        mixed = f.xxhash64(*kept).cast("decimal(38,0)")
        found = rows.groupBy(_day().alias("day")).agg(
            f.count(f.lit(1)).alias("n"), f.sum(mixed).alias("mixed")
        )
        return {
            _EPOCH + timedelta(days=row["day"]): f"spark:{row['n']}:{int(row['mixed']):x}"
            for row in self._collected(found)
        }

    def profile(
        self, source: Source, schema: Schema, plan: Plan, granularity: int, days: Collection[date]
    ) -> dict[ProfileKey, Profile]:
        """The profiles of some days, with the truth as far as it is known."""
        rows = self._joined(source, schema)
        rows = rows.where(_day().isin([(day - _EPOCH).days for day in days]))
        kernel = partial(
            _partials,
            plan=plan.to_dict(),
            schema=schema.to_dict(),
            granularity=granularity,
            lake=source.until is not None,
        )
        with _quiet():
            found = self._collected(rows.mapInArrow(kernel, _PARTIAL))
        size = plan.layout.size * 8
        return merged(
            (
                ProfileKey(row["version"], row["bucket"], row["segment"]),
                Profile(plan, np.frombuffer(_CODEC.decompress(row["vector"], size), np.float64)),
            )
            for row in found
        )

    def close(self) -> None:
        """Stop the session."""
        self._session.stop()

    def _joined(self, source: Source, schema: Schema) -> "DataFrame":
        """The predictions that count in the columns of the lake, with the outcome that counts."""
        from pyspark.sql import functions as f

        given = self._frame(source.predictions)
        columns = lake_columns(source, schema, given.columns)
        identity = source.name(_ID)
        if identity in given.columns:
            columns[_ID] = identity
        elif source.outcomes:
            raise InvalidInputError(
                f"the predictions have no column {identity!r}, by which outcomes are joined"
            )
        beside = {LABEL: source.name(LABEL), OUTCOME_TIMESTAMP: source.name(OUTCOME_TIMESTAMP)}
        if not source.outcomes and beside[LABEL] in given.columns:
            if beside[OUTCOME_TIMESTAMP] not in given.columns:
                beside[OUTCOME_TIMESTAMP] = source.name(_AT)
            columns |= beside
        if source.until is not None:
            given = given.where(f.col("inbox_offset") <= source.until)
        rows = given.select([f.col(_quoted(name)).alias(c) for c, name in columns.items()])
        if _ID in columns and source.until is None:
            rows = _without_repeats(rows)
        return self._with_outcomes(rows, source) if source.outcomes else rows

    def _with_outcomes(self, rows: "DataFrame", source: Source) -> "DataFrame":
        """The latest outcome of each row; the outcomes of an id are shuffled to it once."""
        from pyspark.sql import functions as f

        given = self._frame(source.outcomes)
        names = {column: source.outcome_name(column) for column in (_ID, _AT, LABEL)}
        missing = [name for name in names.values() if name not in given.columns]
        if missing:
            raise InvalidInputError(
                f"the outcomes lack {', '.join(missing)}; they have {', '.join(given.columns)}"
            )
        place = f.lit(0)
        if source.until is not None:
            given, place = given.where(f.col("inbox_offset") <= source.until), f.col("inbox_offset")
        told, label = f.col(_quoted(names[_AT])), f.col(_quoted(names[LABEL]))
        outcomes = (
            given.where(label.isNotNull())
            .groupBy(f.col(_quoted(names[_ID])).alias(_ID))
            .agg(
                f.collect_list(
                    f.struct(
                        f.unix_micros(told).alias("told"),
                        place.alias("place"),
                        label.alias("label"),
                    )
                ).alias("outcomes")
            )
        )
        asked = f.unix_micros(f.col(_AT))
        inside: Callable[[Column], Column] = lambda o: (  # noqa: E731
            (o["told"] >= asked - EARLIEST) & (o["told"] <= asked + source.horizon)
        )
        latest = f.array_max(f.filter("outcomes", inside))
        return (
            rows.join(outcomes, _ID, "left")
            .withColumn("latest", latest)
            .withColumn(LABEL, f.col("latest.label"))
            .withColumn(OUTCOME_TIMESTAMP, f.timestamp_micros(f.col("latest.told")))
            .drop("outcomes", "latest")
        )

    def _frame(self, names: tuple[str, ...]) -> "DataFrame":
        """Files, or the one table of this name."""
        from pyspark.errors import PySparkException

        try:
            if all(name.endswith(".parquet") for name in names):
                # Spark reads a path as a pattern.
                files = [re.sub(r"([\[\]{}*?\\])", r"\\\1", name) for name in names]
                return self._session.read.option("mergeSchema", "true").parquet(*files)
            return self._session.table(names[0])
        except PySparkException as error:
            raise InvalidInputError(f"Spark cannot read {names[0]}: {_told(error)}") from error

    def _collected(self, frame: "DataFrame") -> list[Any]:
        from pyspark.errors import PySparkException

        try:
            rows: list[Any] = frame.collect()
        except PySparkException as error:
            raise InvalidInputError(f"Spark could not read the source: {_told(error)}") from error
        return rows


def _session(master: str) -> "SparkSession":
    from pyspark.sql import SparkSession

    builder = (
        SparkSession.builder.appName("tocsin")
        .master(master)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "65536")
    )
    if master.startswith("local"):
        # The executors are this machine and can have this very Python; Spark asks the environment.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        with _quiet():
            return builder.getOrCreate()
    except Exception as error:
        raise StartupError(f"no Spark at {master}: {_told(error)}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Spark warns of newer versions of pandas, which is not used here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support", FutureWarning)
        yield


def _without_repeats(rows: "DataFrame") -> "DataFrame":
    """The first prediction of each id."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    first = Window.partitionBy(_ID).orderBy(_AT, f.xxhash64(*rows.columns))
    return rows.withColumn("place", f.row_number().over(first)).where("place = 1").drop("place")


def _day() -> "Column":
    from pyspark.sql import functions as f

    return f.floor(f.unix_micros(f.col(_AT)) / f.lit(DAY)).cast("int")


def _partials(
    batches: Iterator[pa.RecordBatch],
    *,
    plan: dict[str, Any],
    schema: dict[str, Any],
    granularity: int,
    lake: bool,
) -> Iterator[pa.RecordBatch]:
    """In an executor: the profiles of its rows, one row per key."""
    own_plan, own_schema = Plan.from_dict(plan), Schema.from_dict(schema)
    total: dict[ProfileKey, Profile] = {}
    for table in _tables(batches):
        columns = {
            name: name for name in table.column_names if name not in (LABEL, OUTCOME_TIMESTAMP)
        }
        columns.pop(_ID, None)
        rows = table.select(list(columns)) if lake else as_lake(own_schema, table, columns)
        fold = profile_predictions
        if LABEL in table.column_names:
            label = table[LABEL].combine_chunks()
            label = label if lake else lake_labels(own_schema, label)
            rows = rows.append_column(LABEL, label)
            rows = rows.append_column(OUTCOME_TIMESTAMP, table[OUTCOME_TIMESTAMP])
            fold = profile_joined
        total = merged(total.items(), fold(own_plan, own_schema, rows, granularity).items())
    if total:
        keys = list(total)
        yield pa.record_batch(
            {
                "version": pa.array([key.version for key in keys], pa.string()),
                "bucket": pa.array([key.bucket for key in keys], pa.int64()),
                "segment": pa.array([key.segment for key in keys], pa.string()),
                "vector": pa.array(
                    [_CODEC.compress(total[key].vector, asbytes=True) for key in keys], pa.binary()
                ),
            }
        )


def _tables(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches put together to what the kernel works on best."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= _BATCH_ROWS:
            yield pa.Table.from_batches(waiting)
            waiting, rows = [], 0
    if rows:
        yield pa.Table.from_batches(waiting)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _told(error: Exception) -> str:
    """What Spark says in a line: of a Python traceback the last one, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    last = [i for i, line in enumerate(lines) if line.startswith("Traceback")]
    if not last:
        return lines[0]
    ends = [line for line in lines[last[0] :] if re.match(r"\w+(\.\w+)*(Error|Exception): ", line)]
    told = ends[-1] if ends else lines[0]
    if "No module named 'tocsin'" in told:
        told += "; install tocsin[server] for the executors' Python, and name it in PYSPARK_PYTHON"
    return told
