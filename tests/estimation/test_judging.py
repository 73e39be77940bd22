"""Which estimates are to be believed, by the windows whose labels came."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.estimation import RECENT, Flag, Past, Scale, Surprises, Track, backtest, joined, judged
from tocsin.estimation.backtest import recent

Floats = np.ndarray[Any, Any]
SE = 0.01


def track(value: Floats, realised: Floats, **changes: Any) -> Track:
    """Hourly windows of one metric, with labels after an hour."""
    n = len(value)
    blank = np.full((n, 1), np.nan)
    whole = {
        "ends": np.arange(1, n + 1),
        "usable": np.ones(n, bool),
        "value": np.asarray(value, float)[:, None],
        "variance": np.full((n, 1), SE**2),
        "low": blank,
        "high": blank,
        "realised": np.asarray(realised, float)[:, None],
        "surprises": Surprises(np.zeros(n), np.full(n, SE), np.full(n, 1_000.0)),
        "outside": np.zeros(n),
        "beyond": np.zeros(n, bool),
    }
    return Track(**{**whole, **changes})


def flags(of: Track, *, reference: float = 0.8, lag: int = 1) -> list[Flag]:
    fresh = np.arange(len(of.ends))
    found = judged(
        of, fresh, references=[reference], scales=[Scale.SHARE], loss=0.2, lag=lag, stride=1
    )
    return [Flag(int(bits)) for bits in found.flags[:, 0]]


def test_an_estimate_is_unproven_until_eight_windows_have_labels() -> None:
    found = flags(track(np.full(20, 0.8), np.full(20, 0.8)), lag=3)
    assert [Flag.UNPROVEN in flag for flag in found] == [True] * 10 + [False] * 10
    assert found[-1] == Flag(0)


def test_windows_without_labels_enough_do_not_count() -> None:
    usable = np.arange(40) % 2 == 0
    found = flags(track(np.full(40, 0.8), np.full(40, 0.8), usable=usable))
    assert [Flag.UNPROVEN in f for f in found].index(False) == 15


def test_estimates_of_a_model_that_does_not_change_are_believed() -> None:
    """One in 50 windows may be flagged by chance, of hundreds of models."""
    rng = np.random.default_rng(1)
    failed = []
    for _ in range(60):
        truth = rng.normal(0.8, SE, 60)
        found = flags(track(np.full(60, 0.8), truth))[RECENT + 8 :]
        failed += [Flag.BACKTEST_FAILED in flag for flag in found]
    assert np.mean(failed) < 0.03


def test_a_reference_that_is_nearer_for_sure_fails_the_backtest() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(0.8, SE, 40)
    wrong = truth + rng.normal(0.1, 0.02, 40)
    assert Flag.BACKTEST_FAILED in flags(track(wrong, truth))[-1]
    right = truth + rng.normal(0, 0.005, 40)
    assert flags(track(right, truth), reference=0.6)[-1] == Flag(0)


def test_intervals_learn_how_far_windows_differ() -> None:
    rng = np.random.default_rng(3)
    value = np.full(400, 0.8)
    realised = value + rng.normal(0, 5 * SE, 400)
    of = track(value, realised)
    found = judged(
        of, np.arange(400), references=[0.8], scales=[Scale.SHARE], loss=0.2, lag=1, stride=1
    )
    late = slice(40, None)
    inside = (found.low[late, 0] <= realised[late]) & (realised[late] <= found.high[late, 0])
    assert inside.mean() > 0.9
    early = found.high[2, 0] - found.low[2, 0]
    assert float(np.mean(found.high[late] - found.low[late])) > 3 * early


def test_concept_drift_is_suspected_as_soon_as_its_labels_are_there() -> None:
    rng = np.random.default_rng(4)
    gap = rng.normal(0, SE, 40)
    gap[25:] += 0.2
    of = track(
        np.full(40, 0.8),
        np.full(40, 0.8),
        surprises=Surprises(gap, np.full(40, SE), np.full(40, 1_000.0)),
    )
    for lag in (1, 7):
        found = [Flag.CONCEPT_DRIFT_SUSPECTED in flag for flag in flags(of, lag=lag)]
        assert found == [i >= 25 + lag for i in range(40)]


def test_a_small_lasting_surprise_shows_in_eight_windows_together() -> None:
    rng = np.random.default_rng(5)
    gap = rng.normal(0, 0.05, 60)
    gap[30:] += 0.06
    surprises = Surprises(gap, np.full(60, 0.05), np.full(60, 100.0))
    found = flags(track(np.full(60, 0.8), np.full(60, 0.8), surprises=surprises))
    assert not any(Flag.CONCEPT_DRIFT_SUSPECTED in flag for flag in found[:30])
    assert Flag.CONCEPT_DRIFT_SUSPECTED in found[-1]


def test_rows_outside_are_harmless_where_earlier_windows_had_them_and_were_right() -> None:
    outside = np.where(np.arange(60) >= 20, 0.3, 0.0)
    of = track(np.full(60, 0.8), np.full(60, 0.8), outside=outside, beyond=outside > 0.02)
    found = [Flag.OUT_OF_SUPPORT in flag for flag in flags(of)]
    assert not any(found[:20])
    assert all(found[20:24])
    assert not any(found[30:])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 59))
def test_judging_in_two_parts_is_judging_at_once(seed: int, cut: int) -> None:
    """What a restart between two evaluations leaves in the records is enough."""
    rng = np.random.default_rng(seed)
    of = track(rng.normal(0.8, 0.02, 60), rng.normal(0.8, 0.03, 60))
    said = {"references": [0.8], "scales": [Scale.SHARE], "loss": 0.2, "lag": 2, "stride": 1}
    whole = judged(of, np.arange(60), **said)
    first = part(of, slice(0, cut))
    before = judged(first, np.arange(cut), **said)
    known = part(of, slice(0, cut), low=before.low, high=before.high)
    both, places = joined(known, part(of, slice(cut, None)))
    after = judged(both, places, **said)
    for name in ("low", "high", "flags"):
        parts = [getattr(each, name) for each in (before, after)]
        assert np.array_equal(np.concatenate(parts), getattr(whole, name)), name


def part(of: Track, some: slice, **changes: Any) -> Track:
    names = ("ends", "usable", "value", "variance", "low", "high", "realised", "outside", "beyond")
    s = of.surprises
    kept = {name: getattr(of, name)[some] for name in names}
    surprises = Surprises(s.gap[some], s.error[some], s.n[some])
    return Track(**{**kept, "surprises": surprises, **changes})


def test_windows_are_compared_with_those_that_had_no_rows_in_common() -> None:
    ends = np.arange(24, 24 * 12)
    index = recent(np.array([24 * 11]), ends, np.ones(len(ends), bool), lag=30, stride=24)
    found = ends[index[0][index[0] >= 0]]
    assert found.tolist() == [24 * 11 - 30 - 24 * k for k in range(9)]


def test_a_backtest_says_how_estimates_did_beside_no_change() -> None:
    value, realised = np.array([0.7, 0.72, 0.68, np.nan]), np.array([0.71, 0.7, 0.7, 0.5])
    found = backtest(Past(value, value - 0.015, value + 0.015, value * 0, realised), 0.8)
    assert found.windows == 3
    assert found.mae == pytest.approx(0.05 / 3)
    assert found.skill == pytest.approx(1 - 0.05 / 0.29)
    assert found.inside == 1
    assert found.failed is None
    assert backtest(Past(*np.full((5, 0), 0.0)), 0.8).skill is None


def test_a_window_of_which_nobody_knows_how_far_off_it_is_says_nothing():
    values = np.full(30, 0.8)
    surprises = Surprises(np.zeros(30), np.full(30, SE), np.full(30, 1_000.0))
    surprises.gap[20:22], surprises.error[20:22], surprises.n[20:22] = 5.0, np.inf, 1.0
    surprises.n[25], surprises.error[25] = 0.0, np.inf
    found = flags(track(values, values, surprises=surprises))
    assert not any(Flag.CONCEPT_DRIFT_SUSPECTED in flag for flag in found)


def test_a_window_without_an_estimate_tells_nothing_of_how_far_others_differ() -> None:
    realised = np.random.default_rng(6).normal(0.8, 5 * SE, 40)
    value = np.full(40, 0.8)
    value[12] = np.nan
    found = judged(
        track(value, realised),
        np.arange(20, 40), references=[0.8], scales=[Scale.SHARE], loss=0.2, lag=1, stride=1,
    )  # fmt: skip
    # Those around it do all the same.
    width = found.high - found.low
    assert (width > 10 * SE).all()
    assert (width < 0.4).all()


def test_a_gap_is_that_of_the_newest_window_with_labels() -> None:
    gap = np.arange(1.0, 6.0)
    surprises = Surprises(gap, np.full(5, SE), np.full(5, 1_000.0))
    of = track(np.full(5, 0.8), np.full(5, 0.8), surprises=surprises)
    found = judged(
        of, np.arange(5), references=[0.8], scales=[Scale.SHARE], loss=0.2, lag=2, stride=1
    )
    np.testing.assert_array_equal(found.gaps, [np.nan, np.nan, 1, 2, 3])


def test_rows_outside_are_no_matter_of_course_where_estimates_of_such_were_wrong() -> None:
    changes = {"outside": np.full(20, 0.1), "beyond": np.ones(20, bool)}
    right = flags(track(np.full(20, 0.8), np.full(20, 0.8), **changes))
    wrong = flags(track(np.full(20, 0.6), np.full(20, 0.8), **changes))
    assert Flag.OUT_OF_SUPPORT not in right[-1]
    assert Flag.OUT_OF_SUPPORT in wrong[-1]


@pytest.mark.parametrize("tested", [8, 12, 16])
def test_intervals_hold_where_the_spread_is_known_from_few_windows_only(tested: int) -> None:
    rng = np.random.default_rng(3)
    windows, metrics = tested + 1, 4_000
    value = np.full((windows, metrics), 0.8)
    realised = value + rng.normal(0, np.hypot(0.03, SE), value.shape)
    blank = np.full_like(value, np.nan)
    of = replace(
        track(value[:, 0], realised[:, 0]),
        value=value,
        realised=realised,
        variance=np.full_like(value, SE**2),
        low=blank,
        high=blank,
    )
    found = judged(
        of,
        np.array([tested]),
        references=[0.8] * metrics,
        scales=[Scale.SHARE] * metrics,
        loss=0.2,
        lag=1,
        stride=1,
    )
    inside = (found.low[0] <= realised[-1]) & (realised[-1] <= found.high[0])
    assert inside.mean() == pytest.approx(0.95, abs=0.015)
