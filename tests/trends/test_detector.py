import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tocsin.trends import Pace, detection, season_of
from tocsin.trends.detector import alarm_level
from tocsin.trends.kernel import _whitened
from tocsin.trends.season import Season, usual
from tocsin.values import DAY, HOUR

HOURLY = season_of(HOUR, 2_000)
DAILY = season_of(DAY, 40)


def _remembering(
    rng: np.random.Generator, steps: int, series: int, memory: float = 0.5
) -> np.ndarray:
    """Series of standard deviation 1 whose neighbours correlate."""
    new = rng.normal(size=(steps, series)) * np.sqrt(1 - memory**2)
    found = np.empty((steps, series))
    found[0] = rng.normal(size=series)
    for t in range(1, steps):
        found[t] = memory * found[t - 1] + new[t]
    return found


def _alarms(pace: np.ndarray) -> int:
    changed = pace == Pace.CHANGED
    return int((changed & ~np.vstack([np.zeros_like(changed[:1]), changed[:-1]])).sum())


@pytest.mark.parametrize(
    ("spread", "noise"), [(1.0, 0.3), (1.0, 1.0), (0.0, 1.0)], ids=["varies", "both", "sampling"]
)
def test_false_alarms_keep_their_budget_where_neighbours_correlate(spread, noise):
    rng = np.random.default_rng(0)
    steps, series = 24 * 90, 200
    day = 2 * np.sin(np.arange(steps) / 24 * 2 * np.pi)[:, None]
    values = day + spread * _remembering(rng, steps, series)
    values += noise * rng.normal(size=(steps, series))
    level = alarm_level(1, 720, 10)
    found = detection(values, np.full_like(values, noise), np.ones(series), HOURLY, level=level)
    judged = (found.pace >= Pace.USUAL).sum()
    budget = judged / level
    assert budget > 20
    assert _alarms(found.pace) <= 1.5 * budget


def test_an_iid_rule_would_ring_all_the_time_where_neighbours_correlate():
    rng = np.random.default_rng(0)
    values = _remembering(rng, 365, 200)
    ringing = (np.abs(values) > 3).any(0).mean()
    assert ringing > 0.4


def test_storms_that_return_ring_an_eighth_of_the_time_at_most():
    """Eight hours, four deviations, six times a month: what was there before is no change."""
    rng = np.random.default_rng(1)
    steps, series, storms = 24 * 90, 100, 18
    values = rng.normal(size=(steps, series))
    for s in range(series):
        for begin in rng.integers(0, steps - 8, storms):
            values[begin : begin + 8, s] += 4
    found = detection(values, np.zeros_like(values), np.ones(series), HOURLY, level=7_200)
    assert 0 < _alarms(found.pace) <= storms * series / 8


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_lasting_change_is_found_and_its_beginning_named(side):
    rng = np.random.default_rng(2)
    begin, series = 24 * 50, 50
    values = rng.normal(size=(24 * 60, series))
    values[begin:] += 2 * side
    found = detection(values, np.zeros_like(values), np.full(series, side), HOURLY, level=1e6)
    first = np.argmax(found.pace == Pace.CHANGED, axis=0)
    delays = first - begin
    assert (found.pace[:begin] != Pace.CHANGED).all()
    assert np.median(delays) <= 12
    assert delays.max() <= 30
    onsets = found.onset[first, np.arange(series)]
    assert np.median(np.abs(onsets - begin)) <= 1


def test_a_change_to_the_good_side_is_none():
    values = np.random.default_rng(3).normal(size=(24 * 60, 20))
    values[24 * 50 :] += 2
    found = detection(values, np.zeros_like(values), -np.ones(20), HOURLY, level=1e6)
    assert (found.pace != Pace.CHANGED).all()


def test_a_change_that_is_over_is_over():
    values = np.random.default_rng(4).normal(size=(24 * 60, 20))
    values[24 * 50 : 24 * 51] += 4
    found = detection(values, np.zeros_like(values), np.ones(20), HOURLY, level=1e6)
    assert (found.pace[24 * 51 - 1] == Pace.CHANGED).all()
    assert (found.pace[24 * 53] == Pace.USUAL).all()


def test_a_daily_rhythm_is_no_change():
    steps = 24 * 60
    values = 100 * np.sin(np.arange(steps) / 24 * 2 * np.pi)[:, None] + np.random.default_rng(
        5
    ).normal(size=(steps, 10))
    found = detection(values, np.zeros_like(values), np.ones(10), HOURLY, level=1e6)
    assert (found.pace[24 * 10 :] == Pace.USUAL).all()


