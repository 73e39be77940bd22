"""What a rule looks at, by the name it gives: the instances of one window, and how they read."""

from collections.abc import Collection, Iterator

from tocsin.declared import Monitor
from tocsin.estimation import estimate_of, is_estimate, plain_name
from tocsin.metrics.intervals import wilson
from tocsin.profiles import Plan
from tocsin.quality import FEATURE_CHECKS, MODEL_CHECKS, VOLUME
from tocsin.records.evaluation import Evaluation
from tocsin.rules import (
    DRIFT,
    LABEL_DRIFT,
    PREDICTION_DRIFT,
    QUALITY,
    Reading,
    Rule,
    read_drift,
    read_estimate,
    read_metric,
    read_quality,
)
from tocsin.schema import Schema
from tocsin.service.derived import parts_of
from tocsin.service.quality import NO_ROWS, cells, column_of, counts_of, findings_of, unsure_of
from tocsin.values import Bounded, Measure, Undefined, format_duration

_NOT_TRUSTED = Undefined("this window has no estimate that is trusted")
_NOT_MEASURED = Undefined("this window was measured before the metric was declared")
_NOT_COUNTED = Undefined("this window was measured before there were rates")
_OF_NO_ROWS = Undefined("no rows to take a share of")
_RATES = FEATURE_CHECKS | MODEL_CHECKS
# The instance that stands for all checks of the data that nothing was found of.
REST = ""
_OF_DRIFT = (DRIFT, PREDICTION_DRIFT, LABEL_DRIFT)
# What is no number.
VERDICTS = (*_OF_DRIFT, QUALITY)


def readings(
    rule: Rule, evaluation: Evaluation, monitor: Monitor, *, known: Collection[str] = ()
) -> Iterator[tuple[str, Reading]]:
    """The instances of a rule in one window, and how each reads.

    known: instances of which something was found before; of the checks of the data the others are
    told only when something is.
    """
    if rule.metric in _OF_DRIFT:
        for column, shift in evaluation.shifts.items():
            if rule.metric == drift_of(column, monitor.schema):
                yield column, read_drift(rule, shift)
        return
    if rule.metric == QUALITY:
        yield from _quality(rule, evaluation, monitor, known)
        return
    window = evaluation.window
    if rule.auto and window.end % (window.end - window.start):
        # What is usual is learned from windows that have no rows in common.
        return
    trends = evaluation.trends.get(rule.name, {})
    if is_estimate(rule.metric):
        found = estimate_of(evaluation.estimates, plain_name(rule.metric))
        yield "", read_estimate(rule, found, rows=evaluation.rows, trend=trends.get(""))
        return
    for instance, measure in numbers(rule.metric, evaluation, monitor):
        yield (
            instance,
            read_metric(
                rule,
                measure,
                # Requests of which no prediction came were served, well or not.
                rows=measure.n if is_of_requests(rule.metric, monitor) else evaluation.rows,
                coverage=evaluation.coverage,
                needs_labels=needs_labels(rule.metric, monitor),
                trend=trends.get(instance),
            ),
        )


def is_of_requests(name: str, monitor: Monitor) -> bool:
    """Whether these numbers are of requests, and not of rows."""
    return name in monitor.derived and monitor.derived[name].served


def drift_of(column: str, schema: Schema) -> str:
    """What rules call the drift of a column.

    Outputs and labels of one hour share their weather, and leave what is usual with it: a rule that
    looks at features is not to ring for them.
    """
    if column == schema.watched_label:
        return LABEL_DRIFT
    outputs = (schema.watched_output, schema.watched_classes)
    return PREDICTION_DRIFT if column in outputs else DRIFT


def _quality(
    rule: Rule, evaluation: Evaluation, monitor: Monitor, known: Collection[str]
) -> Iterator[tuple[str, Reading]]:
    found = {finding.name: finding for finding in findings_of(evaluation)}
    rows = evaluation.rows
    for name, finding in found.items():
        yield name, read_quality(rule, finding, rows=rows)
    others = [name for name in known if name not in found and name != REST]
    unsure = unsure_of(evaluation, cells(monitor.schema)) if others else set()
    for name in others:
        yield name, read_quality(rule, None, rows=rows, unsure=name in unsure)
    # Last, so that what is found first in this window does not take it for judged.
    yield REST, read_quality(rule, None, rows=rows)


