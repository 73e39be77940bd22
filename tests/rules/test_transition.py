"""Every step from state to state, and what holds for any sequence of windows."""

import itertools
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.rules import (
    Event,
    Health,
    Operator,
    Phase,
    Reading,
    Rule,
    Signal,
    State,
    Transition,
    transition,
)
from tocsin.values import HOUR

BREACH = Reading(Health.OK, Signal.BREACH, 0.5, 100, "breach")
CLEAR = Reading(Health.OK, Signal.CLEAR, 0.9, 100, "clear")
BETWEEN = Reading(Health.OK, Signal.HOLD, 0.7, 100, "at risk")
UNJUDGED = [
    Reading(health, Signal.HOLD, None, 0, "no") for health in Health if health is not Health.OK
]

readings = st.lists(st.sampled_from([BREACH, CLEAR, BETWEEN, *UNJUDGED]), max_size=40)
patience = st.integers(1, 4)


def rule(for_windows: int = 1, keep_firing_windows: int = 1) -> Rule:
    return Rule("LowAuc", "roc_auc", HOUR, Operator.BELOW, 0.7, 0.8, for_windows,
                keep_firing_windows)  # fmt: skip


def run(of: Rule, seen: list[Reading], state: State | None = None) -> list[Transition]:
    steps: list[Transition] = []
    state = State() if state is None else state
    for end, reading in enumerate(seen, 1):
        steps.append(transition(of, state, reading, end))
        state = steps[-1].state
    return steps


def events(steps: list[Transition]) -> list[Event]:
    return [step.event for step in steps if step.event is not None]


def phases(steps: list[Transition]) -> str:
    """One letter a step: i(nactive), p(ending), f(iring), r(ecovering)."""
    return "".join(step.state.phase[0] for step in steps)


TWO_AND_TWO = rule(2, 2)
INACTIVE = State(last_window=9)
PENDING = State(Phase.PENDING, 9, 1, 9)
FIRING = State(Phase.FIRING, 7, 0, 9)
RECOVERING = State(Phase.RECOVERING, 7, 1, 9)


@pytest.mark.parametrize(
    ("before", "reading", "after", "event"),
    [
        (INACTIVE, BREACH, State(Phase.PENDING, 10, 1, 10), Event.STARTED),
        (INACTIVE, CLEAR, State(last_window=10), None),
        (INACTIVE, BETWEEN, State(last_window=10), None),
        (PENDING, BREACH, State(Phase.FIRING, 9, 0, 10), Event.FIRED),
        (PENDING, CLEAR, State(last_window=10), Event.DROPPED),
        (PENDING, BETWEEN, State(Phase.PENDING, 9, 1, 10), None),
        (FIRING, BREACH, State(Phase.FIRING, 7, 0, 10), None),
        (FIRING, CLEAR, State(Phase.RECOVERING, 7, 1, 10), None),
        (FIRING, BETWEEN, State(Phase.FIRING, 7, 0, 10), None),
        (RECOVERING, BREACH, State(Phase.FIRING, 7, 0, 10), None),
        (RECOVERING, CLEAR, State(last_window=10), Event.RESOLVED),
        (RECOVERING, BETWEEN, State(Phase.RECOVERING, 7, 1, 10), None),
    ],
)
def test_the_table_of_steps(before: State, reading: Reading, after: State, event) -> None:
    step = transition(TWO_AND_TWO, before, reading, 10)
    assert step == Transition(after, event, reading.text)


@pytest.mark.parametrize("state", [State(), INACTIVE, PENDING, FIRING, RECOVERING])
@pytest.mark.parametrize("reading", UNJUDGED)
def test_a_window_that_cannot_be_judged_holds_everything(state: State, reading: Reading) -> None:
    step = transition(TWO_AND_TWO, state, reading, 10)
    assert step == Transition(state, None, f"held: {reading.health}", judged=False)


@pytest.mark.parametrize("state", [INACTIVE, PENDING, FIRING, RECOVERING])
@pytest.mark.parametrize("reading", [BREACH, CLEAR, BETWEEN, *UNJUDGED])
@pytest.mark.parametrize("end", [1, 9])
def test_a_window_that_was_judged_before_changes_nothing(state, reading, end: int) -> None:
    assert transition(TWO_AND_TWO, state, reading, end) == Transition(
        state, None, "already judged", judged=False
    )


def test_a_window_that_was_held_may_be_judged_once_its_labels_came() -> None:
    held = transition(rule(), State(), UNJUDGED[-1], 5)
    assert transition(rule(), held.state, BREACH, 5).event is Event.FIRED


