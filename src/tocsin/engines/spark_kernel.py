"""What the executors of Spark run: the kernel over the rows that each of them has."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from tocsin.engines.batches import merged, profile_joined, profile_predictions
from tocsin.engines.columns import LABEL, as_lake
from tocsin.profiles import Plan, Profile, ProfileKey
from tocsin.schema import Schema

PARTIAL = "version string, bucket long, segment string, vector binary"
# How vectors travel: three times as fast as the way they are stored.
CODEC = pa.Codec("zstd", 1)
# Rows that one executor hands to the kernel at once.
_BATCH_ROWS = 200_000


def partials(
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
        columns = {name: name for name in table.column_names}
        rows = table if lake else as_lake(own_schema, table, columns)
        fold = profile_joined if LABEL in columns else profile_predictions
        total = merged(total.items(), fold(own_plan, own_schema, rows, granularity).items())
    if total:
        keys = list(total)
        yield pa.record_batch(
            {
                "version": pa.array([key.version for key in keys], pa.string()),
                "bucket": pa.array([key.bucket for key in keys], pa.int64()),
                "segment": pa.array([key.segment for key in keys], pa.string()),
                "vector": pa.array(
                    [CODEC.compress(total[key].vector, asbytes=True) for key in keys], pa.binary()
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
