"""Tests of rules: windows go through the life cycle that alerts go through, and nothing else."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tocsin.declared import Monitor, parse_monitor
from tocsin.declared.configuration import DeclaredMonitor, Source, is_whole
from tocsin.declared.rule_tests import (
    EpisodeDocument,
    ParsedTests,
    RuleTestDocument,
    WindowDocument,
    parse_rule_tests,
)
from tocsin.declared.wording import nearest
from tocsin.errors import InvalidInputError
from tocsin.quality import VOLUME
from tocsin.rules import (
    History,
    NoData,
    Phase,
    Reading,
    Rule,
    Seen,
    State,
    read_metric,
    seen,
)
from tocsin.service.configuration_files import load
from tocsin.service.signals import needs_labels
from tocsin.values import Bounded, Measure, Undefined

_SAW = {
    "breach": Seen.BREACH,
    "between": Seen.BETWEEN,
    "clear": Seen.CLEAR,
    "insufficient": Seen.INSUFFICIENT,
    "missing": Seen.MISSING,
}


@dataclass(frozen=True)
class Tested:
    """What became of a test: a sentence for each thing that is not as expected.

    faulty: it could not be run, and the sentences say what is wrong with it.
    """

    name: str
    failures: tuple[str, ...]
    faulty: bool = False


class _UnfitError(Exception):
    """What a test says, in a field, cannot be said of its rule."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def run_tests(file: Path) -> list[Tested]:
    """Run the tests of a file, each for itself: one that is faulty keeps no other from running.

    Raises: ConfigurationError for faults that no test has for itself, or in the monitors that the
    file names; InvalidInputError for a file that cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{file} cannot be read as UTF-8 text: {error}") from error
    parsed = parse_rule_tests(Source(str(file), text))
    found = load([file.parent / name for name in parsed.files]).checked.good()
    return [
        _tested(parsed, number, found.monitors)
        for number in sorted(parsed.tests.keys() | parsed.faulty.keys())
    ]


def _tested(parsed: ParsedTests, number: int, monitors: Sequence[DeclaredMonitor]) -> Tested:
    test = parsed.tests.get(number)
    if test is None:
        faults = parsed.faulty[number]
        return Tested(parsed.name_of(number), tuple(map(str, faults)), faulty=True)
    try:
        monitor = _monitor(test, monitors)
        return Tested(test.name, tuple(_run(test, _rule(test, monitor), monitor)))
    except _UnfitError as error:
        fault = parsed.fault_of(number, error.field, str(error))
        return Tested(test.name, (str(fault),), faulty=True)


def _monitor(test: RuleTestDocument, monitors: Sequence[DeclaredMonitor]) -> Monitor:
    declared = next((each for each in monitors if each.name == test.monitor), None)
    if declared is None:
        known = nearest(test.monitor, [each.name for each in monitors])
        raise _UnfitError("monitor", f"there is no monitor {test.monitor!r} in the files; {known}")
    if not is_whole(declared.document):
        raise _UnfitError(
            "monitor",
            f"the schema of {test.monitor!r} is told by the registry, which tests do not ask; "
            "write `schema` with its `features`",
        )
    return parse_monitor(declared.name, dict(declared.document))


def _rule(test: RuleTestDocument, monitor: Monitor) -> Rule:
    rule = next((each for each in monitor.rules if each.name == test.rule), None)
    if rule is None:
        known = nearest(test.rule, [each.name for each in monitor.rules])
        raise _UnfitError("rule", f"{test.monitor!r} has no rule {test.rule!r}; {known}")
    if test.about == "no_data" and rule.no_data is not NoData.NO_DATA:
        raise _UnfitError(
            "about",
            f"rule {rule.name!r} has `no_data: {rule.no_data}`, and so no alert of its own of "
            "windows without rows; leave `about` out, or write `no_data: no_data` in the rule",
        )
    return rule


def _run(test: RuleTestDocument, rule: Rule, monitor: Monitor) -> list[str]:
    # Ends of windows are their numbers.
    history = History(State(), first=1, every=1)
    failures: list[str] = []
    newest = 0
    for entry in test.windows:
        if entry == "restart":
            history = _read_back(history)
            continue
        assert isinstance(entry, WindowDocument)
        for at in _numbers(entry, newest):
            reading, saw = _saw(test, rule, monitor, entry)
            history = history.told({at: saw})
            newest = max(newest, at)
            phase = history.fold(rule)[0].phase
            if entry.expect is not None and phase is not entry.expect:
                failures.append(_told(at, entry, phase, reading))
    if test.episodes is not None:
        failures += _episodes(rule, history, test.episodes)
    return failures


def _numbers(entry: WindowDocument, newest: int) -> range:
    """The windows that an entry is of."""
    if entry.revise is None:
        return range(newest + 1, newest + 1 + entry.repeat)
    if entry.revise > newest:
        raise _UnfitError(
            "windows",
            f"it revises window {entry.revise}, of {newest} that there were then; write an earlier "
            "one",
        )
    return range(entry.revise, entry.revise + 1)


def _saw(
    test: RuleTestDocument, rule: Rule, monitor: Monitor, entry: WindowDocument
) -> tuple[Reading | None, Seen]:
    if entry.sees is not None:
        return None, _SAW[entry.sees]
    if test.about == "no_data":
        return None, Seen.CLEAR if entry.rows else Seen.BREACH
    if entry.rows and entry.value is None:
        raise _UnfitError(
            "windows",
            f"a window of {entry.rows:,} rows says nothing of rule {rule.name!r}; write its "
            "`value`, or what the rule `sees`",
        )
    if entry.rows and (rule.value is None or rule.auto):
        why = "learns its limits" if rule.auto else "has no threshold"
        raise _UnfitError(
            "windows",
            f"rule {rule.name!r} {why}, so a value says nothing; write what it sees, as "
            "`sees: breach`",
        )
    measure: Measure = (
        # How many rows there are is known where there are none.
        Bounded(0.0)
        if rule.metric == VOLUME and not entry.rows
        else Undefined("no predictions")
        if entry.value is None
        else Bounded(entry.value, 0.0, entry.low, entry.high, entry.n)
    )
    reading = read_metric(
        rule,
        measure,
        rows=entry.rows,
        coverage=entry.coverage,
        needs_labels=needs_labels(rule.metric, monitor),
    )
    return reading, seen(reading)


def _read_back(history: History) -> History:
    """What is left of a history by a server that ends: what the records have."""
    kept = json.loads(json.dumps(asdict(history)))
    base = kept.pop("base")
    return History(State(**{**base, "phase": Phase(base["phase"])}), **kept)


def _told(at: int, entry: WindowDocument, phase: Phase, reading: Reading | None) -> str:
    if reading is not None:
        why = reading.text
    else:
        why = f"it sees {entry.sees}" if entry.sees is not None else f"{entry.rows:,} rows"
    return f"window {at}: expected {entry.expect}, but it is {phase} ({why})"


def _episodes(rule: Rule, history: History, expected: Sequence[EpisodeDocument]) -> list[str]:
    found = [
        EpisodeDocument(started=span.started, fired=span.fired, resolved=span.resolved)
        for span in history.fold(rule)[1]
    ]
    if found == list(expected):
        return []
    return [f"episodes: expected {_spoken(expected)}, but there are {_spoken(found)}"]


def _spoken(episodes: Sequence[EpisodeDocument]) -> str:
    return (
        "; ".join(
            f"started {e.started}, fired {e.fired}, "
            + ("goes on" if e.resolved is None else f"resolved {e.resolved}")
            for e in episodes
        )
        or "none"
    )
