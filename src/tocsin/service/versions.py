"""The versions of a model beside each other, and what one of them alone looks like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.drift import Shift
from tocsin.metrics import Metric
from tocsin.profiles import Profile
from tocsin.records import evaluations, profiles
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.service.measure import drifts
from tocsin.service.stacks import window_profiles
from tocsin.service.trailing import reference_of
from tocsin.service.views import DriftPoint
from tocsin.service.windows import by_column, like_ends
from tocsin.values import Measure, Window, WindowSpec


@dataclass(frozen=True)
class VersionColumn:
    """One version: its part of the rows, when they came, and its numbers.

    first, last: starts of the first and the last bucket with rows in the window.
    """

    version: str
    rows: int
    labelled: int
    share: float
    first: int
    last: int
    measures: Mapping[str, Measure]


@dataclass(frozen=True)
class VersionsView:
    """The versions over one window, those with most rows first."""

    window: Window
    metrics: tuple[Metric, ...]
    columns: tuple[VersionColumn, ...]
    reference: Mapping[str, Measure]


def versions_of(
    connection: Connection, record: ModelRecord, monitor: Monitor, span: int
) -> VersionsView | None:
    """The versions that predicted in the newest `span`, all rows of it; None without any."""
    if record.newest_event is None:
        return None
    end = record.newest_event // monitor.granularity * monitor.granularity + monitor.granularity
    totals: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    buckets: dict[str, list[int]] = {}
    for key, profile in profiles.stored(connection, record.id, record.plan, end - span, end):
        totals[key.version] = totals.get(key.version, 0) + profile.vector
        buckets.setdefault(key.version, []).append(key.bucket)
    if not totals:
        return None
    # No further back than there are rows: a span may be longer than the calendar.
    window = Window(max(end - span, min(map(min, buckets.values()))), end)
    stack = Profile(record.plan, np.stack(list(totals.values())))
    rows, labelled = stack.total("n"), stack.total("labelled")
    metrics = tuple(monitor.metrics.values())
    measured = {metric.name: metric.measure(stack) for metric in metrics}
    columns = [
        VersionColumn(
            version=version,
            rows=round(float(rows[i])),
            labelled=round(float(labelled[i])),
            share=float(rows[i] / max(rows.sum(), 1)),
            first=min(buckets[version]),
            last=max(buckets[version]),
            measures={name: found.at(i) for name, found in measured.items()},
        )
        for i, version in enumerate(totals)
        if rows[i] > 0
    ]
    columns.sort(key=lambda column: (-column.rows, column.version))
    reference = {metric.name: metric.measure(record.reference).at() for metric in metrics}
    return VersionsView(window, metrics, tuple(columns), reference)


def drift_of_version(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    spec: WindowSpec,
    found: Sequence[Evaluation],
    version: str | None,
) -> list[DriftPoint]:
    """The verdicts on the rows of one version, or of all, against what is usual in all rows."""
    windows = [evaluation.window for evaluation in found]
    stack, _ = window_profiles(connection, record, monitor.granularity, windows, version=version)
    measured = drifts(reference_of(connection, record, monitor, windows, stack), stack, monitor)
    wanted = {window.end: list(like_ends(spec, window.end)) for window in windows}
    ends = {end for like in wanted.values() for end in like}
    usual = evaluations.usual_distances(connection, record.id, spec.size, ends)
    rows = stack.total("n")

    def shifts_of(i: int, window: Window) -> dict[str, Shift]:
        like = by_column([usual[end] for end in wanted[window.end] if end in usual])
        return measured.shifts(i, like) | measured.label_shifts(i, like)

    return [
        DriftPoint(window, round(float(rows[i])), shifts_of(i, window) if rows[i] else {})
        for i, window in enumerate(windows)
    ]
