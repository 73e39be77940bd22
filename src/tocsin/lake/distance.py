"""How many outcomes are too far in time from all predictions that they name."""

from datetime import timedelta

import pyarrow as pa

from tocsin.lake.query import query

_FAR = """
    SELECT count(*) FILTER (NOT fits AND early) AS early,
           count(*) FILTER (NOT fits AND late) AS late
    FROM (
        SELECT bool_or(told.timestamp BETWEEN known.timestamp - to_microseconds($earliest)
                                      AND known.timestamp + to_microseconds($horizon)) AS fits,
               bool_and(told.timestamp < known.timestamp) AS early,
               bool_and(told.timestamp > known.timestamp) AS late
        FROM (SELECT *, row_number() OVER () AS number FROM told) AS told
        JOIN known USING (prediction_id)
        GROUP BY told.number
    )
"""

_NOT_NEAR = """
    SELECT told.* FROM told ANTI JOIN known
    ON told.prediction_id = known.prediction_id
       AND told.timestamp BETWEEN known.timestamp - to_microseconds($earliest)
                              AND known.timestamp + to_microseconds($horizon)
"""
_MICROSECOND = timedelta(microseconds=1)


def not_near(
    told: pa.Table, known: pa.Table, *, earliest: timedelta, horizon: timedelta
) -> pa.Table:
    """The outcomes that could not count for any of some predictions; as `far_outcomes`."""
    return query(
        _NOT_NEAR,
        {"told": told, "known": known},
        earliest=earliest // _MICROSECOND,
        horizon=horizon // _MICROSECOND,
    )


def far_outcomes(
    told: pa.Table, known: pa.Table, *, earliest: timedelta, horizon: timedelta
) -> tuple[int, int]:
    """Outcomes of known predictions that lie more than `earliest` before, or `horizon` behind them.

    told, known: the `prediction_id` and `timestamp` of outcomes and predictions.
    Returns: how many come too early, and too late.
    """
    (found,) = query(
        _FAR,
        {"told": told, "known": known},
        earliest=earliest // _MICROSECOND,
        horizon=horizon // _MICROSECOND,
    ).to_pylist()
    return found["early"], found["late"]