def test_weekends_are_learned_once_there_are_eight_weeks():
    steps = 7 * 20
    weekend = np.isin(np.arange(steps) % 7, (5, 6))[:, None]
    values = 5.0 * weekend + np.random.default_rng(6).normal(size=(steps, 30))
    season = season_of(DAY, steps)
    found = detection(values, np.zeros_like(values), np.ones(30), season, level=1_000)
    assert season.period == 7
    assert (found.pace == Pace.USUAL).any()
    assert _alarms(found.pace) <= 1.5 * (found.pace >= Pace.USUAL).sum() / 1_000 + 1


def test_a_series_that_never_moved_rings_when_it_does():
    values = np.zeros((60, 1))
    values[50:] = 0.3
    found = detection(values, np.zeros_like(values), np.ones(1), DAILY, level=10_000)
    assert (found.pace[28:50] == Pace.USUAL).all()
    assert found.pace[51, 0] == Pace.CHANGED


def test_nothing_is_said_while_it_learns():
    values = np.random.default_rng(7).normal(size=(30, 3))
    found = detection(values, np.zeros_like(values), np.ones(3), DAILY, level=10)
    # Seven like windows, and fourteen that were compared with theirs.
    assert (found.pace[:21] <= Pace.LEARNING).all()
    assert (found.pace[24:] >= Pace.USUAL).all()


def test_unknown_windows_change_nothing():
    rng = np.random.default_rng(8)
    values = rng.normal(size=(24 * 60, 1))
    values[24 * 55 : 24 * 56] = np.nan
    found = detection(values, np.zeros_like(values), np.ones(1), HOURLY, level=10_000)
    gap = found.evidence[24 * 55 - 1 : 24 * 56, 0]
    assert (found.pace[24 * 55 : 24 * 56] == Pace.UNKNOWN).all()
    assert (gap == gap[0]).all()


@given(
    values=arrays(np.float64, (60, 3), elements=st.floats(-1e6, 1e6) | st.just(np.nan)),
    at=st.integers(1, 59),
)
@settings(max_examples=50, deadline=None)
def test_the_future_changes_nothing_of_the_past(values, at):
    errors, sides = np.zeros_like(values), np.ones(3)
    whole = detection(values, errors, sides, DAILY, level=100)
    part = detection(values[:at], errors[:at], sides, DAILY, level=100)
    np.testing.assert_array_equal(whole.pace[:at], part.pace)
    np.testing.assert_array_equal(whole.evidence[:at], part.evidence)


@given(
    values=arrays(np.float64, (60, 2), elements=st.floats(-100, 100, width=16)),
    scale=st.sampled_from([0.25, 2.0, 1024.0]),
    shift=st.sampled_from([0.0, -64.0, 512.0]),
)
@settings(max_examples=50, deadline=None)
def test_units_do_not_matter(values, scale, shift):
    errors, sides = np.zeros_like(values), np.array([1.0, -1.0])
    plain = detection(values, errors, sides, DAILY, level=100)
    other = detection(scale * values + shift, errors, sides, DAILY, level=100)
    np.testing.assert_array_equal(plain.pace, other.pace)
    np.testing.assert_allclose(plain.evidence, other.evidence, rtol=1e-6)


@given(values=arrays(np.float64, (40, 3), elements=st.floats(-9, 9) | st.just(np.nan)))
@settings(max_examples=50, deadline=None)
def test_what_is_usual_is_the_median_of_like_windows(values):
    season = Season(period=3, examples=6, least=2, history=20, warm_up=3)
    middle, counts = usual(values, season)
    for t in range(len(values)):
        like = values[[t - 3 * k for k in range(1, 7) if t - 3 * k >= 0]]
        for s in range(3):
            known = like[np.isfinite(like[:, s]), s] if len(like) else np.empty(0)
            assert counts[t, s] == len(known)
            if len(known) >= 2:
                assert middle[t, s] == pytest.approx(np.median(known), abs=1e-12)
            else:
                assert np.isnan(middle[t, s])


