"""Measure the numbers that are made for rules, beside the metrics of the same windows."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from sqlalchemy.engine import Connection

from tocsin.declared import Against, Derived, Monitor
from tocsin.declared.derived import VERSION
from tocsin.metrics import NOT_HEARD, Metric, served_measure
from tocsin.metrics.difference import difference
from tocsin.profiles import Profile
from tocsin.records import evaluations
from tocsin.records.models import ModelRecord
from tocsin.service.served import served_in
from tocsin.service.stacks import window_profiles
from tocsin.values import Bounded, Measure, Undefined, Window, WindowSpec

_NOT_DEFINED = "the expression has no value, as by a division by zero"


def with_derived(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    spec: WindowSpec,
    group: Sequence[Window],
    versions: Sequence[Mapping[str, int]],
    by_window: Sequence[Mapping[str, Measure]],
) -> list[dict[str, Measure]]:
    """The measures of each window, with those that the rules on these windows are about.

    versions: rows by version, of each window. by_window: the metrics of each.
    """
    found = [dict(measures) for measures in by_window]
    for derived in wanted(monitor, spec):
        if derived.expression is not None:
            values = [_evaluated(derived, measures) for measures in by_window]
        elif derived.served:
            for i, name, measure in _of_requests(connection, record, derived, group):
                found[i][f"{derived.name}{{{name}}}" if derived.by else derived.name] = measure
            continue
        elif derived.by:
            parts = _by_part(connection, record, monitor, spec, derived, group, versions)
            for i, name, measure in parts:
                found[i][f"{derived.name}{{{name}}}"] = measure
            continue
        else:
            values = _compared(connection, record, spec, derived, group, by_window)
        for i, value in enumerate(values):
            found[i][derived.name] = value
    return found


def wanted(monitor: Monitor, spec: WindowSpec) -> list[Derived]:
    """The numbers that are made for rules on windows of a size."""
    names = {rule.metric for rule in monitor.rules if rule.window == spec.size}
    return [derived for name, derived in monitor.derived.items() if name in names]


def parts_of(derived: Derived, measures: Mapping[str, Measure]) -> Iterator[tuple[str, Measure]]:
    """The parts of a window of which a number was measured, with it."""
    start = f"{derived.name}{{"
    for name, measure in measures.items():
        if name.startswith(start):
            yield name.removeprefix(start).removesuffix("}"), measure


def _evaluated(derived: Derived, measures: Mapping[str, Measure]) -> Measure:
    """An expression over the metrics of one window; nothing is known of its interval."""
    assert derived.expression is not None
    values: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    least = 2**62
    for metric in derived.of:
        measure = measures[metric.name]
        if isinstance(measure, Undefined):
            return Undefined(f"{metric.title}: {measure.reason}", measure.n)
        values[metric.name] = np.array([measure.value])
        least = min(least, measure.n)
    value = float(derived.expression.over(values, 1)[0])
    return Bounded(value, n=least) if np.isfinite(value) else Undefined(_NOT_DEFINED, least)


def _compared(
    connection: Connection,
    record: ModelRecord,
    spec: WindowSpec,
    derived: Derived,
    group: Sequence[Window],
    by_window: Sequence[Mapping[str, Measure]],
) -> list[Measure]:
    """A metric less that of the reference, or of the window before."""
    (metric,) = derived.of
    now = [measures[metric.name] for measures in by_window]
    if derived.against is Against.REFERENCE:
        stack = Profile(record.reference.plan, record.reference.vector[None])
        then = metric.measure(stack).at(0)
        return [difference(measure, then, of="the reference") for measure in now]
    own = {window.end: measure for window, measure in zip(group, now, strict=True)}
    others = {window.end - spec.size for window in group} - own.keys()
    stored = evaluations.at(connection, record.id, spec.size, others)
    before = own | {end: e.measures.get(metric.name) for end, e in stored.items()}
    missing = Undefined("there is none")
    return [
        difference(measure, before.get(window.end - spec.size) or missing, of="the window before")
        for window, measure in zip(group, now, strict=True)
    ]


def _of_requests(
    connection: Connection, record: ModelRecord, derived: Derived, group: Sequence[Window]
) -> Iterator[tuple[int, str, Measure]]:
    """(window, part, number) of how the model was served, the part empty for all requests."""
    (metric,) = derived.of
    for i, by_version in enumerate(served_in(connection, record.id, group)):
        if not derived.by:
            all_of = by_version.get("")
            yield i, "", NOT_HEARD if all_of is None else served_measure(metric.name, all_of)
            continue
        for version, part in by_version.items():
            if version:
                yield i, f"{VERSION}={version}", served_measure(metric.name, part)


def _by_part(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    spec: WindowSpec,
    derived: Derived,
    group: Sequence[Window],
    versions: Sequence[Mapping[str, int]],
) -> list[tuple[int, str, Measure]]:
    """(window, part, number) of all parts that have rows in a window."""
    (metric,) = derived.of
    measured: dict[str, Sequence[Measure]] = {}
    rows: dict[str, Sequence[float]] = {}
    for name, stack in _stacks(connection, record, monitor, derived, group, versions):
        measured[name] = _each(metric, stack)
        rows[name] = stack.total("n").tolist()
    if derived.against is Against.PREVIOUS:
        before = [Window(w.start - spec.size, w.end - spec.size) for w in group]
        for name, stack in _stacks(connection, record, monitor, derived, before, versions):
            pairs = zip(measured[name], _each(metric, stack), strict=True)
            measured[name] = [difference(now, then, of="the window before") for now, then in pairs]
    if derived.against is not Against.VERSION:
        return [
            (i, name, values[i])
            for name, values in measured.items()
            for i in range(len(group))
            if rows[name][i] > 0
        ]
    found = []
    for i, counts in enumerate(versions):
        if len(counts) < 2:
            continue
        most = max(counts, key=lambda name: (counts[name], name))
        then = measured[f"{VERSION}={most}"][i]
        for name in sorted(counts.keys() - {most}):
            part = f"{VERSION}={name}"
            found.append((i, part, difference(measured[part][i], then, of=f"version {most}")))
    return found


def _stacks(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    derived: Derived,
    group: Sequence[Window],
    versions: Sequence[Mapping[str, int]],
) -> Iterator[tuple[str, Profile]]:
    """The parts of the rows, and their profiles of all windows of a group."""
    if derived.by == VERSION:
        for version in sorted({name for counts in versions for name in counts}):
            stack, _ = window_profiles(
                connection, record, monitor.granularity, group, version=version
            )
            yield f"{VERSION}={version}", stack
        return
    segment = next(s for s in record.plan.segments if s.name == derived.by)
    for key in segment.keys():  # noqa: SIM118 - not a mapping
        stack, _ = window_profiles(connection, record, monitor.granularity, group, segment=key)
        yield key, stack


def _each(metric: Metric, stack: Profile) -> list[Measure]:
    return metric.measure(stack).each()
