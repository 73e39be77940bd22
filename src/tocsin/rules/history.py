"""What was seen of an alert, window after window: its state and its episodes follow from that."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from tocsin.rules.rule import Rule
from tocsin.rules.transition import FLAPPING_WINDOWS, Event, Phase, Seen, State, transition

_BREACHES = (Seen.BREACH, Seen.NO_DATA)


@dataclass(frozen=True)
class Span:
    """One run of an alert; all are window ends.

    resolved: None while it goes on. flapping: when it was first seen to flap. vanished: it is over
    because the series was not there any more.
    """

    started: int
    fired: int
    resolved: int | None = None
    flapping: int | None = None
    vanished: bool = False

    def overlaps(self, started: int, resolved: int | None) -> bool:
        """Whether it has a window in common with a run of these."""
        return (resolved is None or self.started <= resolved) and (
            self.resolved is None or started <= self.resolved
        )


@dataclass(frozen=True)
class History:
    """The windows of an alert instance, as they were seen last.

    base: the state before the first of them. first: the end of the first; every: between ends, both
    microseconds. letters: of `Seen`, one a window.
    """

    base: State
    first: int
    every: int
    letters: str = ""

    @property
    def last(self) -> int | None:
        """The end of the newest window, None before any."""
        return self.first + (len(self.letters) - 1) * self.every if self.letters else None

    def at(self, end: int) -> Seen:
        """What was seen in the window that ends then."""
        at, odd = divmod(end - self.first, self.every)
        there = not odd and 0 <= at < len(self.letters)
        return Seen(self.letters[at]) if there else Seen.NOTHING

    def told(self, found: Mapping[int, Seen]) -> Self:
        """With what was seen in windows by their end; those before the first are past changing."""
        wanted = {end: saw for end, saw in found.items() if end >= self.first}
        if not wanted:
            return self
        count = max(len(self.letters), (max(wanted) - self.first) // self.every + 1)
        letters = list(self.letters.ljust(count, Seen.NOTHING))
        for end, saw in wanted.items():
            letters[(end - self.first) // self.every] = saw
        return replace(self, letters="".join(letters))

    def trimmed(self, rule: Rule, most: int) -> Self:
        """Only the newest windows; of the others the state is left."""
        surplus = len(self.letters) - most
        if surplus <= 0:
            return self
        older = replace(self, letters=self.letters[:surplus])
        return replace(
            self,
            base=older.fold(rule)[0],
            first=self.first + surplus * self.every,
            letters=self.letters[surplus:],
        )

    def fold(self, rule: Rule) -> tuple[State, tuple[Span, ...]]:
        """The state after all windows, and the runs that were not over before the first."""
        state = self.base
        spans: list[Span] = []
        if state.fired is not None and state.since is not None:
            spans.append(Span(state.since, state.fired, flapping=state.flapping))
        at = 0
        while at < len(self.letters):
            if state.phase is Phase.INACTIVE:
                # Nothing begins but by a breach, or by what counts as one.
                beginning = min(
                    (i for s in _BREACHES if (i := self.letters.find(s, at)) >= 0),
                    default=len(self.letters),
                )
                state = _passed(state, self.letters[at:beginning])
                at = beginning
                if at == len(self.letters):
                    break
            end = self.first + at * self.every
            step = transition(rule, state, Seen(self.letters[at]), end)
            state = step.state
            _note(spans, step.event, state, end)
            at += 1
        return state, tuple(spans)


def _passed(state: State, letters: str) -> State:
    """An alert at rest after windows in which nothing begins."""
    clear = Seen.CLEAR * min(letters.count(Seen.CLEAR), FLAPPING_WINDOWS)
    return State(recent=(state.recent + clear)[-FLAPPING_WINDOWS:]) if clear else state


def _note(spans: list[Span], event: Event | None, state: State, end: int) -> None:
    """Keep what a step tells of the runs."""
    if event is Event.FIRED:
        assert state.since is not None
        spans.append(Span(state.since, end))
    elif event is Event.FLAPPING and spans[-1].flapping is None:
        spans[-1] = replace(spans[-1], flapping=end)
    elif event in (Event.RESOLVED, Event.VANISHED):
        spans[-1] = replace(spans[-1], resolved=end, vanished=event is Event.VANISHED)
