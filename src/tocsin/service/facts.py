"""The number of an alert with its interval, since when, and of which version and segment."""

from typing import Any

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, parse_monitor
from tocsin.records import evaluations, models
from tocsin.records.alerts import Episode, Incident
from tocsin.records.evaluation import Evaluation
from tocsin.rules import Rule
from tocsin.service.quality import column_of
from tocsin.service.signals import VERDICTS, named, numbers, sides
from tocsin.service.windows import spec_of
from tocsin.values import Bounded, format_duration, isoformat

_PARTS = ("version", "segment")
_MOST_WINDOWS = 2_000


def facts_of(
    connection: Connection, incident: Incident, episode: Episode, window_end: int
) -> dict[str, Any]:
    """What a message says in numbers; no `value` where the alert is a verdict, or has none.

    value, low, high: the number and its 95 % interval, None where none is known. n: rows it rests
    on. since: the end of the first window that was bad. version: which most rows are of. Of what is
    over also lasted: for how long it fired, worst: the number when it was farthest from well, and
    clear: from where it counts as well.
    """
    record = models.model_named(connection, incident.model)
    monitor = parse_monitor(record.name, record.monitor)
    rule = next((rule for rule in monitor.rules if rule.name == episode.rule), None)
    found: dict[str, Any] = {"since": isoformat(episode.started)}
    if episode.resolved is not None and episode.resolved > episode.fired:
        found["lasted"] = format_duration(episode.resolved - episode.fired)
    # Of a rule by segment or version.
    part = {name: episode.labels[name] for name in _PARTS if name in episode.labels}
    found |= part
    if rule is None:
        return found
    found["window"] = format_duration(rule.window)
    at = evaluations.at(connection, record.id, rule.window, [window_end])
    if window_end not in at:
        return found
    evaluation = at[window_end]
    versions = sorted(evaluation.versions, key=lambda name: evaluation.versions[name])
    found |= {"version": versions[-1]} if versions else {}
    found |= part | _number(rule, episode.instance, evaluation, monitor)
    if episode.resolved is not None and "value" in found:
        found |= _past(connection, record.id, rule, episode, monitor)
    return found


def _past(
    connection: Connection, model_id: int, rule: Rule, episode: Episode, monitor: Monitor
) -> dict[str, Any]:
    """How bad a number was while it fired, and from where it is well."""
    limit = rule.value if rule.clear is None else rule.clear
    clear = {} if limit is None else {"clear": limit}
    bad = sides(rule, monitor)
    end = episode.resolved or episode.fired
    if len(bad) != 1 or end <= episode.started:
        return clear
    # The newest ones of an alert that was left alone for months.
    start = max(episode.started, end - _MOST_WINDOWS * spec_of(monitor, rule.window).every)
    seen = evaluations.between(
        connection, model_id, rule.window, range(start, end), ("measures", "estimates", "quality")
    )
    found = [
        measure.value
        for evaluation in seen.values()
        if isinstance(
            measure := dict(numbers(rule.metric, evaluation, monitor)).get(episode.instance),
            Bounded,
        )
        and measure.n >= rule.min_samples
    ]
    worst = max if bad[0] > 0 else min
    return {**clear, **({"worst": worst(found)} if found else {})}


def _number(rule: Rule, instance: str, evaluation: Evaluation, monitor: Monitor) -> dict[str, Any]:
    if rule.metric in VERDICTS:
        feature = column_of(instance)
        return {"feature": feature} if feature else {}
    measure = dict(numbers(rule.metric, evaluation, monitor)).get(instance)
    if not isinstance(measure, Bounded):
        return {}
    return {
        "metric": rule.metric,
        "title": named(rule.metric, instance, monitor),
        "value": measure.value,
        "low": measure.low,
        "high": measure.high,
        "n": measure.n,
        **({} if rule.value is None else {"threshold": rule.value}),
    }
