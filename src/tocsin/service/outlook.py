"""Where a model is going: series that left what is usual, and when thresholds will be crossed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.records import evaluations
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.rules import Operator, Rule
from tocsin.service.signals import needs_labels, numbers, part_of
from tocsin.service.trends import alarm_of
from tocsin.service.windows import spec_of
from tocsin.trends import Forecast, Trend, forecast
from tocsin.trends.forecast import MOST
from tocsin.values import DAY, Bounded, Window, WindowSpec


@dataclass(frozen=True)
class RuleTrend:
    """A series of a rule that is `auto`, in the newest window in which it was judged.

    alarm: the evidence for a change at which it rings, against 1 for none.
    """

    rule: Rule
    instance: str
    window: Window
    trend: Trend
    alarm: float


@dataclass(frozen=True)
class Crossing:
    """A threshold that is going to be crossed if its metric goes on as it does.

    value: of the newest window. early, likely, late: the 5, 50 and 95 % quantiles of the window end
    by which it is crossed, microseconds. step: between the windows that were looked at.
    """

    rule: Rule
    instance: str
    window: Window
    value: float
    early: int
    likely: int
    late: int
    step: int
    forecast: Forecast


@dataclass(frozen=True)
class Outlook:
    """What the series of a model's rules say of its future.

    false_alarms: how many a month are accepted, over all rules that are `auto` together.
    """

    trends: tuple[RuleTrend, ...]
    crossings: tuple[Crossing, ...]
    false_alarms: float


def outlook_of(connection: Connection, record: ModelRecord, monitor: Monitor) -> Outlook:
    """The newest trends of the rules that are `auto`, and the thresholds ahead of the others."""
    trends: list[RuleTrend] = []
    for rule in monitor.rules:
        if rule.auto:
            trends += _newest_trends(connection, record, monitor, rule)
    return Outlook(
        tuple(trends), tuple(crossings_of(connection, record, monitor)), monitor.false_alarms
    )


def crossings_of(connection: Connection, record: ModelRecord, monitor: Monitor) -> list[Crossing]:
    """The thresholds that will be crossed soon, the soonest first."""
    rules = [rule for rule in monitor.rules if rule.value is not None]
    found = [
        crossing
        for rule in rules
        for crossing in _crossings(connection, record, monitor, rule, len(rules))
    ]
    return sorted(found, key=lambda crossing: crossing.likely)


def _newest_trends(
    connection: Connection, record: ModelRecord, monitor: Monitor, rule: Rule
) -> list[RuleTrend]:
    """Those of the newest window that was judged; labels may be long in coming."""
    spec = spec_of(monitor, rule.window)
    past = _past(connection, record, spec, spec.size, ["trends"])
    found: dict[str, RuleTrend] = {}
    for evaluation in past:
        for instance, trend in evaluation.trends.get(rule.name, {}).items():
            if trend.value is not None or instance not in found:
                alarm = alarm_of(rule, monitor, record.plan)
                found[instance] = RuleTrend(rule, instance, evaluation.window, trend, alarm)
    return [found[instance] for instance in sorted(found)]


def _crossings(
    connection: Connection, record: ModelRecord, monitor: Monitor, rule: Rule, tests: int
) -> list[Crossing]:
    """The forecasts of a rule's instances, over windows like the newest one."""
    assert rule.value is not None
    spec = spec_of(monitor, rule.window)
    step = max(DAY, spec.size)
    past = [
        e
        for e in _past(connection, record, spec, step, [part_of(rule.metric)])
        if not needs_labels(rule.metric, monitor) or e.coverage >= rule.min_coverage
    ]
    if not past:
        return []
    newest = past[-1].window
    series: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    for evaluation in past:
        at = MOST - 1 - (newest.end - evaluation.window.end) // step
        for instance, measure in numbers(rule.metric, evaluation, monitor):
            if at >= 0 and isinstance(measure, Bounded) and measure.n >= rule.min_samples:
                series.setdefault(instance, np.full(MOST, np.nan))[at] = measure.value
    found = []
    for instance, values in series.items():
        below = rule.op is Operator.BELOW
        ahead = forecast(values, rule.value, below=below, tests=tests * len(series))
        if ahead is not None and np.isfinite(values[-1]) and not rule.breached(float(values[-1])):
            found.append(
                Crossing(
                    rule,
                    instance,
                    newest,
                    value=float(values[-1]),
                    early=newest.end + round(ahead.low * step),
                    likely=newest.end + round(ahead.middle * step),
                    late=newest.end + round(ahead.high * step),
                    step=step,
                    forecast=ahead,
                )
            )
    return found


def _past(
    connection: Connection, record: ModelRecord, spec: WindowSpec, step: int, parts: Sequence[str]
) -> list[Evaluation]:
    """The evaluated windows of a size at steps from the newest backwards, the oldest first.

    Twice as many as a forecast looks at: the newest of them may have no labels yet.
    """
    newest = evaluations.newest_end(connection, record.id, spec)
    if newest is None:
        return []
    last = newest - newest % spec.size if step == spec.size else newest
    ends = range(last - (2 * MOST - 1) * step, last + 1, step)
    found = evaluations.between(connection, record.id, spec.size, ends, parts)
    return [found[end] for end in sorted(found)]
