"""Whoever could not be told reads, in the end, what holds: laws of messages that become one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.notify.told import alerts_of
from tocsin.service.collapse import collapsed
from tocsin.service.message import group_notification

SEVERITY = {"a": "warning", "b": "critical", "c": "info"}


def alert(episode: str, event: str, *, first: bool) -> dict[str, Any]:
    return {
        "episode": episode, "event": event, "severity": SEVERITY[episode], "first": first,
        "model": "m", "alert": episode, "instance": "", "text": "t", "incident": 1,
        "title": f"{episode} {event}", "window_end": "2013-07-15T10:00:00Z",
        "url": "http://tocsin.test/incidents/1", "notice": "new" if first else "repeated",
    }  # fmt: skip


def payload(alerts: list[dict[str, Any]]) -> dict[str, Any]:
    if len(alerts) == 1:
        return alerts[0]
    return group_notification(alerts, {"model": "m"}, base_url="http://tocsin.test")


@st.composite
def stories(draw: st.DrawFn) -> tuple[set[str], list[dict[str, Any]]]:
    """What a receiver heard to fire before it was away, and the messages that waited."""
    heard = draw(st.sets(st.sampled_from("abc")))
    # `over` may fire again under its name; `never` was not told of yet.
    state = {episode: "firing" if episode in heard else "never" for episode in "abc"}
    found = []
    for _ in range(draw(st.integers(1, 6))):
        said = []
        for episode in sorted(draw(st.sets(st.sampled_from("abc"), min_size=1))):
            ends = state[episode] == "firing" and draw(st.booleans())
            event = "resolved" if ends else "fired"
            said.append(alert(episode, event, first=not ends and state[episode] != "firing"))
            state[episode] = "over" if ends else "firing"
        others = sum(
            s == "firing" for e, s in state.items() if e not in {a["episode"] for a in said}
        )
        found.append({**payload(said), **({"still_firing": others} if others else {})})
    return heard, found


def known(heard: set[str], messages: list[dict[str, Any]]) -> set[str]:
    """What a receiver believes to fire."""
    fires = set(heard)
    for message in messages:
        for said in alerts_of(message):
            (fires.discard if said["event"] == "resolved" else fires.add)(said["episode"])
    return fires


def sent(messages: list[dict[str, Any]], *, by_key: bool) -> list[dict[str, Any]]:
    """As they leave after an outage."""
    left: list[dict[str, Any]] = []
    waiting = list(messages)
    while waiting:
        first = waiting.pop(0)
        one = collapsed(first, waiting[0], by_key=by_key) if waiting else None
        if one is None:
            left.append(first)
        elif one:
            waiting[0] = one
        else:
            waiting.pop(0)
    return left


@given(stories())
def test_whoever_comes_back_knows_what_whoever_heard_all_knows(
    story: tuple[set[str], list[dict[str, Any]]],
) -> None:
    heard, messages = story
    left = sent(messages, by_key=False)
    assert len(left) <= 1
    assert known(heard, left) == known(heard, messages)


@given(stories())
def test_what_is_critical_is_never_kept_from_anybody(
    story: tuple[set[str], list[dict[str, Any]]],
) -> None:
    _, messages = story
    about = {a["episode"] for m in sent(messages, by_key=False) for a in alerts_of(m)}
    assert ("b" in about) == any(a["episode"] == "b" for m in messages for a in alerts_of(m))


@given(stories())
def test_a_message_counts_what_else_fires(story: tuple[set[str], list[dict[str, Any]]]) -> None:
    heard, messages = story
    for message in sent(messages, by_key=False):
        others = known(heard, messages) - {a["episode"] for a in alerts_of(message)}
        assert message.get("still_firing", 0) == len(others)


@given(st.lists(st.sampled_from(["fired", "resolved"]), min_size=1, max_size=6))
def test_a_pager_hears_the_beginning_and_the_end_of_what_is_critical(events: list[str]) -> None:
    messages, firing = [], False
    for event in events:
        if event == "resolved" and not firing:
            continue
        messages.append(alert("b", event, first=not firing))
        firing = event == "fired"
    left = sent(messages, by_key=True)
    assert known(set(), left) == known(set(), messages)
    if messages:
        assert left[0]["event"] == "fired"
        assert left[-1]["event"] == ("fired" if firing else "resolved")


def test_two_alerts_of_messages_of_their_own_become_one_of_both() -> None:
    one = collapsed(alert("a", "fired", first=True), alert("b", "fired", first=True), by_key=False)
    assert one is not None
    assert one["title"] == "2 alerts fire: b, a"
    assert one["severity"] == "critical"


@pytest.mark.parametrize(("told_other", "says"), [(True, "resolved"), (False, None)])
def test_the_end_is_kept_where_somebody_else_heard_of_the_beginning(
    says: str | None, *, told_other: bool
) -> None:
    begun, over = alert("a", "fired", first=True), alert("a", "resolved", first=False)
    one = collapsed(begun, over, by_key=False, told_other=told_other)
    assert (one or {}).get("event") == says


def test_who_never_heard_is_not_told_that_it_still_fires() -> None:
    again = {**alert("a", "fired", first=False), "title": "a still fires", "text": "newer"}
    one = collapsed(alert("a", "fired", first=True), again, by_key=False)
    assert one is not None
    assert (one["title"], one["text"], one["notice"]) == ("a fired", "newer", "new")
