"""What the faces show of the quality of a model's data: read only."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, parse_monitor
from tocsin.drift import ENOUGH_ROWS
from tocsin.metrics.intervals import wilson
from tocsin.profiles import DELAY_EDGES
from tocsin.quality import (
    Cell,
    Expectation,
    Expected,
    Finding,
    Freshness,
    QualityVerdict,
    document_of,
    expectations,
    expected_labels,
    late_labels,
    rates,
    trials,
    values_of,
)
from tocsin.records import Records, evaluations, intake, models
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.service.clock import Clock
from tocsin.service.evaluated import evaluations_over
from tocsin.service.intake import BECAUSE
from tocsin.service.maturity import final_after
from tocsin.service.quality import cells, counts_of, findings_of, intake_of, unsure_of
from tocsin.service.silence import freshness_of
from tocsin.service.windows import spec_of
from tocsin.values import DAY, Bounded, Measure, Undefined, Window, WindowSpec, format_duration

# So many final windows tell how many rows get a label at all.
_FINAL_WINDOWS = 64


@dataclass(frozen=True)
class Measured:
    """One check of one window: a share with its interval, or a number of values.

    finding: what was found of it, None where nothing was. unsure: it is beyond what is expected,
    but that may be chance.
    """

    cell: Cell
    measure: Measure
    expectation: Expectation
    finding: Finding | None
    unsure: bool

    @property
    def verdict(self) -> QualityVerdict:
        """What is said of it."""
        if self.finding is not None:
            return self.finding.verdict
        if self.unsure or isinstance(self.measure, Undefined):
            return QualityVerdict.INSUFFICIENT
        few = self.measure.n < ENOUGH_ROWS and not self.expectation.declared
        return QualityVerdict.INSUFFICIENT if few else QualityVerdict.OK


@dataclass(frozen=True)
class Labels:
    """Labels of one window: how many are there, and should be by now; None where unknown.

    late: those that took longer than 99 % of the labels do.
    """

    labelled: int
    expected: float | None
    late: Measure

    @property
    def missing(self) -> float | None:
        """The share of the labels that should be there by now and are not."""
        if not self.expected:
            return None
        return max(0.0, 1 - self.labelled / self.expected)


@dataclass(frozen=True)
class QualityPoint:
    """One window. measured: in the order of cells; empty where other bins were stored."""

    window: Window
    rows: int
    measured: tuple[Measured, ...]
    findings: tuple[Finding, ...]
    labels: Labels


@dataclass(frozen=True)
class QualityView:
    """The newest windows of one size, the oldest first.

    because: rows of the newest window that are in quarantine, by why they did not fit.
    """

    spec: WindowSpec
    points: tuple[QualityPoint, ...]
    freshness: Freshness
    because: dict[str, int]

    @property
    def telling(self) -> QualityPoint | None:
        """The newest window with rows enough to be judged, else the newest."""
        found = (point for point in reversed(self.points) if point.rows >= ENOUGH_ROWS)
        return next(found, self.points[-1] if self.points else None)


@dataclass(frozen=True)
class ExpectationsView:
    """All that is expected of a model's data.

    document: as a monitor has it. within: the range or the values of each feature.
    """

    expectations: tuple[Expectation, ...]
    monitor: Monitor
    document: dict[str, Any]
    within: dict[str, dict[str, Any]]


class DataQuality:
    """Answers questions about the data of models; changes nothing."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def view(
        self, name: str, *, window: int | None = None, span: int = 7 * DAY, most: int = 200
    ) -> QualityView:
        """The quality of a model's windows over the newest `span`, at most `most` of them.

        window: size; the shortest when None. Raises: UnknownModelError, InvalidInputError.
        """
        now = self._clock()
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            spec = spec_of(monitor, monitor.windows[0].size if window is None else window)
            found = evaluations_over(connection, record, spec, span, most)
            points = _points(connection, record, monitor, found)
            newest = found[-1].window if found else None
            return QualityView(
                spec=spec,
                points=points,
                freshness=freshness_of(connection, record, monitor, now),
                because={} if newest is None else _because(connection, record, newest),
            )

    def expectations(self, name: str) -> ExpectationsView:
        """What is expected of a model's data. Raises: UnknownModelError."""
        with self._records.read() as connection:
            record = models.model_named(connection, name)
        monitor = parse_monitor(name, record.monitor)
        found = expectations(record.reference, monitor.quality)
        document = document_of(record.reference, found, monitor.quality)
        if monitor.quality.freshness is not None:
            document["freshness"] = format_duration(monitor.quality.freshness)
        within = {bins.name: values_of(bins) for bins in record.plan.features}
        return ExpectationsView(found, monitor, document, within)


