"""Tests of rules: windows go through the life cycle that alerts go through, and nothing else."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tocsin.declared import Monitor, parse_monitor
from tocsin.declared.configuration import Source
from tocsin.declared.rule_tests import (
    EpisodeDocument,
    RuleTestDocument,
    WindowDocument,
    parse_rule_tests,
)
from tocsin.errors import InvalidInputError
from tocsin.quality import VOLUME
from tocsin.rules import (
    History,
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
    """What became of a test: a sentence for each thing that is not as expected."""

    name: str
    failures: tuple[str, ...]


def run_tests(file: Path) -> list[Tested]:
    """Run the tests of a file.

    Raises: ConfigurationError for faults in it or in the monitors that it names; InvalidInputError
    for a monitor or a rule that is not in them, or a file that cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{file} cannot be read as UTF-8 text: {error}") from error
    parsed = parse_rule_tests(Source(str(file), text))
    found = load([file.parent / name for name in parsed.files]).checked.good()
    monitors = {m.name: parse_monitor(m.name, dict(m.document)) for m in found.monitors}
    return [Tested(test.name, tuple(_run(test, monitors))) for test in parsed.tests]


def _run(test: RuleTestDocument, monitors: dict[str, Monitor]) -> list[str]:
    monitor = monitors.get(test.monitor)
    rules = [] if monitor is None else [r for r in monitor.rules if r.name == test.rule]
    if monitor is None or not rules:
        raise InvalidInputError(
            f"test {test.name!r}: there is no rule {test.rule!r} of a monitor {test.monitor!r} in "
            "these files"
        )
    rule = rules[0]
    # Ends of windows are their numbers.
    history = History(State(), first=1, every=1)
    failures: list[str] = []
    newest = 0
    for entry in test.windows:
        if entry == "restart":
            history = _read_back(history)
            continue
        assert isinstance(entry, WindowDocument)
        for at in _numbers(test, entry, newest):
            reading, saw = _saw(test, rule, monitor, entry)
            history = history.told({at: saw})
            newest = max(newest, at)
            phase = history.fold(rule)[0].phase
            if entry.expect is not None and phase is not entry.expect:
                failures.append(_told(at, entry, phase, reading))
    if test.episodes is not None:
        failures += _episodes(rule, history, test.episodes)
    return failures


def _numbers(test: RuleTestDocument, entry: WindowDocument, newest: int) -> range:
    """The windows that an entry is of."""
    if entry.revise is None:
        return range(newest + 1, newest + 1 + entry.repeat)
    if entry.revise > newest:
        raise InvalidInputError(
            f"test {test.name!r} revises window {entry.revise}, of {newest} that there were then"
        )
    return range(entry.revise, entry.revise + 1)


def _saw(
    test: RuleTestDocument, rule: Rule, monitor: Monitor, entry: WindowDocument
) -> tuple[Reading | None, Seen]:
    if entry.sees is not None:
        return None, _SAW[entry.sees]
    if entry.rows and (rule.value is None or rule.auto):
        raise InvalidInputError(
            f"test {test.name!r}: rule {rule.name!r} has no threshold, so a value says nothing; "
            "write what it sees, as `sees: breach`"
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
    why = reading.text if reading is not None else f"it sees {entry.sees}"
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
