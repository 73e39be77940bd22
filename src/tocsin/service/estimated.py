"""What estimates were over time, beside what came out, and how they did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tocsin.declared import Monitor
from tocsin.estimation import Backtest, Estimate, Past, backtest, estimate_of
from tocsin.metrics import Metric
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.service.estimates import LEAST_COVERAGE, estimated_metrics
from tocsin.service.maturity import final_after
from tocsin.values import Bounded, Measure, Undefined, Window, WindowSpec


@dataclass(frozen=True)
class EstimatedPoint:
    """One window. estimate: None where none was made; realised: as far as labels have come.

    final: nearly all labels that will come have come.
    """

    window: Window
    rows: int
    coverage: float
    final: bool
    estimate: Estimate | None
    realised: Measure


@dataclass(frozen=True)
class EstimatedSeries:
    """The estimates of one metric over time, and their backtest over the windows shown."""

    metric: Metric
    spec: WindowSpec
    reference: Measure
    points: tuple[EstimatedPoint, ...]
    backtest: Backtest

    def sentence(self) -> str:
        """The newest estimate, what speaks against it, and how estimates did, for a person."""
        point = self.latest
        if point is None or point.estimate is None:
            if isinstance(self.reference, Undefined):
                return (
                    f"{self.metric.title} has no estimate: of the reference it is not known "
                    f"({self.reference.reason})."
                )
            return (
                f"{self.metric.title} has no estimate yet: no window has closed since it has one."
            )
        made = point.estimate.measure
        if isinstance(made, Undefined):
            return f"{self.metric.title} has no estimate: {made.reason}."
        assert made.low is not None
        assert made.high is not None
        text = (
            f"{self.metric.title} estimated {made.value:.3g} [{made.low:.3g} to {made.high:.3g}] "
            "before labels"
        )
        if point.estimate.reasons:
            text += f", not to be trusted: {'; '.join(point.estimate.reasons)}"
        tested = self.backtest
        if not tested.windows:
            return f"{text}; no backtest yet."
        return (
            f"{text}; backtest: within the interval in {tested.inside} of {tested.windows} windows."
        )

    @property
    def latest(self) -> EstimatedPoint | None:
        """The newest window that has an estimate."""
        return next((p for p in reversed(self.points) if p.estimate is not None), None)


def estimated_series(
    record: ModelRecord, monitor: Monitor, spec: WindowSpec, found: Sequence[Evaluation]
) -> Mapping[str, EstimatedSeries]:
    """The estimates of all metrics that have some, by name."""
    complete = (record.newest_event or 0) - monitor.lateness - final_after(record, monitor)
    return {
        name: _series(record, monitor.metrics[name], spec, found, complete)
        for name in estimated_metrics(monitor)
    }


def _series(
    record: ModelRecord,
    metric: Metric,
    spec: WindowSpec,
    found: Sequence[Evaluation],
    complete: int,
) -> EstimatedSeries:
    points = tuple(
        EstimatedPoint(
            window=e.window,
            rows=e.rows,
            coverage=e.coverage,
            final=e.window.end <= complete,
            estimate=estimate_of(e.estimates, metric.name),
            realised=e.measures[metric.name],
        )
        for e in found
        if metric.name in e.measures
    )
    reference = metric.measure(record.reference).at()
    return EstimatedSeries(metric, spec, reference, points, _backtest(points, spec, reference))


def _backtest(points: Sequence[EstimatedPoint], spec: WindowSpec, reference: Measure) -> Backtest:
    """Over windows that have no rows in common, and labels enough."""
    rows: list[tuple[float, ...]] = []
    last = 0
    for p in reversed(points):
        if not p.final or p.coverage < LEAST_COVERAGE or (last and p.window.end > last - spec.size):
            continue
        if p.estimate is None:
            continue
        made = p.estimate.measure
        if isinstance(made, Bounded) and isinstance(p.realised, Bounded):
            assert made.low is not None
            assert made.high is not None
            rows.append((made.value, made.low, made.high, p.estimate.variance, p.realised.value))
            last = p.window.end
    parts = np.array(rows[::-1], float).reshape(-1, 5).T
    rival = reference.value if isinstance(reference, Bounded) else float("nan")
    return backtest(Past(*parts), rival)