def test_the_delay_is_that_of_a_cusum_that_knows_the_truth():
    """At equal false alarms, of errors of 10 % that become 15 % in windows of 250 rows."""
    rng = np.random.default_rng(9)
    begin, n, series = 200, 250, 200
    chance = np.where(np.arange(260)[:, None] < begin, 0.10, 0.15)
    values = rng.binomial(n, np.broadcast_to(chance, (260, series))) / n
    errors = np.sqrt(values * (1 - values) / n)
    found = detection(values, errors, np.ones(series), DAILY, level=465)
    ours = _delays(found.pace == Pace.CHANGED, begin)
    cusum, theirs = np.zeros(series), np.zeros(values.shape, bool)
    for t in range(len(values)):
        z = (values[t] - 0.10) / np.sqrt(0.10 * 0.90 / n)
        cusum = np.maximum(cusum + z - 0.5, 0)
        theirs[t] = cusum > 7
        cusum[theirs[t]] = 0
    known = _delays(theirs, begin)
    early = [(rang[20:begin]).any(0).mean() for rang in (found.pace == Pace.CHANGED, theirs)]
    assert early[0] <= early[1] + 0.03
    assert np.median(ours) <= np.median(known)


def _delays(rang: np.ndarray, begin: int) -> np.ndarray:
    return np.where(rang[begin:].any(0), np.argmax(rang[begin:], axis=0), 10_000)


def test_an_episode_is_forgotten_when_its_history_is():
    season = Season(period=1, examples=20, least=7, history=60, warm_up=14)
    values = np.random.default_rng(10).normal(size=(400, 40))
    storms = (100, 130, 300)
    for begin in storms:
        values[begin : begin + 8] += 4
    found = detection(values, np.zeros_like(values), np.ones(40), season, level=1_000)
    rang = [(found.pace[at : at + 8] == Pace.CHANGED).any(0).mean() for at in storms]
    assert rang[0] == 1
    assert rang[1] < 0.2
    assert rang[2] > 0.9


def test_what_is_new_in_a_window_varies_as_windows_do():
    noise, memory = np.random.default_rng(11).normal(size=5_000), 0.8
    series = np.zeros(5_000)
    for t in range(1, 5_000):
        series[t] = memory * series[t - 1] + np.sqrt(1 - memory**2) * noise[t]
    new = [_whitened(*pair, memory) for pair in zip(series[1:], series[:-1], strict=True)]
    assert np.std(new) == pytest.approx(1, rel=0.03)


def test_a_series_does_not_vary_more_because_its_middle_is_uncertain():
    season = Season(period=1, examples=4, least=4, history=400, warm_up=14)
    values = np.random.default_rng(12).normal(size=(800, 20))
    found = detection(values, np.zeros_like(values), np.ones(20), season, level=1_000)
    assert found.spread[-1].mean() == pytest.approx(1, abs=0.07)


def test_what_is_usual_rests_on_no_more_than_the_reach():
    season = Season(period=3, examples=5, least=3, history=20, warm_up=5)
    values = np.random.default_rng(13).normal(size=(200, 2))
    part = values[-season.reach - 1 :]
    whole = detection(values, np.zeros_like(values), np.ones(2), season, level=100)
    found = detection(part, np.zeros_like(part), np.ones(2), season, level=100)
    np.testing.assert_array_equal(found.usual[-1], whole.usual[-1])
    np.testing.assert_array_equal(found.spread[-1], whole.spread[-1])
    less = detection(part[4:], np.zeros_like(part[4:]), np.ones(2), season, level=100)
    assert (less.spread[-1] != whole.spread[-1]).any()


def test_a_change_begins_with_its_first_window_though_chance_leaned_its_way_before():
    rng = np.random.default_rng(14)
    begin, series = 90, 400
    values = rng.normal(size=(100, series))
    # Within what varies, but enough to keep a CUSUM up.
    values[begin - 7 : begin] += 0.5
    values[begin:] += 4
    found = detection(values, np.zeros_like(values), np.ones(series), DAILY, level=1_000)
    rang = (found.pace[begin - 7 :] == Pace.CHANGED).any(0)
    assert rang.mean() > 0.8
    said = found.onset[-1, rang]
    assert (np.abs(said - begin) <= 1).mean() > 0.9


def test_nothing_at_all_is_no_evidence():
    values = np.full((60, 2), 400.0)
    found = detection(values, np.zeros_like(values), np.array([1.0, -1.0]), DAILY, level=20)
    assert (found.pace[30:] == Pace.USUAL).all()
    assert found.evidence.max() < 0.01
    values[58:] += 1
    moved = detection(values, np.zeros_like(values), np.array([1.0, -1.0]), DAILY, level=20)
    assert moved.pace[-1, 0] == Pace.CHANGED
    assert moved.evidence[-1, 0] >= 1
