"""Rows of the lake as those of a reference are: by the names of the monitor, with labels."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.declared import Monitor
from tocsin.errors import InvalidInputError
from tocsin.lake import EARLIEST, ModelLake, Table, counting_labels
from tocsin.schema import Kind, Schema, Task
from tocsin.service.labels import days_around, distinct_keys

# Inbox offsets never get there.
_ALL = 2**62


def recent_rows(
    lake: ModelLake, monitor: Monitor, start: int, end: int, most: int, *, seed: int
) -> pa.Table:
    """Features of some predictions of the event times [start, end) with the labels that are known.

    Raises: InvalidInputError where there are none.
    """
    found = _sampled(lake, start, end, most, seed=seed)
    return _table(
        {**_features(monitor.schema, found), monitor.schema.label: _labels(lake, monitor, found)}
    )


def rows_as_reference(
    lake: ModelLake, monitor: Monitor, start: int, end: int, most: int
) -> pa.Table:
    """The same with outputs, and with times where features are times: all that a reference has."""
    schema = monitor.schema
    found = _sampled(lake, start, end, most, seed=0)
    columns = _features(schema, found)
    if any(f.kind is Kind.DATETIME for f in schema.features):
        columns.setdefault("timestamp", found["timestamp"])
    columns |= {n: found[c] for n, c in zip(schema.scores, schema.score_columns(), strict=True)}
    if schema.score is not None:
        columns[schema.score] = found["score"]
    if schema.prediction is not None:
        columns[schema.prediction] = _written(schema, found["prediction"])
    return _table({**columns, schema.label: _labels(lake, monitor, found)})


def _sampled(lake: ModelLake, start: int, end: int, most: int, *, seed: int) -> pa.Table:
    found = lake.sample_predictions(start, end, most, seed=seed)
    if not found.num_rows:
        raise InvalidInputError("there are no predictions in so short a time; give a longer one")
    return found


def _features(schema: Schema, found: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {f.name: found[f.column] for f in schema.features}


def _table(columns: dict[str, pa.ChunkedArray]) -> pa.Table:
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
    keys = monitor.schema.key_columns()
    candidates = found
    if keys:
        # A later prediction takes the outcomes that come after it.
        wanted = distinct_keys([found], keys)
        spans = days_around(found["timestamp"], before=timedelta(0), after=horizon)
        others = lake.find_by(Table.PREDICTIONS, wanted, until=_ALL, spans=spans)
        candidates = pa.concat_tables([found, _unlike(others, found)])
        keyed = lake.find_by(Table.OUTCOMES, wanted, until=_ALL, spans=spans)
        told = pa.concat_tables([told, keyed.filter(keyed["prediction_id"].is_null())])
    labelled, _ = counting_labels(
        stored=found.slice(0, 0),
        fresh=candidates,
        earlier=told.slice(0, 0),
        arrived=told,
        horizon=horizon,
        keys=keys,
    )
    at = pc.index_in(found["prediction_id"], value_set=labelled["prediction_id"].combine_chunks())
    return _written(monitor.schema, labelled["label"].take(at))


def _unlike(rows: pa.Table, found: pa.Table) -> pa.Table:
    """Rows that are not among those that were found."""
    known = pc.is_in(rows["prediction_id"], value_set=found["prediction_id"].combine_chunks())
    return rows.filter(pc.invert(known))


def _written(schema: Schema, labels: pa.ChunkedArray) -> pa.ChunkedArray:
    if schema.task is not Task.BINARY:
        return labels
    texts = pa.array([str(label) for label in schema.labels])
    return pa.chunked_array([texts.take(labels.combine_chunks().cast(pa.int64()))])
