"""What a rule looks at, by the name it gives: the instances of one window, and how they read."""

from collections.abc import Iterator

from tocsin.declared import Monitor
from tocsin.estimation import estimate_of, is_estimate, plain_name
from tocsin.records.evaluations import Evaluation
from tocsin.rules import DRIFT, Reading, Rule, read_drift, read_estimate, read_metric
from tocsin.values import Measure, Undefined, format_duration

_NOT_TRUSTED = Undefined("this window has no estimate that is trusted")
_NOT_MEASURED = Undefined("this window was measured before the metric was declared")


def readings(rule: Rule, evaluation: Evaluation, monitor: Monitor) -> Iterator[tuple[str, Reading]]:
    """The instances of a rule in one window, and how each reads."""
    if rule.metric == DRIFT:
        for column, shift in evaluation.shifts.items():
            yield column, read_drift(rule, shift)
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
    for instance, measure in numbers(rule.metric, evaluation):
        yield (
            instance,
            read_metric(
                rule,
                measure,
                rows=evaluation.rows,
                coverage=evaluation.coverage,
                needs_labels=needs_labels(rule.metric, monitor),
                trend=trends.get(instance),
            ),
        )


def numbers(name: str, evaluation: Evaluation) -> Iterator[tuple[str, Measure]]:
    """The numbers of a window that go by this name, by instance: empty for that of all rows."""
    if is_estimate(name):
        found = estimate_of(evaluation.estimates, plain_name(name))
        if found is None or not found.trusted:
            yield "", _NOT_TRUSTED
        else:
            yield "", found.measure
        return
    yield "", evaluation.measures.get(name, _NOT_MEASURED)


def part_of(name: str) -> str:
    """The part of an evaluation in which these numbers are stored."""
    return "estimates" if is_estimate(name) else "measures"


def instances(name: str, monitor: Monitor) -> int:  # noqa: ARG001
    """How many numbers of a window go by this name."""
    return 1


def needs_labels(name: str, monitor: Monitor) -> bool:
    """Whether these numbers wait for outcomes."""
    return not is_estimate(name) and monitor.metrics[name].needs_labels


def sides(rule: Rule, monitor: Monitor) -> tuple[float, ...]:
    """Where a change is bad: 1 above what is usual, -1 below, or both."""
    if rule.op is not None:
        return (-1.0,) if rule.op == "<" else (1.0,)
    better = monitor.metrics[plain_name(rule.metric)].higher_is_better
    return (1.0, -1.0) if better is None else (-1.0,) if better else (1.0,)


def title(rule: Rule, instance: str, monitor: Monitor) -> str:
    """What an incident is called that an instance of this rule opens."""
    size = format_duration(rule.window)
    if rule.metric == DRIFT:
        return f"{instance} has drifted over {size}"
    name = monitor.metrics[plain_name(rule.metric)].title
    if is_estimate(rule.metric):
        name = f"{name}, estimated before labels,"
    if rule.value is None:
        both = sides(rule, monitor)
        side = "other" if len(both) > 1 else "higher" if both[0] > 0 else "lower"
        return f"{name} is {side} than usual over {size}"
    side = "below" if rule.op == "<" else "above"
    return f"{name} is {side} {rule.value:g} over {size}"
