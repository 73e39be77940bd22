"""Which outcome counts for which prediction."""

from datetime import timedelta

import pyarrow as pa

from tocsin.lake.columns import OFFSET
from tocsin.lake.query import query

# A clock that is a little wrong may date an outcome before its prediction.
EARLIEST = timedelta(days=1)

# `now` is the latest valid outcome of all, `was` the latest of those that had been counted.
_JOIN = f"""
    WITH known AS (SELECT *, TRUE AS counted FROM stored
                   UNION ALL BY NAME SELECT *, FALSE AS counted FROM fresh),
    numbered AS (SELECT *, row_number() OVER () AS key FROM known),
    truths AS (SELECT prediction_id, label, timestamp AS told, TRUE AS counted,
                      struct_pack(a := timestamp, b := {OFFSET}, c := place) AS rank FROM earlier
               UNION ALL
               SELECT prediction_id, label, timestamp AS told, FALSE AS counted,
                      struct_pack(a := timestamp, b := {OFFSET}, c := place) AS rank FROM arrived),
    chosen AS (
        SELECT key,
               max_by(label, rank) AS now_label, max_by(told, rank) AS now_told,
               max_by(label, rank) FILTER (numbered.counted AND truths.counted) AS was_label,
               max_by(told, rank) FILTER (numbered.counted AND truths.counted) AS was_told
        FROM numbered JOIN truths USING (prediction_id)
        WHERE told BETWEEN timestamp - to_microseconds($earliest)
                     AND timestamp + to_microseconds($horizon)
        GROUP BY key)
    SELECT numbered.* EXCLUDE (key, counted), now_label, now_told, was_label, was_told
    FROM numbered JOIN chosen USING (key)
    WHERE was_label IS NULL OR was_label <> now_label OR was_told <> now_told
"""


def counting_labels(
    *,
    stored: pa.Table,
    fresh: pa.Table,
    earlier: pa.Table,
    arrived: pa.Table,
    horizon: timedelta,
) -> tuple[pa.Table, pa.Table]:
    """Predictions with the labels that begin to count, and with those that cease to.

    stored, fresh: predictions that were counted before, and that were not. earlier, arrived:
    outcomes likewise. Of all outcomes of a prediction between a day before it and `horizon` after
    it the latest counts, by (timestamp, inbox offset, place in the request).
    Returns: two tables of predictions with `label` and `outcome_timestamp`.
    """
    joined = query(
        _JOIN,
        {
            "stored": stored,
            "fresh": fresh,
            "earlier": _placed(earlier),
            "arrived": _placed(arrived),
        },
        earliest=EARLIEST // timedelta(microseconds=1),
        horizon=horizon // timedelta(microseconds=1),
    )
    replaced = joined.filter(joined["was_label"].is_valid())
    return _labelled(joined, "now"), _labelled(replaced, "was")


def _placed(outcomes: pa.Table) -> pa.Table:
    return outcomes.append_column("place", pa.array(range(outcomes.num_rows), pa.int64()))


def _labelled(joined: pa.Table, which: str) -> pa.Table:
    plain = joined.drop_columns(["now_label", "now_told", "was_label", "was_told"])
    return plain.append_column("label", joined[f"{which}_label"]).append_column(
        "outcome_timestamp", joined[f"{which}_told"]
    )