def numbers(name: str, evaluation: Evaluation, monitor: Monitor) -> Iterator[tuple[str, Measure]]:
    """The numbers of a window that go by this name, by instance: empty for that of all rows."""
    if name == VOLUME:
        yield "", Bounded(float(evaluation.rows), n=evaluation.rows)
    elif name in _RATES:
        yield from _rates(name, evaluation, monitor)
    elif is_estimate(name):
        found = estimate_of(evaluation.estimates, plain_name(name))
        yield "", _NOT_TRUSTED if found is None or not found.trusted else found.measure
    elif name in monitor.derived and monitor.derived[name].by:
        yield from parts_of(monitor.derived[name], evaluation.measures)
    else:
        yield "", evaluation.measures.get(name, _NOT_MEASURED)


def _rates(name: str, evaluation: Evaluation, monitor: Monitor) -> Iterator[tuple[str, Measure]]:
    """A rate of every feature that has it, or of all rows."""
    of = cells(monitor.schema)
    at = [i for i, cell in enumerate(of) if cell.check.name == name]
    stored = counts_of(evaluation, of)
    if stored is None:
        for i in at:
            yield of[i].feature, _NOT_COUNTED
        return
    counts, n = (part[at] for part in stored)
    low, high = wilson(counts, n)
    share = _RATES[name].share
    for i, count, rows, least, most in zip(
        at, counts.tolist(), n.tolist(), low.tolist(), high.tolist(), strict=True
    ):
        if rows == 0:
            yield of[i].feature, _OF_NO_ROWS
        elif share:
            yield of[i].feature, Bounded(count / rows, 0.0, least, most, round(rows))
        else:
            yield of[i].feature, Bounded(count, n=round(rows))


def part_of(name: str) -> str:
    """The part of an evaluation in which these numbers are stored."""
    if is_estimate(name):
        return "estimates"
    return "quality" if name in _RATES else "measures"


def instances(name: str, monitor: Monitor, plan: Plan) -> int:
    """How many numbers of a window go by this name."""
    if name in monitor.derived and monitor.derived[name].by:
        segment = next((s for s in plan.segments if s.name == monitor.derived[name].by), None)
        return 1 if segment is None else len(segment.values)
    if name not in _RATES:
        return 1
    return sum(cell.check.name == name for cell in cells(monitor.schema))


def needs_labels(name: str, monitor: Monitor) -> bool:
    """Whether these numbers wait for outcomes."""
    named = monitor.named
    return name in named and named[name].needs_labels


def sides(rule: Rule, monitor: Monitor) -> tuple[float, ...]:
    """Where a change is bad: 1 above what is usual, -1 below, or both."""
    if rule.op is not None:
        return (-1.0,) if rule.op == "<" else (1.0,)
    if rule.metric in _RATES:
        return (1.0,) if _RATES[rule.metric].share else (-1.0,)
    if rule.metric == VOLUME:
        return (1.0, -1.0)
    better = monitor.named[plain_name(rule.metric)].higher_is_better
    return (1.0, -1.0) if better is None else (-1.0,) if better else (1.0,)


def title(rule: Rule, instance: str, monitor: Monitor) -> str:
    """What an incident is called that an instance of this rule opens."""
    size = format_duration(rule.window)
    if instance == NO_ROWS:
        return f"No predictions over {size}"
    if rule.metric in _OF_DRIFT:
        return f"{instance} has drifted over {size}"
    if rule.metric == QUALITY:
        return f"{_checked(instance)} beyond what is expected over {size}"
    name = named(rule.metric, instance, monitor)
    if rule.value is None:
        both = sides(rule, monitor)
        side = "other" if len(both) > 1 else "higher" if both[0] > 0 else "lower"
        return f"{name} is {side} than usual over {size}"
    side = "below" if rule.op == "<" else "above"
    return f"{name} is {side} {_limit(rule.value, rule.metric, monitor)} over {size}"


def _limit(value: float, metric: str, monitor: Monitor) -> str:
    """A limit in its unit.

    Times are in milliseconds below a second.
    """
    if metric not in monitor.named or monitor.named[metric].unit != "seconds":
        return f"{value:g}"
    return f"{value:g} s" if value >= 1 else f"{value * 1_000:g} ms"


def _checked(instance: str) -> str:
    """A check of the data, and of which feature."""
    feature, name = column_of(instance), check_title(instance.rpartition("/")[2])
    return f"{name} of {feature}" if feature else name


def check_title(check: str) -> str:
    """A check of the data in words."""
    return "Number of rows" if check == VOLUME else _RATES[check].title


def named(metric: str, instance: str, monitor: Monitor) -> str:
    """What a number is called."""
    if is_estimate(metric):
        return f"{monitor.metrics[plain_name(metric)].title}, estimated before labels,"
    named = monitor.named
    if metric in named:
        of = f" of {instance}" if instance else ""
        return named[metric].title + of
    return f"{check_title(metric)} of {instance}" if instance else check_title(metric)