def test_without_patience_a_rule_fires_and_resolves_at_once() -> None:
    steps = run(rule(), [BREACH, CLEAR, BREACH, CLEAR])
    assert events(steps) == [Event.FIRED, Event.RESOLVED] * 2
    assert phases(steps) == "fifi"


def test_three_breached_windows_in_a_row_fire_and_the_episode_began_with_the_first() -> None:
    steps = run(rule(for_windows=3), [CLEAR, BREACH, BREACH, CLEAR, BREACH, BREACH, BREACH])
    assert phases(steps) == "ippippf"
    assert events(steps) == [Event.STARTED, Event.DROPPED, Event.STARTED, Event.FIRED]
    assert steps[-1].state.since == 5


def test_a_good_window_that_is_followed_by_a_bad_one_does_not_resolve() -> None:
    steps = run(rule(keep_firing_windows=2), [BREACH, CLEAR, BREACH, CLEAR, BETWEEN, CLEAR])
    assert phases(steps) == "frfrri"
    assert events(steps) == [Event.FIRED, Event.RESOLVED]
    assert steps[4].state.since == 1


def test_windows_between_clear_and_value_never_start_nor_end_anything() -> None:
    assert events(run(rule(), [BETWEEN] * 5)) == []
    assert events(run(rule(), [BREACH] + [BETWEEN] * 5)) == [Event.FIRED]


@given(readings, patience, patience)
def test_firing_and_resolving_take_turns(seen: list[Reading], pending: int, keep: int) -> None:
    told = [
        event
        for event in events(run(rule(pending, keep), seen))
        if event in (Event.FIRED, Event.RESOLVED)
    ]
    assert told[::2] == [Event.FIRED] * len(told[::2])
    assert told[1::2] == [Event.RESOLVED] * len(told[1::2])


@given(readings, patience, patience)
def test_starting_is_followed_by_firing_or_dropping(seen, pending: int, keep: int) -> None:
    told = [
        e for e in events(run(rule(pending, keep), seen)) if e is not Event.RESOLVED
    ]  # fmt: skip
    for event, following in itertools.pairwise(told):
        if event is Event.STARTED:
            assert following in (Event.FIRED, Event.DROPPED)
        if following is Event.DROPPED:
            assert event is Event.STARTED


@given(readings, readings, patience, patience)
def test_a_restart_between_two_windows_changes_nothing(before, after, pending, keep) -> None:
    of = rule(pending, keep)
    whole = run(of, before + after)
    stored = asdict(whole[len(before) - 1].state) if before else asdict(State())
    restored = State(**{**stored, "phase": Phase(str(stored["phase"]))})
    resumed: list[Transition] = []
    for end, reading in enumerate(after, len(before) + 1):
        resumed.append(transition(of, restored, reading, end))
        restored = resumed[-1].state
    assert resumed == whole[len(before) :]


@given(readings, patience, patience)
def test_replaying_all_windows_tells_nothing_twice(seen, pending: int, keep: int) -> None:
    of = rule(pending, keep)
    first = run(of, [r for r in seen if r.health is Health.OK])
    if first:
        again = run(of, [r for r in seen if r.health is Health.OK], first[-1].state)
        assert events(again) == []
        assert again[-1].state == first[-1].state


@given(readings, patience, patience)
def test_unjudged_windows_might_as_well_be_missing(seen, pending: int, keep: int) -> None:
    of = rule(pending, keep)
    judged = [reading for reading in seen if reading.health is Health.OK]
    assert events(run(of, seen)) == events(run(of, judged))
    assert phases(run(of, judged)) == "".join(
        letter
        for letter, reading in zip(phases(run(of, seen)), seen, strict=True)
        if reading.health is Health.OK
    )


@given(readings, patience, patience)
def test_the_phase_tells_what_was_last_told(seen, pending: int, keep: int) -> None:
    active = False
    for step in run(rule(pending, keep), seen):
        if step.event is Event.FIRED:
            active = True
        if step.event is Event.RESOLVED:
            active = False
        assert (step.state.phase in (Phase.FIRING, Phase.RECOVERING)) == active
        assert (step.state.since is None) == (step.state.phase is Phase.INACTIVE)
        assert step.reason


@given(patience, st.integers(1, 12))
def test_a_rule_fires_after_exactly_as_many_breached_windows_as_it_wants(pending, bad) -> None:
    fired = Event.FIRED in events(run(rule(pending), [BREACH] * bad))
    assert fired == (bad >= pending)


@given(patience, st.integers(1, 12))
def test_a_rule_resolves_after_exactly_as_many_good_windows_as_it_wants(keep, good) -> None:
    told = events(run(rule(1, keep), [BREACH] + [CLEAR] * good))
    assert (Event.RESOLVED in told) == (good >= keep)
