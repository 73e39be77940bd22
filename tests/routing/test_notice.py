"""What is decided for one receiver and one alert."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tocsin.routing import (
    Decision,
    Hold,
    Match,
    Matcher,
    Notice,
    Reason,
    Route,
    Silence,
    Tell,
    decide,
    next_flush,
    silenced_by,
)

HELD = [Reason.SILENCED, Reason.INHIBITED, Reason.MUTED]
HOLDS = st.none() | st.builds(Hold, st.sampled_from(HELD), st.just("why"))
NOTICES = st.builds(Notice, st.booleans(), st.integers(0, 20), st.booleans(), HOLDS)
ROUTES = st.none() | st.builds(
    Route, st.just("r"), group_wait=st.integers(0, 9), group_interval=st.integers(1, 9),
    repeat_interval=st.integers(1, 20),
)  # fmt: skip
FACTS = {name: st.booleans() for name in ("firing", "critical", "acknowledged")}


def decided(notice: Notice, route: Route | None, hold: Hold | None, **facts: object) -> Decision:
    return decide(notice, route, hold, **facts)  # type: ignore[arg-type]


@given(NOTICES, ROUTES, HOLDS, st.fixed_dictionaries(FACTS), st.integers(20, 60))
def test_whatever_is_decided_keeps_to_the_rules(
    notice: Notice, route: Route | None, hold: Hold | None, facts: dict[str, bool], now: int
) -> None:
    made = decided(notice, route, hold, **facts, now=now)
    firing = facts["firing"]
    # What is over is told to all who were told of it, and to nobody else.
    assert (made.tell is Tell.RESOLVED) == (notice.told and not firing)
    assert made.closed == (not firing or (route is None and not notice.told))
    # Nobody is told of what fires while it is held back, nor off the route.
    if firing and (hold is not None or route is None):
        assert made.tell is None
    if firing and route is not None:
        assert made.hold == hold
        if hold is None and not notice.told:
            assert made.tell is (Tell.RELEASED if notice.held else Tell.NEW)
    if made.tell is Tell.REPEATED:
        assert route is not None
        assert now - notice.told_at >= route.repeat_interval
        assert not facts["acknowledged"]
    if made.tell is Tell.BRIEF:
        assert facts["critical"]
        assert notice.held is None


@given(NOTICES, ROUTES, st.fixed_dictionaries(FACTS), st.integers(20, 60))
def test_where_nothing_is_taken_nothing_is_told_and_no_end_is_forgotten(
    notice: Notice, route: Route | None, facts: dict[str, bool], now: int
) -> None:
    made = decided(notice, route, Hold(Reason.DISABLED, "why"), **facts, now=now)
    assert made.tell is None
    # Whoever knows that it fires hears of the end one day.
    assert not (made.closed and notice.told)


@given(NOTICES, ROUTES.filter(bool), HOLDS, st.fixed_dictionaries(FACTS), st.integers(20, 60))
def test_what_somebody_asks_for_is_told_whatever_holds_it_back(
    notice: Notice, route: Route, hold: Hold | None, facts: dict[str, bool], now: int
) -> None:
    made = decided(replace(notice, asked=True), route, hold, **{**facts, "firing": True}, now=now)
    assert made.tell is (Tell.REPEATED if notice.told else Tell.NEW)


def test_it_is_told_again_when_a_silence_ends_but_not_when_a_night_does() -> None:
    route = Route("r")
    for reason, expected in ((Reason.SILENCED, Tell.RELEASED), (Reason.MUTED, None)):
        notice = Notice(told=True, told_at=0, held=Hold(reason, ""))
        made = decide(notice, route, None, firing=True, critical=True, acknowledged=True, now=1)
        assert made.tell is expected


@given(ROUTES.filter(bool), st.integers(0, 50), st.none() | st.integers(0, 50))
def test_news_waits_for_no_longer_than_the_group_does(
    route: Route, now: int, flushed_at: int | None
) -> None:
    at = next_flush(flushed_at=flushed_at, waiting=None, route=route, now=now)
    assert now <= at <= now + max(route.group_wait, route.group_interval)
    if flushed_at is not None and flushed_at <= now:
        assert at == max(now, flushed_at + route.group_interval)
    # What waits already is not put off, and may come sooner when the route says so by now.
    for waiting in (at - 1, at, at + 1):
        found = next_flush(flushed_at=flushed_at, waiting=waiting, route=route, now=now)
        assert found == min(at, waiting)


def test_of_silences_the_one_that_ends_last_is_told() -> None:
    mine = (Matcher("model", Match.EQUAL, "m"),)
    silences = [
        Silence(1, mine, 0, 10, "ann", ""),
        Silence(2, mine, 0, 20, "bob", ""),
        Silence(3, mine, 5, 30, "later", ""),
        Silence(4, (Matcher("model", Match.EQUAL, "n"),), 0, 90, "other", ""),
    ]
    found = silenced_by(silences, {"model": "m"}, 4)
    assert found is not None
    assert found.author == "bob"
    assert silenced_by(silences, {"model": "m"}, 30) is None
    assert [silences[2].state(now) for now in (4, 5, 29, 30)] == [
        "pending", "active", "active", "expired",
    ]  # fmt: skip