def _points(
    connection: Connection, record: ModelRecord, monitor: Monitor, found: Sequence[Evaluation]
) -> tuple[QualityPoint, ...]:
    if not found:
        return ()
    of = cells(monitor.schema)
    expected = Expected(record.reference, expectations(record.reference, monitor.quality))
    came = intake_of(connection, record, [e.window for e in found])
    labels = _labels(connection, record, monitor, found)
    points = []
    for i, e in enumerate(found):
        findings = tuple(findings_of(e))
        stored = counts_of(e, of) if e.plan == record.plan.digest else None
        measured: tuple[Measured, ...] = ()
        if stored is not None:
            counts = stored[0]
            # What was repeated since the window was evaluated is known by now.
            counts[-3:] = [part[i] for part in (came.repeated, came.quarantined, came.unknown)]
            measured = _measured(counts, e, expected, findings, unsure_of(e, of))
        points.append(QualityPoint(e.window, e.rows, measured, findings, labels[i]))
    return tuple(points)


def _measured(
    counts: Any,
    evaluation: Evaluation,
    expected: Expected,
    findings: tuple[Finding, ...],
    unsure: set[str],
) -> tuple[Measured, ...]:
    n = trials(counts, np.array(float(evaluation.rows)), np.array(float(evaluation.labelled)))
    values = rates(counts, n, expected.shares)
    low, high = wilson(counts, n)
    by_name = {finding.name: finding for finding in findings}
    return tuple(
        Measured(
            expectation.cell,
            _measure(expectation.cell, value, round(rows), least, most),
            expectation,
            by_name.get(expectation.cell.name),
            expectation.cell.name in unsure,
        )
        for expectation, value, rows, least, most in zip(
            expected.all, values.tolist(), n.tolist(), low.tolist(), high.tolist(), strict=True
        )
    )


def _measure(cell: Cell, value: float, n: int, low: float, high: float) -> Measure:
    if n == 0:
        return Undefined("no rows to take a share of")
    return Bounded(value, low=low, high=high, n=n) if cell.check.share else Bounded(value, n=n)


def _labels(
    connection: Connection, record: ModelRecord, monitor: Monitor, found: Sequence[Evaluation]
) -> list[Labels]:
    """The labels of windows, against those that final windows have."""
    watermark = (record.newest_event or 0) - monitor.lateness
    size = found[-1].window.end - found[-1].window.start
    last = watermark - final_after(record, monitor)
    # Whatever was asked for: those of a page are of the newest day alone.
    ends = range(last - last % size - _FINAL_WINDOWS * size, last + 1, size)
    known = evaluations.between(connection, record.id, size, ends, [])
    final = [e.coverage for e in known.values() if e.rows]
    learned = record.maturity
    expected: list[float | None] = [None] * len(found)
    if learned is not None and learned.arrived and final:
        rows = np.array([float(e.rows) for e in found])
        ages = np.array([watermark - e.window.end for e in found])
        expected = list(expected_labels(rows, ages, learned.arrived, median(final)).tolist())
    return [
        Labels(e.labelled, expected[i], _late(e, None if learned is None else learned.delay))
        for i, e in enumerate(found)
    ]


def _late(evaluation: Evaluation, delay: int | None) -> Measure:
    if delay is None:
        return Undefined("how late labels come is not learned yet")
    if not evaluation.labelled or not evaluation.delays:
        return Undefined("no labels yet")
    late = late_labels(np.array(evaluation.delays, np.float64), DELAY_EDGES, delay)
    n = np.array(float(evaluation.labelled))
    low, high = wilson(late, n)
    return Bounded(float(late / n), low=float(low), high=float(high), n=evaluation.labelled)


def _because(connection: Connection, record: ModelRecord, window: Window) -> dict[str, int]:
    """The rows of a window that are in quarantine, by why they did not fit, most first."""
    found = intake.between(connection, record.id, window.start, window.end)
    reasons = {
        kind.removeprefix(BECAUSE): sum(by_bucket.values())
        for kind, by_bucket in found.items()
        if kind.startswith(BECAUSE)
    }
    return dict(sorted(reasons.items(), key=lambda item: -item[1]))
