"""Which labels rows change: all that may decide it is found, by id and by keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.declared import Monitor
from tocsin.lake import EARLIEST, ModelLake, Span, Table, counting_labels
from tocsin.values import DAY

_ONE_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, eq=False)
class Changed:
    """Predictions with the labels that begin to count, and with those that cease to.

    waited: stored outcomes that name a prediction which comes only now.
    """

    began: pa.Table
    ceased: pa.Table
    waited: pa.Table


def changed_labels(
    fresh: pa.Table, outcomes: pa.Table, lake: ModelLake, monitor: Monitor, *, folded: int
) -> Changed:
    """Which labels begin and cease to count.

    fresh, outcomes: rows that are not counted yet; those of offsets up to `folded` are.
    """
    horizon = timedelta(microseconds=monitor.label_horizon)
    stored = lake.find(
        Table.PREDICTIONS,
        _known(outcomes["prediction_id"]),
        until=folded,
        spans=days_around(outcomes["timestamp"], before=horizon, after=EARLIEST),
    )
    keys = monitor.schema.key_columns()
    keyed = outcomes.slice(0, 0)
    if keys:
        stored, keyed = _by_keys(fresh, stored, outcomes, lake, monitor, folded)
    predicted = pa.concat_tables(
        [part.select(["prediction_id", "timestamp"]) for part in (fresh, stored)]
    )
    earlier = lake.find(
        Table.OUTCOMES,
        predicted["prediction_id"].combine_chunks(),
        until=folded,
        spans=days_around(predicted["timestamp"], before=EARLIEST, after=horizon),
    )
    began, ceased = counting_labels(
        stored=stored,
        fresh=fresh,
        earlier=pa.concat_tables([earlier, keyed]),
        arrived=outcomes,
        horizon=horizon,
        keys=keys,
    )
    met = pc.is_in(earlier["prediction_id"], value_set=fresh["prediction_id"].combine_chunks())
    return Changed(began, ceased, earlier.filter(pc.and_(met, earlier["label"].is_valid())))


def labels_of_day(
    day: date, predictions: pa.Table, lake: ModelLake, monitor: Monitor, *, folded: int
) -> pa.Table:
    """The predictions of one day that have a label, with it."""
    horizon = timedelta(microseconds=monitor.label_horizon)
    after = day + timedelta(days=1) + horizon
    spans = ((day - EARLIEST, after),)
    ids = predictions["prediction_id"].combine_chunks()
    told = lake.find(Table.OUTCOMES, ids, until=folded, spans=spans)
    keys = monitor.schema.key_columns()
    candidates = predictions
    if keys:
        wanted = distinct_keys([predictions], keys)
        # A later prediction takes the outcomes that come after it.
        later = ((day + timedelta(days=1), after),)
        others = lake.find_by(Table.PREDICTIONS, wanted, until=folded, spans=later)
        candidates = pa.concat_tables([predictions, others])
        found = lake.find_by(Table.OUTCOMES, wanted, until=folded, spans=((day, after),))
        told = pa.concat_tables([told, found.filter(found["prediction_id"].is_null())])
    labelled, _ = counting_labels(
        stored=candidates.slice(0, 0),
        fresh=candidates,
        earlier=told.slice(0, 0),
        arrived=told,
        horizon=horizon,
        keys=keys,
    )
    if candidates is predictions:
        return labelled
    start = pa.scalar(datetime(day.year, day.month, day.day, tzinfo=UTC))
    return labelled.filter(pc.less(labelled["timestamp"], pc.add(start, timedelta(days=1))))


def days_around(
    timestamps: pa.ChunkedArray, *, before: timedelta, after: timedelta
) -> tuple[Span, ...]:
    """The days of some times, from `before` each to `after` it, as spans that do not meet.

    Not all from the first to the last: one row that is dated decades ago would have every day
    between looked through.
    """
    days = np.unique(timestamps.cast(pa.int64()).to_numpy() // DAY).tolist()
    earlier, later = -(-before // _ONE_DAY), -(-after // _ONE_DAY)
    spans: list[tuple[int, int]] = []
    for day in days:
        first, last = day - earlier, day + later
        if spans and first <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], last)
        else:
            spans.append((first, last))
    return tuple((_date(first), _date(last)) for first, last in spans)


def _date(day: int) -> date:
    """A day since 1970; Python's calendar has ends, and nothing lies beyond them."""
    ordinal = day + _EPOCH
    return date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))


def _by_keys(
    fresh: pa.Table,
    stored: pa.Table,
    outcomes: pa.Table,
    lake: ModelLake,
    monitor: Monitor,
    folded: int,
) -> tuple[pa.Table, pa.Table]:
    """All counted predictions and outcomes that share keys with rows that may change.

    A fresh prediction takes outcomes from the one before it, which is at most the horizon older
    than they are; to tell whose each of those is, one more horizon has to be looked at.
    """
    horizon = timedelta(microseconds=monitor.label_horizon)
    by_keys = outcomes.filter(outcomes["prediction_id"].is_null())
    changing = [fresh, stored, by_keys]
    wanted = distinct_keys(changing, monitor.schema.key_columns())
    times = pa.chunked_array(
        [chunk for part in changing for chunk in part["timestamp"].chunks],
        fresh["timestamp"].type,
    )
    around = days_around(times, before=2 * horizon, after=2 * horizon)
    found = lake.find_by(Table.PREDICTIONS, wanted, until=folded, spans=around)
    told = lake.find_by(Table.OUTCOMES, wanted, until=folded, spans=around)
    known = pc.is_in(stored["prediction_id"], value_set=found["prediction_id"].combine_chunks())
    return (
        pa.concat_tables([found, stored.filter(pc.invert(known))]),
        told.filter(told["prediction_id"].is_null()),
    )


def distinct_keys(parts: list[pa.Table], keys: Sequence[str]) -> pa.Table:
    """The distinct keys of some rows, those that are complete."""
    together = pa.concat_tables([part.select(list(keys)) for part in parts])
    return together.drop_null().group_by(list(keys)).aggregate([])


def _known(ids: pa.ChunkedArray) -> pa.Array:
    return ids.combine_chunks().drop_null()
