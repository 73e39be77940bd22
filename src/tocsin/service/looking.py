"""What one rule sees in windows that were evaluated, and how that changes what it remembers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tocsin.declared import Monitor
from tocsin.records.evaluation import Evaluation
from tocsin.rules import (
    QUALITY,
    Health,
    History,
    NoData,
    Phase,
    Reading,
    Rule,
    Seen,
    Signal,
    State,
    seen,
)
from tocsin.service.quality import NO_ROWS
from tocsin.service.signals import REST, readings
from tocsin.values import WindowSpec

# Windows of an alert that are remembered: what changes further back changes no alert.
MOST_WINDOWS = 2_000


@dataclass(frozen=True)
class Look:
    """What a rule saw in one step.

    newest: the newest window that it has seen, as its end. windows: those of this step, by their
    end. before, histories: of the instances of which something was seen, without and with that.
    breaches: what to say of those windows, by (instance, end).
    """

    rule: Rule
    every: int
    newest: int
    windows: Mapping[int, Evaluation]
    before: Mapping[str, History]
    histories: Mapping[str, History]
    breaches: Mapping[tuple[str, int], str]


def looked(
    rule: Rule,
    spec: WindowSpec,
    windows: Sequence[Evaluation],
    monitor: Monitor,
    known: Mapping[str, History],
    *,
    most: int = MOST_WINDOWS,
) -> Look:
    """Let a rule see windows in the order of their ends.

    known: what was seen of its instances before. most: windows of each that are remembered.
    """
    letters: dict[str, dict[int, Seen]] = {}
    breaches: dict[tuple[str, int], str] = {}
    ongoing = {name for name, history in known.items() if _is_open(history, rule)}
    for evaluation in windows:
        end = evaluation.window.end
        if monitor.is_paused(evaluation.window):
            # The rule did not look: alerts stay as they are.
            for instance in {*known, *letters}:
                letters.setdefault(instance, {})[end] = Seen.NOTHING
            continue
        for instance, reading in _all_readings(rule, evaluation, monitor, {*known, *letters}):
            letters.setdefault(instance, {})[end] = seen(reading)
            if letters[instance][end] is Seen.BREACH:
                breaches[instance, end] = reading.text
        if rule.metric != QUALITY and any(end in found for found in letters.values()):
            for instance in ongoing | letters.keys():
                letters.setdefault(instance, {}).setdefault(end, Seen.MISSING)
    before = {name: _before(name, rule, spec, known, letters) for name in letters}
    return Look(
        rule,
        spec.every,
        max((end for found in letters.values() for end in found), default=0),
        {evaluation.window.end: evaluation for evaluation in windows},
        before,
        {
            name: history.told(_filled(name, rule, letters)).trimmed(rule, most)
            for name, history in before.items()
        },
        breaches,
    )


def _all_readings(
    rule: Rule, evaluation: Evaluation, monitor: Monitor, known: set[str]
) -> list[tuple[str, Reading]]:
    """The readings of a rule, and of whether there are rows if that is an alert of its own."""
    found = list(readings(rule, evaluation, monitor, known=known))
    if rule.no_data is NoData.NO_DATA:
        found.append((NO_ROWS, _of_rows(evaluation.rows)))
    return found


def _of_rows(rows: int) -> Reading:
    if rows:
        return Reading(Health.OK, Signal.CLEAR, float(rows), rows, f"{rows:,} predictions")
    return Reading(Health.OK, Signal.BREACH, 0.0, 0, "no predictions in this window")


def _before(
    instance: str,
    rule: Rule,
    spec: WindowSpec,
    known: Mapping[str, History],
    letters: Mapping[str, Mapping[int, Seen]],
) -> History:
    """What was seen of an instance before; nothing if it is new."""
    before = known.get(instance)
    if before is None and _is_check(rule, instance):
        # Of a check in which nothing was found yet the rule saw what it saw of all such.
        before = known.get(REST)
    found = _filled(instance, rule, letters)
    if before is None:
        return History(State(), min(found), spec.every)
    if before.every == spec.every:
        return before
    # The windows step otherwise since: how things stand is what is left of those before.
    until = before.first if before.last is None else before.last
    later = [end for end in found if end > until]
    state, _ = before.fold(rule)
    return History(state, min(later, default=until + spec.every), spec.every)


def _filled(
    instance: str, rule: Rule, letters: Mapping[str, Mapping[int, Seen]]
) -> Mapping[int, Seen]:
    """What is seen of an instance; of a check that was not told, what is seen of all such."""
    found = letters[instance]
    return {**letters.get(REST, {}), **found} if _is_check(rule, instance) else found


def _is_check(rule: Rule, instance: str) -> bool:
    return rule.metric == QUALITY and instance not in (REST, NO_ROWS)


def _is_open(history: History, rule: Rule) -> bool:
    return history.fold(rule)[0].phase is not Phase.INACTIVE
