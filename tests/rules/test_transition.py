"""Every step from state to state."""

import pytest

from tocsin.rules import (
    Event,
    Health,
    NoData,
    Operator,
    Phase,
    Reading,
    Rule,
    Seen,
    Signal,
    State,
    Transition,
    seen,
    transition,
)
from tocsin.values import HOUR


def rule(for_windows: int = 1, keep: int = 1, no_data: NoData = NoData.KEEP_LAST) -> Rule:
    return Rule(
        "LowAuc",
        "roc_auc",
        HOUR,
        Operator.BELOW,
        0.7,
        0.8,
        for_windows,
        keep,
        no_data=no_data,
    )


TWO_AND_TWO = rule(2, 2)
INACTIVE = State()
PENDING = State(Phase.PENDING, since=9, streak=1)
FIRING = State(Phase.FIRING, since=7, fired=8)
RECOVERING = State(Phase.RECOVERING, since=7, fired=8, streak=1)
STATES = [INACTIVE, PENDING, FIRING, RECOVERING]
HELD = [Seen.BETWEEN, Seen.NO_DATA, Seen.INSUFFICIENT, Seen.AWAITING_LABELS, Seen.UNTRUSTED]


@pytest.mark.parametrize(
    ("before", "saw", "after", "event"),
    [
        (INACTIVE, "b", State(Phase.PENDING, 10, streak=1, recent="b"), Event.STARTED),
        (INACTIVE, "c", State(recent="c"), None),
        (PENDING, "b", State(Phase.FIRING, 9, 10, recent="b"), Event.FIRED),
        (PENDING, "c", State(recent="c"), Event.DROPPED),
        (FIRING, "b", State(Phase.FIRING, 7, 8, recent="b"), None),
        (FIRING, "c", State(Phase.RECOVERING, 7, 8, streak=1, recent="c"), None),
        (RECOVERING, "b", State(Phase.FIRING, 7, 8, recent="b"), None),
        (RECOVERING, "c", State(recent="c"), Event.RESOLVED),
    ],
)
def test_the_table_of_steps(before: State, saw: str, after: State, event: Event | None) -> None:
    assert transition(TWO_AND_TWO, before, Seen(saw), 10) == Transition(after, event)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("saw", [*HELD, Seen.NOTHING])
def test_a_window_that_cannot_be_judged_holds_everything(state: State, saw: Seen) -> None:
    assert transition(TWO_AND_TWO, state, saw, 10) == Transition(state)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("policy", "counts_as"), [(NoData.ALERTING, Seen.BREACH), (NoData.OK, Seen.CLEAR)]
)
def test_rules_say_what_no_rows_mean(state: State, policy: NoData, counts_as: Seen) -> None:
    of = rule(2, 2, policy)
    assert transition(of, state, Seen.NO_DATA, 10) == transition(of, state, counts_as, 10)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (INACTIVE, None),
        (PENDING, Event.DROPPED),
        (FIRING, Event.VANISHED),
        (RECOVERING, Event.VANISHED),
    ],
)
def test_a_series_that_stays_away_is_over_after_two_windows(
    state: State, event: Event | None
) -> None:
    once = transition(TWO_AND_TWO, state, Seen.MISSING, 10)
    assert once.event is None
    assert once.state.phase is state.phase
    assert transition(TWO_AND_TWO, once.state, Seen.MISSING, 11) == Transition(State(), event)
    # One that comes back meanwhile has missed nothing.
    back = transition(TWO_AND_TWO, once.state, Seen.BETWEEN, 11)
    assert back == Transition(state)


@pytest.mark.parametrize(
    ("reading", "letter"),
    [
        (Reading(Health.OK, Signal.BREACH, 0.5, 100, ""), Seen.BREACH),
        (Reading(Health.OK, Signal.HOLD, 0.5, 100, ""), Seen.BETWEEN),
        (Reading(Health.OK, Signal.CLEAR, 0.5, 100, ""), Seen.CLEAR),
        (Reading(Health.NO_DATA, Signal.HOLD, None, 0, ""), Seen.NO_DATA),
        (Reading(Health.INSUFFICIENT, Signal.HOLD, None, 3, ""), Seen.INSUFFICIENT),
        (Reading(Health.AWAITING_LABELS, Signal.HOLD, None, 3, ""), Seen.AWAITING_LABELS),
        (Reading(Health.UNTRUSTED, Signal.HOLD, 0.5, 3, ""), Seen.UNTRUSTED),
    ],
)
def test_each_reading_is_remembered_by_its_letter(reading: Reading, letter: Seen) -> None:
    assert seen(reading) is letter


def test_every_health_and_every_signal_has_a_letter() -> None:
    letters = {
        seen(Reading(health, signal, None, 0, ""))
        for health in Health
        for signal in Signal
        if health is Health.OK or signal is Signal.HOLD
    }
    assert letters == set(Seen) - {Seen.MISSING, Seen.NOTHING}
