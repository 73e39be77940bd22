"""A metric over time: as it was stored, or measured now."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.metrics import VOLUME_METRIC, Metric
from tocsin.profiles import EVERYTHING
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.service.maturity import final_after
from tocsin.service.stacks import window_profiles
from tocsin.service.views import Point, Series
from tocsin.values import Measure, Undefined, WindowSpec


def stored_series(
    record: ModelRecord,
    monitor: Monitor,
    metric: Metric,
    spec: WindowSpec,
    found: Sequence[Evaluation],
    as_of: int | None = None,
) -> Series:
    """A metric as it was stored.

    as_of: the wall time of which the evaluations are, None of now.
    """
    unknown = Undefined("this window was measured before the metric was declared")
    final = _final_until(record, monitor, found, as_of)
    points = tuple(
        Point(
            window=e.window,
            revision=e.revision,
            known_at=e.known_at,
            final=e.window.end <= final,
            rows=e.rows,
            coverage=e.coverage,
            versions=e.versions,
            measure=e.measures.get(metric.name, unknown),
        )
        for e in found
    )
    return Series(metric, spec, points, _reference(record, metric, EVERYTHING))


def measured_series(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    metrics: Sequence[Metric],
    spec: WindowSpec,
    found: Sequence[Evaluation],
    segment: str,
    version: str | None = None,
) -> dict[str, Series]:
    """Metrics that are not stored, from the profiles of the evaluated windows.

    version: of the rows of which version; of all of them when None.
    """
    stack, versions = window_profiles(
        connection,
        record,
        monitor.granularity,
        [e.window for e in found],
        segment=segment,
        version=version,
    )
    rows, labelled = stack.total("n"), stack.total("labelled")
    coverage = labelled / np.maximum(rows, 1)
    final = _final_until(record, monitor, found, None)

    def series(metric: Metric) -> Series:
        measured = metric.measure(stack)
        points = tuple(
            Point(
                window=e.window,
                revision=e.revision,
                known_at=e.known_at,
                final=e.window.end <= final,
                rows=round(float(rows[i])),
                coverage=float(coverage[i]),
                versions=versions[i],
                measure=measured.at(i),
            )
            for i, e in enumerate(found)
        )
        return Series(metric, spec, points, _reference(record, metric, segment), segment, version)

    return {metric.name: series(metric) for metric in metrics}


def _reference(record: ModelRecord, metric: Metric, segment: str) -> Measure:
    if segment != EVERYTHING:
        return Undefined("the reference is known of all rows only")
    if metric is VOLUME_METRIC:
        return Undefined("a reference has no number of rows in a window")
    return metric.measure(record.reference).at()


def _final_until(
    record: ModelRecord, monitor: Monitor, found: Sequence[Evaluation], as_of: int | None
) -> int:
    """The end of the newest window that has nearly all labels that will come.

    Of an earlier time, the newest window of then is how far the events had come.
    """
    watermark = (record.newest_event or 0) - monitor.lateness
    if as_of is not None:
        watermark = max((e.window.end for e in found), default=0)
    return watermark - final_after(record, monitor)
