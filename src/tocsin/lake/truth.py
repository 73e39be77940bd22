"""Which outcome counts for which prediction."""

from collections.abc import Sequence
from datetime import timedelta

import pyarrow as pa

from tocsin.lake.columns import OFFSET, PLACE
from tocsin.lake.query import query

# A clock that is a little wrong may date an outcome before its prediction.
EARLIEST = timedelta(days=1)

# `now` is the latest valid outcome of all, `was` the latest of those that had been counted. An
# outcome without a label takes the earlier ones back.
_JOIN = """
    WITH known AS (SELECT *, TRUE AS counted FROM stored
                   UNION ALL BY NAME SELECT *, FALSE AS counted FROM fresh),
    numbered AS (SELECT *, row_number() OVER () AS number FROM known),
    truths AS (SELECT *, TRUE AS counted FROM earlier
               UNION ALL BY NAME SELECT *, FALSE AS counted FROM arrived),
    told AS (SELECT *, {{'label': label, 'told': CASE WHEN label IS NOT NULL THEN timestamp END}}
                    AS truth, {{'a': timestamp, 'b': {offset}, 'c': {place}}} AS rank FROM truths),
    pairs AS ({pairs}),
    chosen AS (SELECT number,
                      max_by(truth, rank) FILTER (of_now) AS now,
                      max_by(truth, rank) FILTER (of_was) AS was
               FROM pairs GROUP BY number)
    SELECT numbered.* EXCLUDE (number, counted),
           now.label AS now_label, now.told AS now_told,
           was.label AS was_label, was.told AS was_told
    FROM numbered JOIN chosen USING (number)
    WHERE now.label IS DISTINCT FROM was.label OR now.told IS DISTINCT FROM was.told
"""
_BY_ID = """
    SELECT number, truth, rank, TRUE AS of_now, numbered.counted AND told.counted AS of_was
    FROM numbered JOIN told USING (prediction_id)
    WHERE told.timestamp BETWEEN numbered.timestamp - to_microseconds($earliest)
                             AND numbered.timestamp + to_microseconds($horizon)
"""
# Without an id an outcome is that of the latest prediction before it: as known now, and as it was.
_BY_KEYS = """
    SELECT max_by(number, near) AS number, any_value(truth) AS truth, any_value(rank) AS rank,
           {now} AS of_now, NOT {now} AS of_was
    FROM (SELECT numbered.number, truth, rank, numbered.counted AND told.counted AS counted,
                 {{'a': numbered.timestamp, 'b': numbered.prediction_id}} AS near
          FROM numbered JOIN told USING ({keys})
          WHERE told.prediction_id IS NULL
            AND told.timestamp BETWEEN numbered.timestamp
                                   AND numbered.timestamp + to_microseconds($horizon))
    WHERE {now} OR counted
    GROUP BY rank
"""


def counting_labels(
    *,
    stored: pa.Table,
    fresh: pa.Table,
    earlier: pa.Table,
    arrived: pa.Table,
    horizon: timedelta,
    keys: Sequence[str] = (),
) -> tuple[pa.Table, pa.Table]:
    """Predictions with the labels that begin to count, and with those that cease to.

    stored, fresh: predictions that were counted before, and that were not. earlier, arrived:
    outcomes likewise. Of all outcomes of a prediction between a day before it and `horizon` after
    it the latest counts, by (timestamp, inbox offset, place in its entry); if it has no label, none
    does. keys: columns that tell whose an outcome without an id is: of the latest prediction with
    them before it, no more than `horizon` ago; of two at one time, the one with the larger id.
    Returns: two tables of predictions with `label` and `outcome_timestamp`.
    """
    if earlier.num_rows == 0 and arrived.num_rows == 0:
        none = _unlabelled(fresh.slice(0, 0), arrived)
        return none, none
    pairs = [_BY_ID]
    if keys:
        quoted = ", ".join('"' + key.replace('"', '""') + '"' for key in keys)
        pairs += [_BY_KEYS.format(keys=quoted, now=now) for now in ("TRUE", "FALSE")]
    joined = query(
        _JOIN.format(offset=OFFSET, place=PLACE, pairs=" UNION ALL BY NAME ".join(pairs)),
        {"stored": stored, "fresh": fresh, "earlier": earlier, "arrived": arrived},
        earliest=EARLIEST // timedelta(microseconds=1),
        horizon=horizon // timedelta(microseconds=1),
    )
    began = joined.filter(joined["now_label"].is_valid())
    ceased = joined.filter(joined["was_label"].is_valid())
    return _labelled(began, "now"), _labelled(ceased, "was")


def _unlabelled(predictions: pa.Table, outcomes: pa.Table) -> pa.Table:
    """No predictions, with the columns of a label."""
    return predictions.append_column("label", outcomes["label"].slice(0, 0)).append_column(
        "outcome_timestamp", outcomes["timestamp"].slice(0, 0)
    )


def _labelled(joined: pa.Table, which: str) -> pa.Table:
    plain = joined.drop_columns(["now_label", "now_told", "was_label", "was_told"])
    return plain.append_column("label", joined[f"{which}_label"]).append_column(
        "outcome_timestamp", joined[f"{which}_told"]
    )
