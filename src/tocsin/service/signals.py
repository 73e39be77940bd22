"""What a rule looks at, by the name it gives: the instances of one window, and how they read."""

from collections.abc import Iterator

from tocsin.declared import Monitor
from tocsin.records.evaluations import Evaluation
from tocsin.rules import DRIFT, Reading, Rule, read_drift, read_metric
from tocsin.values import format_duration


def readings(rule: Rule, evaluation: Evaluation, monitor: Monitor) -> Iterator[tuple[str, Reading]]:
    """The instances of a rule in one window: every column for drift, else the one number."""
    if rule.metric == DRIFT:
        for column, shift in evaluation.shifts.items():
            yield column, read_drift(rule, shift)
        return
    yield (
        "",
        read_metric(
            rule,
            evaluation.measures[rule.metric],
            rows=evaluation.rows,
            coverage=evaluation.coverage,
            needs_labels=monitor.metrics[rule.metric].needs_labels,
        ),
    )


def title(rule: Rule, instance: str, monitor: Monitor) -> str:
    """What an incident is called that an instance of this rule opens."""
    size = format_duration(rule.window)
    if rule.metric == DRIFT:
        return f"{instance} has drifted over {size}"
    assert rule.value is not None
    side = "below" if rule.op == "<" else "above"
    return f"{monitor.metrics[rule.metric].title} is {side} {rule.value:g} over {size}"
