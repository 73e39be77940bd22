"""What a rule looks at, by the name it gives: the instances of one window, and how they read."""

from collections.abc import Collection, Iterator

from tocsin.declared import Monitor
from tocsin.metrics.intervals import wilson
from tocsin.quality import FEATURE_CHECKS, MODEL_CHECKS, VOLUME
from tocsin.records.evaluations import Evaluation
from tocsin.rules import DRIFT, QUALITY, Reading, Rule, read_drift, read_metric, read_quality
from tocsin.service.quality import cells, column_of, counts_of, findings_of, unsure_of
from tocsin.values import Bounded, Measure, Undefined, format_duration

# The instance that stands for all checks of the data that nothing was found of.
REST = ""


def readings(
    rule: Rule, evaluation: Evaluation, monitor: Monitor, *, known: Collection[str] = ()
) -> Iterator[tuple[str, Reading]]:
    """The instances of a rule in one window: one for most metrics, else one for each column.

    known: instances of the rule that are not at rest; of the checks of the data the others are told
    only when something was found.
    """
    if rule.metric == DRIFT:
        for column, shift in evaluation.shifts.items():
            yield column, read_drift(rule, shift)
    elif rule.metric == QUALITY:
        yield from _quality(rule, evaluation, monitor, known)
    elif rule.metric in FEATURE_CHECKS or rule.metric in MODEL_CHECKS or rule.metric == VOLUME:
        for instance, measure in _rates(rule.metric, evaluation, monitor):
            rows = evaluation.rows
            yield (
                instance,
                read_metric(rule, measure, rows=rows, coverage=1.0, needs_labels=False),
            )
    else:
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


def _rates(name: str, evaluation: Evaluation, monitor: Monitor) -> Iterator[tuple[str, Measure]]:
    """A rate of every feature that has it, or of all rows."""
    if name == VOLUME:
        yield "", Bounded(float(evaluation.rows), n=evaluation.rows)
        return
    of = cells(monitor.schema)
    at = [i for i, cell in enumerate(of) if cell.check.name == name]
    stored = counts_of(evaluation, of)
    if stored is None:
        for i in at:
            yield of[i].feature, Undefined("this window was measured before there were rates")
        return
    counts, n = (part[at] for part in stored)
    low, high = wilson(counts, n)
    for i, k, rows, least, most in zip(
        at, counts.tolist(), n.tolist(), low.tolist(), high.tolist(), strict=True
    ):
        yield of[i].feature, _measure(of[i].check.share, k, round(rows), least, most)


def _measure(share: bool, count: float, n: int, low: float, high: float) -> Measure:  # noqa: FBT001
    if not share:
        return Bounded(count, n=n)
    if n == 0:
        return Undefined("no rows to take a share of")
    return Bounded(count / n, low=low, high=high, n=n)


def title(rule: Rule, instance: str, monitor: Monitor) -> str:
    """What an incident is called that an instance of this rule opens."""
    size = format_duration(rule.window)
    if rule.metric == DRIFT:
        return f"{instance} has drifted over {size}"
    if rule.metric == QUALITY:
        return f"{_checked(instance)} beyond what is expected over {size}"
    assert rule.value is not None
    side = "below" if rule.op == "<" else "above"
    return f"{_named(rule.metric, instance, monitor)} is {side} {rule.value:g} over {size}"


def _checked(instance: str) -> str:
    """A check of the data, and of which feature."""
    check = instance.rpartition("/")[2]
    feature = column_of(instance)
    name = check_title(check)
    return f"{name} of {feature}" if feature else name


def check_title(check: str) -> str:
    """A check of the data in words."""
    if check == VOLUME:
        return "Number of rows"
    return (FEATURE_CHECKS | MODEL_CHECKS)[check].title


def _named(metric: str, instance: str, monitor: Monitor) -> str:
    if metric in monitor.metrics:
        return monitor.metrics[metric].title
    return f"{check_title(metric)} of {instance}" if instance else check_title(metric)
