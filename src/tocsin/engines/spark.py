"""Spark: it reads and joins where the rows are, and the executors run the same kernel."""

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial, reduce
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tocsin.engines.base import EARLIEST, Source
from tocsin.engines.batches import merged
from tocsin.engines.checks import check_types, ids_as_text
from tocsin.engines.columns import (
    AT,
    ID,
    LABEL,
    OUTCOME_TIMESTAMP,
    lake_columns,
    outcome_columns,
)
from tocsin.engines.spark_kernel import CODEC, PARTIAL, partials
from tocsin.engines.spark_session import quiet, spark_session, told
from tocsin.errors import InvalidInputError
from tocsin.profiles import Plan, Profile, ProfileKey
from tocsin.schema import Schema
from tocsin.values import DAY

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_EPOCH = date(1970, 1, 1)


class SparkEngine:
    """A Spark cluster, or Spark in this machine with a master such as `local[2]`."""

    def __init__(self, master: str) -> None:
        self._session = spark_session(master)

    def days(self, source: Source, schema: Schema) -> dict[date, str]:
        """For each day with predictions a text that changes when its rows or outcomes do."""
        from pyspark.sql import functions as f

        rows = self._joined(source, schema)
        mixed = f.xxhash64(*(c for c in rows.columns if c != ID)).cast("decimal(38,0)")
        found = rows.groupBy(_day().alias("day")).agg(
            f.count(f.lit(1)).alias("n"), f.sum(mixed).alias("mixed")
        )
        with _refused("the source"):
            hashed = found.collect()
        unknown = sum(row["n"] for row in hashed if row["day"] is None)
        if unknown:
            raise InvalidInputError(
                f"{unknown:,} predictions have no {source.name(AT)!r}, by which they belong to a "
                "day; fill it, or leave them out"
            )
        try:
            return {
                _EPOCH + timedelta(days=row["day"]): f"spark:{row['n']}:{int(row['mixed']):x}"
                for row in hashed
            }
        except OverflowError as error:
            raise InvalidInputError(
                f"{source.name(AT)!r} has times beyond the year 9999; correct them, or leave them "
                "out"
            ) from error

    def profile(
        self, source: Source, schema: Schema, plan: Plan, granularity: int, days: Collection[date]
    ) -> dict[ProfileKey, Profile]:
        """The profiles of some days, with the truth as far as it is known."""
        rows = self._joined(source, schema)
        rows = rows.where(_day().isin([(day - _EPOCH).days for day in days]))
        kernel = partial(
            partials,
            plan=plan.to_dict(),
            schema=schema.to_dict(),
            granularity=granularity,
            lake=source.until is not None,
        )
        with quiet(), _refused("the source"):
            found = rows.mapInArrow(kernel, PARTIAL).collect()
        size = plan.layout.size * 8
        return merged(
            (
                ProfileKey(row["version"], row["bucket"], row["segment"]),
                Profile(plan, np.frombuffer(CODEC.decompress(row["vector"], size), np.float64)),
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
        types = _types(given)
        columns = lake_columns(source, schema, given.columns)
        if source.until is not None:
            given = given.where(f.col("inbox_offset") <= source.until)
            columns |= {ID: ID}
        check_types(schema, columns, types, "the predictions")
        # What the lake lacks came later.
        lacking = f.lit(None).cast("string")
        rows = given.select(
            [
                (f.col(_quoted(name)) if name in types else lacking).alias(column)
                for column, name in columns.items()
            ]
        )
        for moment in (AT, OUTCOME_TIMESTAMP):
            if moment in columns:
                rows = rows.withColumn(moment, f.col(moment).cast("timestamp"))
        if ID in columns and source.until is None:
            rows = _without_repeats(rows)
        if not source.outcomes:
            return rows
        return self._with_outcomes(rows, source, schema, types[columns[ID]])

    def _with_outcomes(
        self, rows: "DataFrame", source: Source, schema: Schema, identity: pa.DataType
    ) -> "DataFrame":
        """The latest outcome of each row; the outcomes of an id are shuffled to it once."""
        from pyspark.sql import functions as f

        given = self._frame(source.outcomes)
        types = _types(given)
        columns = outcome_columns(source, given.columns)
        check_types(schema, columns, types, "the outcomes")
        known, told, label = (f.col(_quoted(columns[column])) for column in (ID, AT, LABEL))
        place, counted = f.lit(0), label.isNotNull()
        if source.until is not None:
            # In the lake an outcome without a label takes the earlier ones back.
            place = f.col("inbox_offset") * f.lit(2**32) + f.col("inbox_place")
            counted = f.col("inbox_offset") <= source.until
        if ids_as_text([identity], [types[columns[ID]]]):
            rows, known = rows.withColumn(ID, f.col(ID).cast("string")), known.cast("string")
        outcomes = (
            given.where(counted)
            .groupBy(known.alias(ID))
            .agg(
                f.collect_list(
                    f.struct(
                        f.unix_micros(told.cast("timestamp")).alias("told"),
                        place.alias("place"),
                        label.alias("label"),
                    )
                ).alias("outcomes")
            )
        )
        return _with_latest(rows.join(outcomes, ID, "left"), source.horizon)

    def _frame(self, names: tuple[str, ...]) -> "DataFrame":
        """Files, or the one table of this name."""
        with _refused(names[0]):
            if not _are_files(names):
                return self._session.table(names[0])
            try:
                return self._files(names)
            except Exception as error:
                if "MERGE_SCHEMAS" not in str(error):
                    raise
        # Files of different types: each by itself, and then all in the wider ones.
        with _refused(f"{names[0]} and its like together"):
            frames: dict[str, list[str]] = {}
            for name in names:
                frames.setdefault(self._files([name]).schema.json(), []).append(name)
            parts = [self._files(group) for group in frames.values()]
            return reduce(lambda a, b: a.unionByName(b, allowMissingColumns=True), parts)

    def _files(self, names: Sequence[str]) -> "DataFrame":
        hidden = [name for name in names if os.path.basename(name).startswith(("_", "."))]
        if hidden:
            raise InvalidInputError(
                f"Spark passes over files such as {hidden[0]}, which begin with _ or a dot; rename "
                "it, or use the local engine"
            )
        # Spark reads a path as a pattern.
        files = [re.sub(r"([\[\]{}*?\\])", r"\\\1", name) for name in names]
        return self._session.read.option("mergeSchema", "true").parquet(*files)


def _are_files(names: Sequence[str]) -> bool:
    return all("/" in name or name.endswith(".parquet") or os.path.isfile(name) for name in names)


def _types(frame: "DataFrame") -> dict[str, pa.DataType]:
    """The types of a frame's columns as Arrow's."""
    from pyspark.errors import PySparkException
    from pyspark.sql.pandas.types import to_arrow_type

    found = {}
    for field in frame.schema.fields:
        try:
            found[field.name] = to_arrow_type(field.dataType, timezone="UTC")
        except PySparkException:
            # Nothing that a schema has, and nothing to be asked for.
            found[field.name] = pa.struct([])
    return found


@contextmanager
def _refused(what: str) -> Iterator[None]:
    """Errors of Spark as ours."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise InvalidInputError(f"Spark cannot read {what}: {told(error)}") from error


def _with_latest(rows: "DataFrame", horizon: int) -> "DataFrame":
    """Label and outcome timestamp out of all the outcomes of a prediction."""
    from pyspark.sql import functions as f

    asked = f.unix_micros(f.col(AT))
    inside: Callable[[Column], Column] = lambda o: (  # noqa: E731
        (o["told"] >= asked - EARLIEST) & (o["told"] <= asked + horizon)
    )
    return (
        rows.withColumn("latest", f.array_max(f.filter("outcomes", inside)))
        .withColumn(LABEL, f.col("latest.label"))
        .withColumn(OUTCOME_TIMESTAMP, f.timestamp_micros(f.col("latest.told")))
        .drop("outcomes", "latest")
    )


def _without_repeats(rows: "DataFrame") -> "DataFrame":
    """The first prediction of each id; rows without one are no repeats."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    mixed = f.xxhash64(*rows.columns)
    # Or all rows without an id would be looked at by one executor.
    apart = f.when(f.col(ID).isNull(), mixed)
    first = Window.partitionBy(ID, apart).orderBy(AT, mixed)
    return (
        rows.withColumn("place", f.row_number().over(first))
        .where(f.col(ID).isNull() | (f.col("place") == 1))
        .drop("place")
    )


def _day() -> "Column":
    from pyspark.sql import functions as f

    return f.floor(f.unix_micros(f.col(AT)) / f.lit(DAY)).cast("int")


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
