"""Rows of the lake as those of a reference are: by the names of the monitor, with labels."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.declared import Monitor
from tocsin.errors import InvalidInputError
from tocsin.lake import EARLIEST, ModelLake, Table, counting_labels
from tocsin.schema import Schema, Task
from tocsin.service.labels import days_around

# Inbox offsets never get there.
_ALL = 2**62


def recent_rows(
    lake: ModelLake, monitor: Monitor, start: int, end: int, most: int, *, seed: int
) -> pa.Table:
    """Some predictions of the event times [start, end) with the labels that are known of them.

    Outcomes that are joined by keys are not looked for: of a sample it cannot be told whose they
    are. Raises: InvalidInputError where there are none.
    """
    schema = monitor.schema
    found = lake.sample_predictions(start, end, most, seed=seed)
    if not found.num_rows:
        raise InvalidInputError("there are no predictions in so short a time; give a longer one")
    columns = {f.name: found[f.column] for f in schema.features}
    columns[schema.label] = _labels(lake, monitor, found)
    return pa.table({name: column.combine_chunks() for name, column in columns.items()})


def _labels(lake: ModelLake, monitor: Monitor, found: pa.Table) -> pa.ChunkedArray:
    """As the reference writes them, null where unknown, in the order of the predictions."""
    horizon = timedelta(microseconds=monitor.label_horizon)
    told = lake.find(
        Table.OUTCOMES,
        found["prediction_id"].combine_chunks(),
        until=_ALL,
        spans=days_around(found["timestamp"], before=EARLIEST, after=horizon),
    )
    labelled, _ = counting_labels(
        stored=found.slice(0, 0),
        fresh=found,
        earlier=told.slice(0, 0),
        arrived=told,
        horizon=horizon,
    )
    at = pc.index_in(found["prediction_id"], value_set=labelled["prediction_id"].combine_chunks())
    return _written(monitor.schema, labelled["label"].take(at))


def _written(schema: Schema, labels: pa.ChunkedArray) -> pa.ChunkedArray:
    if schema.task is not Task.BINARY:
        return labels
    texts = pa.array([str(label) for label in schema.labels])
    return pa.chunked_array([texts.take(labels.combine_chunks().cast(pa.int64()))])
