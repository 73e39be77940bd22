"""From one state of an alert to the next: pure, so that a restart or a replay gives the same."""

from dataclasses import dataclass, replace
from enum import StrEnum

from tocsin.rules.reading import Health, Reading, Signal
from tocsin.rules.rule import NoData, Rule

# A series flaps when more than half of so many windows went the other way, until a quarter do.
FLAPPING_WINDOWS = 21
_MOST_CHANGES, _FEW_CHANGES = (FLAPPING_WINDOWS - 1) / 2, (FLAPPING_WINDOWS - 1) / 4
# A series that is missing from so many windows in a row is over.
MISSING_WINDOWS = 2


class Seen(StrEnum):
    """What a window says of an alert: a letter each, so that a history is a text.

    `NOTHING` where the rule did not look; all after `CLEAR` hold the state, but for what a rule
    says of windows without rows, and for a series that stays away.
    """

    BREACH = "b"
    BETWEEN = "h"
    CLEAR = "c"
    NO_DATA = "n"
    INSUFFICIENT = "i"
    AWAITING_LABELS = "l"
    UNTRUSTED = "u"
    MISSING = "m"
    NOTHING = "."


_UNJUDGED = {
    Health.NO_DATA: Seen.NO_DATA,
    Health.INSUFFICIENT: Seen.INSUFFICIENT,
    Health.AWAITING_LABELS: Seen.AWAITING_LABELS,
    Health.UNTRUSTED: Seen.UNTRUSTED,
}
_JUDGED = {Signal.BREACH: Seen.BREACH, Signal.HOLD: Seen.BETWEEN, Signal.CLEAR: Seen.CLEAR}
_OF_NO_DATA = {NoData.ALERTING: Seen.BREACH, NoData.OK: Seen.CLEAR}


def seen(reading: Reading) -> Seen:
    """What is remembered of a reading."""
    return _UNJUDGED.get(reading.health) or _JUDGED[reading.signal]


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
    FLAPPING = "flapping"
    RESOLVED = "resolved"
    VANISHED = "vanished"
    DROPPED = "dropped"


@dataclass(frozen=True)
class State:
    """An alert instance between two windows.

    since: window end that began the phase's episode, None while inactive.
    fired: window end in which that fired, None before.
    streak: consecutive windows that count towards the next phase.
    missing: consecutive windows in which the series was not there.
    recent: the letters of the last windows that were in breach or clear, while there is an episode.
    flapping: since when the episode goes on only because it flaps, as window end.
    """

    phase: Phase = Phase.INACTIVE
    since: int | None = None
    fired: int | None = None
    streak: int = 0
    missing: int = 0
    recent: str = ""
    flapping: int | None = None


@dataclass(frozen=True)
class Transition:
    """The next state, and what is to be told about it, if anything."""

    state: State
    event: Event | None = None


def transition(rule: Rule, state: State, saw: Seen, window_end: int) -> Transition:
    """The step that one window brings. A window that cannot be judged holds everything."""
    if saw is Seen.NO_DATA:
        saw = _OF_NO_DATA.get(rule.no_data, saw)
    if saw is Seen.MISSING:
        return _missing(state)
    if saw is not Seen.NOTHING and state.missing:
        state = replace(state, missing=0)
    if saw not in (Seen.BREACH, Seen.CLEAR):
        return Transition(state)
    state = replace(state, recent=(state.recent + saw)[-FLAPPING_WINDOWS:])
    return (
        _breached(rule, state, window_end)
        if saw is Seen.BREACH
        else _cleared(rule, state, window_end)
    )


def _breached(rule: Rule, state: State, window_end: int) -> Transition:
    if state.phase in (Phase.FIRING, Phase.RECOVERING):
        return _watched(replace(state, phase=Phase.FIRING, streak=0), window_end)
    first = state.phase is Phase.INACTIVE
    pending = replace(
        state,
        phase=Phase.PENDING,
        since=window_end if first else state.since,
        streak=state.streak + 1,
    )
    if pending.streak < rule.for_windows:
        return Transition(pending, Event.STARTED if first else None)
    fired = replace(pending, phase=Phase.FIRING, fired=window_end, streak=0)
    return Transition(fired, Event.FIRED)


def _cleared(rule: Rule, state: State, window_end: int) -> Transition:
    over = State(recent=state.recent)
    if state.phase is Phase.INACTIVE:
        return Transition(over)
    if state.phase is Phase.PENDING:
        return Transition(over, Event.DROPPED)
    watched = _watched(replace(state, phase=Phase.RECOVERING, streak=state.streak + 1), window_end)
    if watched.state.flapping is None and watched.state.streak >= rule.keep_firing_windows:
        return Transition(over, Event.RESOLVED)
    return watched


def _watched(state: State, window_end: int) -> Transition:
    """An episode that begins to flap goes on until it is calm: it is told once, not each time."""
    changes = sum(a != b for a, b in zip(state.recent, state.recent[1:], strict=False))
    if state.flapping is not None:
        calm = changes < _FEW_CHANGES
        return Transition(replace(state, flapping=None) if calm else state)
    if changes > _MOST_CHANGES:
        return Transition(replace(state, flapping=window_end), Event.FLAPPING)
    return Transition(state)


def _missing(state: State) -> Transition:
    if state.phase is Phase.INACTIVE:
        return Transition(state)
    away = replace(state, missing=state.missing + 1)
    if away.missing < MISSING_WINDOWS:
        return Transition(away)
    pending = state.phase is Phase.PENDING
    return Transition(State(recent=state.recent), Event.DROPPED if pending else Event.VANISHED)
