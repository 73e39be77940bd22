"""What a rule sees in one window."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.drift import Shift, Verdict
from tocsin.rules import Health, Operator, Reading, Rule, Signal, read_drift, read_metric
from tocsin.trends import Pace, Trend
from tocsin.values import HOUR, Bounded, Measure, Undefined

LOW_AUC = Rule("LowAuc", "roc_auc", HOUR, Operator.BELOW, 0.7, clear=0.75, min_samples=100)
HIGH_LOSS = Rule("HighLoss", "log_loss", HOUR, Operator.ABOVE, 0.5, clear=0.4)
SHIFT = Shift(0.4, 0.3, 1e-9, 500, 540, 30.0, 0.1, Verdict.DRIFT, "distance 0.400, at most 0.1")


def read(
    measure: Measure, rule: Rule = LOW_AUC, *, rows: int = 500, coverage: float = 1.0
) -> Reading:
    return read_metric(rule, measure, rows=rows, coverage=coverage, needs_labels=True)


def auc(value: float, low: float | None = None, high: float | None = None, n: int = 500) -> Bounded:
    return Bounded(value, 0.0, low, high, n)


@pytest.mark.parametrize(
    ("measure", "signal", "word"),
    [
        (auc(0.6, 0.5, 0.69), Signal.BREACH, "breach"),
        (auc(0.6, 0.5, 0.7), Signal.HOLD, "at risk"),
        (auc(0.72, 0.71, 0.74), Signal.HOLD, "at risk"),
        (auc(0.75, 0.65, 0.85), Signal.CLEAR, "clear"),
        (auc(0.9, 0.85, 0.95), Signal.CLEAR, "clear"),
    ],
)
def test_a_confident_rule_wants_the_whole_interval_beyond_the_threshold(
    measure: Bounded, signal: Signal, word: str
) -> None:
    reading = read(measure)
    assert (reading.health, reading.signal) == (Health.OK, signal)
    assert word in reading.text
    assert reading.value == measure.value
    assert reading.n == 500


@pytest.mark.parametrize(
    ("measure", "signal"),
    [
        (auc(0.6, 0.51, 0.7), Signal.BREACH),
        (auc(0.6, 0.5, 0.7), Signal.HOLD),
        (auc(0.45, 0.41, 0.5), Signal.HOLD),
        (auc(0.4, 0.3, 0.5), Signal.CLEAR),
    ],
)
def test_a_rule_on_the_upper_side_looks_at_the_lower_end(measure, signal: Signal) -> None:
    assert read(measure, HIGH_LOSS).signal is signal


def test_a_rule_that_is_not_confident_takes_the_value_alone() -> None:
    alone = replace(LOW_AUC, confident=False)
    assert read(auc(0.69, 0.5, 0.9), alone).signal is Signal.BREACH
    assert read(auc(0.7, 0.5, 0.9), alone).signal is Signal.HOLD
    assert read(auc(0.75, 0.5, 0.9), alone).signal is Signal.CLEAR


def test_without_an_interval_the_value_decides() -> None:
    assert read(auc(0.69)).signal is Signal.BREACH
    assert read(auc(0.51), HIGH_LOSS).signal is Signal.BREACH


def test_a_window_without_rows_has_no_data() -> None:
    reading = read(Undefined("no predictions in this window"), rows=0, coverage=0)
    assert (reading.health, reading.signal, reading.value) == (Health.NO_DATA, Signal.HOLD, None)
    assert reading.text == "no predictions in this window"


def test_too_few_labels_are_waited_for_and_the_reading_says_how_many_are_missing() -> None:
    reading = read(auc(0.1, 0.05, 0.2), coverage=0.4999)
    assert (reading.health, reading.signal) == (Health.AWAITING_LABELS, Signal.HOLD)
    assert reading.text == "50% labelled, 50% are needed"
    assert read(auc(0.1, 0.05, 0.2), coverage=0.5).health is Health.OK


def test_a_metric_that_needs_no_labels_waits_for_none() -> None:
    rule = Rule("Rate", "prediction_rate", HOUR, Operator.ABOVE, 0.5)
    seen = read_metric(rule, auc(0.9, 0.8, 1.0), rows=500, coverage=0.0, needs_labels=False)
    assert seen.signal is Signal.BREACH


def test_an_undefined_metric_is_insufficient_with_its_reason() -> None:
    reading = read(Undefined("one class only", 80))
    assert (reading.health, reading.signal) == (Health.INSUFFICIENT, Signal.HOLD)
    assert (reading.text, reading.n, reading.value) == ("one class only", 80, None)


def test_fewer_rows_than_the_rule_wants_are_insufficient() -> None:
    reading = read(auc(0.1, 0.05, 0.2, n=99))
    assert (reading.health, reading.signal) == (Health.INSUFFICIENT, Signal.HOLD)
    assert reading.text == "99 of 100 rows"
    assert read(auc(0.1, 0.05, 0.2, n=100)).signal is Signal.BREACH


@given(
    st.sampled_from([LOW_AUC, HIGH_LOSS]),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 200),
    st.integers(0, 200),
    st.floats(0, 1),
)
def test_what_cannot_be_judged_never_breaches_nor_clears(rule, a, b, c, n, rows, coverage) -> None:
    low, value, high = sorted((a, b, c))
    reading = read(auc(value, low, high, n), rule, rows=rows, coverage=coverage)
    if reading.health is not Health.OK:
        assert reading.signal is Signal.HOLD
    if reading.signal is Signal.BREACH:
        assert rule.breached(value)
        assert rule.breached(low)
        assert rule.breached(high)
    assert reading.text


@pytest.mark.parametrize(
    ("shift", "health", "signal"),
    [
        (SHIFT, Health.OK, Signal.BREACH),
        (replace(SHIFT, verdict=Verdict.NONE), Health.OK, Signal.CLEAR),
        (replace(SHIFT, verdict=Verdict.LEARNING), Health.INSUFFICIENT, Signal.HOLD),
        (replace(SHIFT, verdict=Verdict.INSUFFICIENT), Health.INSUFFICIENT, Signal.HOLD),
        (replace(SHIFT, n=29), Health.INSUFFICIENT, Signal.HOLD),
        (replace(SHIFT, n=30), Health.OK, Signal.BREACH),
    ],
)
def test_a_drift_rule_follows_the_verdict(shift: Shift, health: Health, signal: Signal) -> None:
    rule = Rule("Drift", "drift", HOUR, min_samples=30)
    reading = read_drift(rule, shift)
    assert (reading.health, reading.signal) == (health, signal)
    assert reading.text == "distance 0.400, at most 0.1"
    assert (reading.value, reading.n) == (0.4, shift.n)


def test_an_alert_may_end_where_nothing_is_seen_though_so_few_rows_prove_nothing() -> None:
    quiet = replace(SHIFT, verdict=Verdict.INSUFFICIENT, js_distance=0.05)
    reading = read_drift(Rule("Drift", "drift", HOUR), quiet)
    assert (reading.health, reading.signal) == (Health.OK, Signal.CLEAR)
    for held in (replace(quiet, n=19), replace(quiet, method="psi", value=0.05)):
        assert read_drift(Rule("Drift", "drift", HOUR), held).signal is Signal.HOLD


def test_the_value_of_a_chosen_method_is_the_one_that_is_read() -> None:
    chosen = replace(SHIFT, method="wasserstein", value=1.7, threshold=0.5)
    assert read_drift(Rule("Drift", "drift", HOUR), chosen).value == 1.7


def test_a_change_whose_series_is_as_usual_again_is_not_said_to_be_higher_now() -> None:
    rule = Rule("Went", "label_rate", HOUR, auto=True)
    trend = Trend(Pace.CHANGED, 0.34, usual=0.346, z=-0.1, rising=True, since=0)
    back = read_metric(rule, auc(0.34), rows=500, coverage=1.0, needs_labels=False, trend=trend)
    assert back.signal is Signal.BREACH
    assert back.text == (
        "label_rate 0.34, usually 0.346 in windows like this; higher since 1970-01-01T00:00:00Z, "
        "and not yet surely over, n = 500"
    )
    off = replace(trend, value=0.4, z=3.0)
    assert not off.is_back
    assert replace(trend, rising=False, z=0.5).is_back
    assert not replace(trend, rising=False, z=-1.5).is_back
    assert not replace(trend, since=None).is_back


@pytest.mark.parametrize("n", [4, 19])
def test_a_handful_of_rows_tells_no_change(n: int) -> None:
    rule = Rule("Went", "mean_score", HOUR, auto=True)
    trend = Trend(Pace.CHANGED, 0.9, usual=0.3, z=4.0, rising=True, evidence=2.0, since=0)
    few = read_metric(rule, auc(0.9, n=n), rows=n, coverage=1.0, needs_labels=False, trend=trend)
    assert (few.health, few.signal) == (Health.INSUFFICIENT, Signal.HOLD)
    assert few.text == f"mean_score 0.9, but {n} of 20 rows tell no change"
    # Few rows are what a rule on their number is about.
    volume = replace(rule, metric="volume")
    rows = read_metric(volume, auc(4.0, n=4), rows=4, coverage=1.0, needs_labels=False, trend=trend)
    assert rows.signal is Signal.BREACH
