"""From one state of an alert to the next: pure, so that a restart or a replay gives the same."""

from dataclasses import dataclass, replace
from enum import StrEnum

from tocsin.rules.reading import Health, Reading, Signal
from tocsin.rules.rule import Rule


class Phase(StrEnum):
    """Where an alert stands."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"


class Event(StrEnum):
    """What a step tells the outside."""

    STARTED = "started"
    FIRED = "fired"
    RESOLVED = "resolved"
    DROPPED = "dropped"


@dataclass(frozen=True)
class State:
    """An alert instance between two windows.

    since: window end that began the phase's episode, None while inactive.
    streak: consecutive windows that count towards the next phase.
    last_window: end of the newest window that was judged, None before the first.
    """

    phase: Phase = Phase.INACTIVE
    since: int | None = None
    streak: int = 0
    last_window: int | None = None


@dataclass(frozen=True)
class Transition:
    """The next state, and what is to be told about it, if anything.

    judged: False when the window changed nothing, as it was judged before or cannot be.
    """

    state: State
    event: Event | None
    reason: str
    judged: bool = True


def transition(rule: Rule, state: State, reading: Reading, window_end: int) -> Transition:
    """The step that one window brings. A window that cannot be judged holds everything."""
    if state.last_window is not None and window_end <= state.last_window:
        return Transition(state, None, "already judged", judged=False)
    if reading.health is not Health.OK:
        return Transition(state, None, f"held: {reading.health}", judged=False)
    seen = replace(state, last_window=window_end)
    if reading.signal is Signal.BREACH:
        return _breached(rule, seen, window_end, reading.text)
    if reading.signal is Signal.CLEAR:
        return _cleared(rule, seen, reading.text)
    return Transition(seen, None, reading.text)


def _breached(rule: Rule, state: State, window_end: int, text: str) -> Transition:
    if state.phase is Phase.FIRING:
        return Transition(state, None, text)
    if state.phase is Phase.RECOVERING:
        return Transition(replace(state, phase=Phase.FIRING, streak=0), None, text)
    pending = replace(
        state,
        phase=Phase.PENDING,
        since=state.since if state.phase is Phase.PENDING else window_end,
        streak=state.streak + 1,
    )
    if pending.streak >= rule.for_windows:
        return Transition(replace(pending, phase=Phase.FIRING, streak=0), Event.FIRED, text)
    event = Event.STARTED if state.phase is Phase.INACTIVE else None
    return Transition(pending, event, text)


def _cleared(rule: Rule, state: State, text: str) -> Transition:
    over = State(last_window=state.last_window)
    if state.phase is Phase.INACTIVE:
        return Transition(state, None, text)
    if state.phase is Phase.PENDING:
        return Transition(over, Event.DROPPED, text)
    recovering = replace(state, phase=Phase.RECOVERING, streak=state.streak + 1)
    if recovering.streak >= rule.keep_firing_windows:
        return Transition(over, Event.RESOLVED, text)
    return Transition(recovering, None, text)
