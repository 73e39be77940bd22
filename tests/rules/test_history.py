"""What follows from all that was seen of an alert."""

import itertools
import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.test_transition import rule

from tocsin.rules import Event, History, Phase, Rule, Seen, Span, State, transition

letters = st.text(st.sampled_from([str(s) for s in Seen]), max_size=60)
# Mostly what changes something, so that runs begin and end.
lively = st.text(st.sampled_from("bbbccchm"), max_size=60)
patience = st.integers(1, 4)


def history(seen: str, every: int = 1) -> History:
    return History(State(), 1, every, seen)


def naive(of: Rule, seen: str) -> tuple[State, list[Event], list[Phase]]:
    """Step by step, without any short cut."""
    state, events, phases = State(), [], []
    for end, letter in enumerate(seen, 1):
        step = transition(of, state, Seen(letter), end)
        state = step.state
        phases.append(state.phase)
        if step.event is not None:
            events.append(step.event)
    return state, events, phases


def spans(of: Rule, seen: str) -> list[tuple[int, int, int | None]]:
    return [(s.started, s.fired, s.resolved) for s in history(seen).fold(of)[1]]


def test_three_breached_windows_in_a_row_fire_and_the_run_began_with_the_first() -> None:
    assert spans(rule(3), "cbbcbbb") == [(5, 7, None)]


def test_what_cannot_be_judged_freezes_the_patience_on_both_sides() -> None:
    assert spans(rule(2, 2), "bi.lnhubcihc") == [(1, 8, 12)]


def test_a_breach_while_it_recovers_belongs_to_the_same_run() -> None:
    assert spans(rule(1, 2), "bcbcc") == [(1, 1, 5)]


def test_a_series_that_vanished_ends_its_run_and_says_so() -> None:
    (span,) = history("bbmm").fold(rule())[1]
    assert span == Span(1, 1, 4, vanished=True)


def test_a_series_to_and_fro_is_one_run_that_is_told_once() -> None:
    whole = "bc" * 40 + "c" * 30
    _, found = history(whole).fold(rule())
    # Before 21 windows nobody can know that it flaps.
    flapping = found[-1]
    assert all(span.flapping is None for span in found[:-1])
    assert flapping.flapping is not None
    assert flapping.flapping <= 23
    assert flapping.resolved is not None
    # Quiet until fewer than a quarter of the last windows change.
    assert 80 < flapping.resolved < 110
    assert len(found) <= 12


@given(letters, patience, patience)
def test_the_short_cut_over_quiet_windows_changes_nothing(seen: str, pending, keep) -> None:
    of = rule(pending, keep)
    state, found = history(seen).fold(of)
    plain, events, _ = naive(of, seen)
    assert state == plain
    assert len(found) == events.count(Event.FIRED)
    ended = events.count(Event.RESOLVED) + events.count(Event.VANISHED)
    assert sum(span.resolved is not None for span in found) == ended


@given(lively, patience, patience)
def test_runs_follow_each_other_and_only_the_last_may_be_open(seen: str, pending, keep) -> None:
    _, found = history(seen).fold(rule(pending, keep))
    for span, following in itertools.pairwise(found):
        assert span.resolved is not None
        assert span.started <= span.fired < span.resolved < following.started


@given(lively, st.integers(0, 60), patience, patience)
def test_what_is_trimmed_leaves_its_state(seen: str, most: int, pending, keep) -> None:
    of = rule(pending, keep)
    whole = history(seen)
    kept = whole.trimmed(of, most)
    assert len(kept.letters) == min(most, len(seen))
    assert kept.fold(of)[0] == whole.fold(of)[0]
    later = [span for span in whole.fold(of)[1] if span.fired >= kept.first]
    assert [span for span in kept.fold(of)[1] if span.fired >= kept.first] == later


@given(lively, st.data(), patience, patience)
def test_a_restart_at_any_window_changes_nothing(seen: str, data, pending, keep) -> None:
    of = rule(pending, keep)
    at = data.draw(st.integers(0, len(seen)))
    half = history(seen[:at])
    stored = json.loads(json.dumps(asdict(half)))
    base = State(**{**stored.pop("base"), "phase": Phase(asdict(half)["base"]["phase"])})
    restored = History(base, **stored)
    told = {end: Seen(letter) for end, letter in enumerate(seen, 1) if end > at}
    assert restored.told(told) == history(seen)
    assert restored.told(told).fold(of) == history(seen).fold(of)


@given(lively, st.data(), patience, patience)
def test_the_order_in_which_windows_are_told_changes_nothing(seen, data, pending, keep) -> None:
    told = list(enumerate(seen, 1))
    shuffled = data.draw(st.permutations(told))
    found = History(State(), 1, 1)
    for end, letter in shuffled:
        found = found.told({end: Seen(letter)})
    of = rule(pending, keep)
    assert found.fold(of) == history(seen).fold(of)


def test_a_revised_window_takes_its_run_back() -> None:
    of = rule(2)
    before = history("cbbc")
    assert [s.fired for s in before.fold(of)[1]] == [3]
    assert before.told({2: Seen.CLEAR}).fold(of)[1] == ()


def test_windows_before_the_first_change_nothing_any_more() -> None:
    assert history("ccc").told({0: Seen.BREACH}) == history("ccc")
    assert History(State(), 100, 10, "c").told({95: Seen.BREACH, 110: Seen.BREACH}).letters == "cb"


def test_windows_in_which_the_rule_did_not_look_are_gaps() -> None:
    found = History(State(), 10, 10, "b").told({40: Seen.CLEAR})
    assert (found.letters, found.last) == ("b..c", 40)
    assert [found.at(end) for end in (10, 20, 40, 50, 15)] == ["b", ".", "c", ".", "."]


@pytest.mark.parametrize(
    ("started", "resolved", "overlaps"),
    [(1, 3, False), (1, 4, True), (4, None, True), (7, 9, True), (8, 9, False), (8, None, False)],
)
def test_runs_overlap_when_they_share_a_window(started, resolved, *, overlaps: bool) -> None:
    assert Span(4, 5, 7).overlaps(started, resolved) is overlaps
    assert replace(Span(4, 5), resolved=None).overlaps(started, resolved) is (
        resolved is None or resolved >= 4
    )
