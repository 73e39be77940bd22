"""Inhibition against a plain reading of its rules, and its ends."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tocsin.routing import (
    DEFAULT_INHIBIT_RULES,
    Alert,
    InhibitRule,
    Match,
    Matcher,
    inhibited_by,
)
from tocsin.values import DAY, HOUR

NAMES = ("category", "model", "team")
MATCHERS = st.builds(
    Matcher, st.sampled_from(NAMES), st.just(Match.EQUAL), st.sampled_from(["x", "y", ""])
)
RULES = st.builds(
    InhibitRule,
    st.lists(MATCHERS, max_size=2).map(tuple),
    st.lists(MATCHERS, max_size=2).map(tuple),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(tuple),
    st.integers(1, 6),
)
ALERTS = st.builds(
    Alert,
    st.sampled_from(["1", "2", "3"]),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["x", "y"])),
    st.integers(0, 9),
    st.none() | st.integers(0, 9),
    st.none() | st.integers(0, 9),
)


def has(matchers: tuple[Matcher, ...], alert: Alert) -> bool:
    return all(alert.labels.get(m.name, "") == m.value for m in matchers)


def reference(rule: InhibitRule, source: Alert, target: Alert, now: int) -> bool:
    if source.id == target.id or not has(rule.source, source) or not has(rule.target, target):
        return False
    if has(rule.source, target) and has(rule.target, source):
        return False
    pairs = [(source.labels.get(n, ""), target.labels.get(n, "")) for n in rule.equal]
    if any(one != other for one, other in pairs) or pairs == [("", "")] * len(pairs):
        return False
    looked_since = None not in (source.resolved, target.judged)
    if looked_since and target.judged > source.resolved:
        return False
    both_since = max(source.fired_at, target.fired_at)
    return now < both_since + rule.max_duration


@given(st.lists(RULES, max_size=3), st.lists(ALERTS, max_size=4), ALERTS, st.integers(0, 20))
def test_a_target_is_quiet_when_one_source_keeps_it_so(
    rules: list[InhibitRule], sources: list[Alert], target: Alert, now: int
) -> None:
    found = inhibited_by(rules, sources, target, now)
    expected = any(reference(rule, source, target, now) for rule in rules for source in sources)
    assert (found is not None) == expected
    if found is not None:
        assert reference(found.rule, found.source, target, now)


def test_bad_data_keeps_the_performance_of_its_model_quiet_for_a_day_at_most() -> None:
    source = Alert("s", {"category": "data_quality", "model": "m"}, fired_at=HOUR)
    target = Alert("t", {"category": "performance", "model": "m"}, fired_at=2 * HOUR)

    def quiet(source: Alert, target: Alert, now: int = 3 * HOUR) -> bool:
        return inhibited_by(DEFAULT_INHIBIT_RULES, [source], target, now) is not None

    assert quiet(source, target)
    assert not quiet(target, source)
    assert not quiet(source, replace(target, labels={**target.labels, "model": "other"}))
    assert quiet(source, target, 2 * HOUR + DAY - 1)
    assert not quiet(source, target, 2 * HOUR + DAY)
    # One more look of the target's own rule after the source is over.
    over = replace(source, resolved=5 * HOUR)
    assert quiet(over, replace(target, judged=5 * HOUR))
    assert not quiet(over, replace(target, judged=6 * HOUR))


def test_alerts_that_both_lack_the_equal_label_are_not_alike() -> None:
    source = Alert("s", {"category": "data_quality"}, 0)
    target = Alert("t", {"category": "performance"}, 0)
    assert inhibited_by(DEFAULT_INHIBIT_RULES, [source], target, 1) is None
