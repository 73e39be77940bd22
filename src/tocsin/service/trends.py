"""Whether series have left what is usual for them, for rules that have no threshold."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.drift import ENOUGH_ROWS
from tocsin.profiles import Plan
from tocsin.quality import VOLUME
from tocsin.records import evaluations
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.rules import Rule
from tocsin.service.signals import instances, needs_labels, numbers, part_of, sides
from tocsin.trends import Detection, Pace, Trend, alarm_level, detection, season_of
from tocsin.values import DAY, Bounded, Measure, Undefined, WindowSpec

Floats = NDArray[np.float64]

_MONTH = 30 * DAY
# Between the ends of a 95 % interval of a normal number lie so many standard errors.
_STANDARD_ERRORS = 2 * 1.959964


def with_trends(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    spec: WindowSpec,
    found: Sequence[Evaluation],
) -> list[Evaluation]:
    """Evaluations of windows of a size, with the trends of the rules that are `auto`.

    Trends are of windows that have no rows in common. Those before the found ones are read as they
    are stored; the answer follows from them alone, so a restart changes nothing.
    """
    rules = [rule for rule in monitor.rules if rule.auto and rule.window == spec.size]
    apart = [e for e in found if e.window.end % spec.size == 0]
    if not rules or not apart:
        return list(found)
    series = _series(connection, record, spec, rules, apart)
    trends: dict[int, dict[str, dict[str, Trend]]] = {e.window.end: {} for e in apart}
    for rule in rules:
        level = alarm_of(rule, monitor, record.plan)
        for end, by_instance in _trends(rule, monitor, spec, series, level, trends.keys()).items():
            trends[end][rule.name] = by_instance
    return [replace(e, trends=trends[e.window.end]) if e.window.end in trends else e for e in found]


def alarm_of(rule: Rule, monitor: Monitor, plan: Plan) -> float:
    """The evidence at which all rules that are `auto` together keep to the false alarms allowed.

    Each series has the same share of them.
    """
    count = sum(
        instances(other.metric, monitor, plan) * len(sides(other, monitor))
        for other in monitor.rules
        if other.auto
    )
    return alarm_level(monitor.false_alarms, _MONTH / rule.window, count)


def _series(
    connection: Connection,
    record: ModelRecord,
    spec: WindowSpec,
    rules: Sequence[Rule],
    apart: Sequence[Evaluation],
) -> dict[int, Evaluation]:
    """The windows that tell what is usual, and the found ones, by their end."""
    first = min(e.window.end for e in apart)
    last = max(e.window.end for e in apart)
    # Further back than a season reaches nothing is of use; which one it is the windows will tell.
    reach = max(season_of(spec.size, n).reach for n in (0, 10_000))
    ends = range(first - reach * spec.size, last + 1, spec.size)
    parts = {part_of(rule.metric) for rule in rules}
    earlier = evaluations.between(connection, record.id, spec.size, ends, parts)
    return earlier | {e.window.end: e for e in apart}


def _trends(
    rule: Rule,
    monitor: Monitor,
    spec: WindowSpec,
    series: dict[int, Evaluation],
    level: float,
    wanted: Iterable[int],
) -> dict[int, dict[str, Trend]]:
    """The trends of a rule's instances in the wanted windows, by their end."""
    first, last = min(series), max(series)
    steps = (last - first) // spec.size + 1
    season = season_of(spec.size, steps)
    names: dict[str, int] = {}
    known: list[tuple[int, int, Measure]] = []
    for end, evaluation in series.items():
        if needs_labels(rule.metric, monitor) and evaluation.coverage < rule.min_coverage:
            continue
        if monitor.is_paused(evaluation.window):
            continue
        at = (end - first) // spec.size
        for instance, measure in numbers(rule.metric, evaluation, monitor):
            # Of a handful of rows neither the value nor its error is known well enough.
            if isinstance(measure, Bounded) and measure.n < ENOUGH_ROWS and rule.metric != VOLUME:
                continue
            known.append((at, names.setdefault(instance, len(names)), measure))
    if not names:
        # No window has its labels yet.
        return {end: {} for end in wanted}
    both = sides(rule, monitor)
    values, errors = _arrays(known, steps, len(names))
    seen = detection(
        np.tile(values, len(both)),
        np.tile(errors, len(both)),
        np.repeat(both, len(names)),
        season,
        level=level,
    )
    start = first - spec.size
    return {
        end: {
            name: _trend(seen, values[at, i], at, slice(i, None, len(names)), both, start, spec)
            for name, i in names.items()
        }
        for end in wanted
        for at in [(end - first) // spec.size]
    }


def _arrays(
    known: Iterable[tuple[int, int, Measure]], steps: int, count: int
) -> tuple[Floats, Floats]:
    """(t, i) values and their standard errors; NaN where a window has no number."""
    values, errors = np.full((steps, count), np.nan), np.zeros((steps, count))
    for at, i, measure in known:
        if isinstance(measure, Undefined):
            continue
        values[at, i] = measure.value
        if measure.low is not None and measure.high is not None:
            errors[at, i] = (measure.high - measure.low) / _STANDARD_ERRORS
    return values, errors


def _trend(
    seen: Detection,
    value: float,
    at: int,
    columns: slice,
    both: Sequence[float],
    start: int,
    spec: WindowSpec,
) -> Trend:
    """One window of a detection, on the side with more evidence.

    columns: of the same series, by side. start: of the first window, microseconds.
    """
    pace, evidence = seen.pace[at, columns], seen.evidence[at, columns]
    side = int(np.lexsort((evidence, pace))[-1])
    if pace[side] <= Pace.LEARNING:
        return Trend(Pace(pace[side]), None if np.isnan(value) else float(value))
    onset = int(seen.onset[at, columns][side])
    return Trend(
        Pace(pace[side]),
        value=float(value),
        usual=float(seen.usual[at, columns][side]),
        spread=float(seen.spread[at, columns][side]),
        z=float(seen.z[at, columns][side]),
        rising=both[side] > 0,
        evidence=float(evidence[side]),
        since=start + onset * spec.size if pace[side] == Pace.CHANGED else None,
    )
