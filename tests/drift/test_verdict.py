"""When a distance is called drift, and what is said when it is not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from tocsin.drift import (
    ENOUGH_HISTORY,
    HISTORY,
    Divergence,
    Shift,
    Verdict,
    divergence,
    false_discovery_rates,
    shifts,
)

CALM = [0.02, 0.03, 0.01] * 4


def found(
    distance: float, *, floor: float | None = None, ceiling: float | None = None, n: int = 5_000
) -> Divergence:
    ends = distance if floor is None else floor, distance if ceiling is None else ceiling
    numbers = (distance, *ends, 0.3, 1e-9, n, 540)
    return Divergence(*(np.float64(number) for number in numbers))


def shift(divergence: Divergence, *, q: float = 1e-9, past: list[float] = CALM) -> Shift:
    return shifts({"age": divergence}, {"age": q}, {"age": past})["age"]


def test_what_is_real_and_large_and_new_is_drift() -> None:
    seen = shift(found(0.4))
    assert seen.verdict is Verdict.DRIFT
    assert seen.reason == (
        "JS distance 0.400, at most 0.030 in the usual ones of earlier windows like this"
    )
    assert seen.usual == 0.03
    assert seen.z == pytest.approx((0.4 - 0.02) / 0.0148, rel=0.01)


@pytest.mark.parametrize(
    ("seen", "verdict", "reason"),
    [
        (shift(found(0.4, n=19)), Verdict.INSUFFICIENT, "19 of 20 rows"),
        (shift(found(0.1)), Verdict.NONE, "JS distance 0.100 is within 0.1"),
        (shift(found(0.4), past=[0.35] * 9), Verdict.NONE, "usual here (up to 0.350 before"),
        (shift(found(0.4, floor=0.1, n=539)), Verdict.INSUFFICIENT, "only 539 of 540 rows"),
        (shift(found(0.4), q=0.01), Verdict.NONE, "could be chance (q = 0.01)"),
        (shift(found(0.4), past=CALM[: ENOUGH_HISTORY - 1]), Verdict.LEARNING, "too few earlier"),
        (shift(found(0.4), past=[]), Verdict.LEARNING, "too few earlier"),
    ],
)
def test_what_is_not_drift_says_why(seen: Shift, verdict: Verdict, reason: str) -> None:
    assert seen.verdict is verdict
    assert reason in seen.reason


def test_the_first_reason_that_holds_is_the_one_that_is_given() -> None:
    nothing = {"q": 0.5, "past": [0.4] * 9}
    assert shift(found(0.05, floor=0, n=5), **nothing).reason == "5 of 20 rows"
    assert "within" in shift(found(0.05, floor=0, n=50), **nothing).reason
    assert "usual" in shift(found(0.3, floor=0, n=50), **nothing).reason
    assert "only 50" in shift(found(0.3, floor=0, n=50), q=0.5, past=[]).reason
    assert "chance" in shift(found(0.3, n=5_000), q=0.5, past=[]).reason


FEW = {"floor": 0.0, "n": 100}


def test_a_small_distance_of_few_rows_is_no_proof_that_nothing_moved() -> None:
    blind = shift(found(0.0, ceiling=0.3, **FEW))
    assert blind.verdict is Verdict.INSUFFICIENT
    assert blind.reason == (
        "JS distance 0.000, but 100 rows can hide one up to 0.30; 540 would not"
    )
    # Of as many rows as are needed, or where what is drift here would have been seen, it is.
    assert shift(found(0.0, ceiling=0.3, floor=0.0, n=540)).verdict is Verdict.NONE
    assert shift(found(0.0, ceiling=0.1, **FEW)).verdict is Verdict.NONE
    assert shift(found(0.0, ceiling=0.3, **FEW), past=[0.24] * 9).verdict is Verdict.NONE
    assert shift(found(0.0, ceiling=0.3, **FEW), past=[]).verdict is Verdict.INSUFFICIENT


def test_what_is_usual_in_few_rows_is_none_where_more_would_have_been_seen() -> None:
    usual = {"past": [0.24] * 9}
    assert shift(found(0.2, ceiling=0.29, **FEW), **usual).verdict is Verdict.NONE
    assert shift(found(0.2, ceiling=0.31, **FEW), **usual).verdict is Verdict.INSUFFICIENT


def test_a_window_that_could_not_be_judged_may_still_be_an_example_of_the_past() -> None:
    assert shift(found(0.0, ceiling=0.3, **FEW)).is_usual


def test_few_rows_are_enough_for_what_is_far_larger_than_noise() -> None:
    assert shift(found(0.6, floor=0.5, n=100)).verdict is Verdict.DRIFT


def test_a_handful_of_rows_is_no_drift_however_far_they_are() -> None:
    for n, verdict in ((23, Verdict.INSUFFICIENT), (35, Verdict.INSUFFICIENT), (36, Verdict.DRIFT)):
        assert shift(found(0.9, floor=0.8, n=n)).verdict is verdict
    assert shift(found(0.9, floor=0.8, n=23)).reason == (
        "JS distance 0.900, but only 23 of 540 rows"
    )


def test_a_large_z_alone_is_no_drift_when_it_is_just_beyond_the_largest_like_window() -> None:
    past = [0.01] * 12 + [0.4]
    assert shift(found(0.45), past=past).z > 3.5
    assert shift(found(0.45), past=past).verdict is Verdict.NONE
    assert shift(found(0.51), past=past).verdict is Verdict.DRIFT


def test_a_distance_beyond_the_largest_of_the_past_is_not_called_usual() -> None:
    reasons = [
        shift(found(distance), past=past).reason
        for distance, past in (
            (0.913, [0.1] * 12 + [0.821]),
            (0.821, [0.1] * 12 + [0.821]),
            (0.45, [0.05, 0.3, 0.05, 0.3, 0.05, 0.3, 0.2]),
        )
    ]
    assert reasons == [
        "JS distance 0.913 is little beyond what is usual here (up to 0.821 before; over 0.978 "
        "would be drift)",
        "JS distance 0.821 is usual here (up to 0.821 before)",
        "JS distance 0.450 is within what varies here (up to 0.300 before, z = 1.7)",
    ]


def test_a_restless_history_needs_a_larger_distance() -> None:
    restless = [0.05, 0.25, 0.1, 0.3, 0.08, 0.2, 0.28, 0.12]
    assert shift(found(0.38), past=restless).z < 3.5
    assert shift(found(0.38), past=restless).verdict is Verdict.NONE
    assert shift(found(0.9), past=restless).verdict is Verdict.DRIFT


def test_only_the_newest_windows_of_the_history_count() -> None:
    past = [0.9] * 5 + [0.02] * HISTORY
    assert shift(found(0.4), past=past).usual == 0.02
    assert shift(found(0.4), past=past).verdict is Verdict.DRIFT


def test_every_column_is_judged_by_its_own_history() -> None:
    both = {"age": found(0.4), "city": found(0.4)}
    seen = shifts(both, {"age": 0, "city": 0}, {"age": CALM, "city": [0.39] * 9})
    assert {name: one.verdict for name, one in seen.items()} == {
        "age": Verdict.DRIFT,
        "city": Verdict.NONE,
    }
    assert shifts(both, {"age": 0, "city": 0}, {})["city"].verdict is Verdict.LEARNING


@given(
    st.floats(0, 1),
    st.integers(0, 10_000),
    st.floats(0, 1),
    st.lists(st.floats(0, 1), max_size=20),
)
def test_every_window_gets_a_verdict_and_a_reason(distance, n, q, past) -> None:
    seen = shift(found(distance, n=n), q=q, past=past)
    assert seen.reason
    assert (seen.z is None) == (seen.usual is None) == (len(past) < ENOUGH_HISTORY)
    if seen.verdict is Verdict.DRIFT:
        assert distance > 0.1
        assert q < 0.01
        assert seen.z > 3.5
        usual = max(past[-HISTORY:])
        assert distance > min(1.25 * usual, 1 - (1 - usual) / 8)


@given(st.floats(0.11, 0.9), st.floats(0, 0.1))
def test_a_larger_distance_is_never_less_of_a_drift(distance: float, more: float) -> None:
    if shift(found(distance)).verdict is Verdict.DRIFT:
        assert shift(found(distance + more)).verdict is Verdict.DRIFT


def test_only_calm_windows_with_enough_rows_are_an_example_of_the_past() -> None:
    calm = shift(found(0.05))
    assert calm.is_usual
    assert replace(calm, n=20).is_usual
    assert not replace(calm, n=19).is_usual
    # Drift lies beyond what was usual; so may a window that could not be judged.
    assert replace(calm, js_distance=0.2, usual=0.2).is_usual
    assert not replace(calm, js_distance=0.3, usual=0.2).is_usual
    assert not replace(calm, js_distance=0.3, usual=0.2, verdict=Verdict.INSUFFICIENT).is_usual
    assert replace(calm, js_distance=0.3, usual=None, verdict=Verdict.LEARNING).is_usual
    assert replace(calm, verdict=Verdict.LEARNING).is_usual


def alarms(rows: int, *, moved: float = 0.0, windows: int = 300) -> tuple[float, float]:
    """The share of windows that our verdict, and a fixed 0.1 on the raw distance, call drift.

    Each window has 20 bins, 10 columns and 16 earlier ones like it. moved: share of the rows of
    the judged window that fall into the first bin instead of their own.
    """
    rng = np.random.default_rng(rows)
    columns = 10
    usual = np.full(20, 0.05)
    now = (1 - moved) * usual + moved * np.eye(20)[0]
    history: dict[str, np.ndarray] = {}
    judged: dict[str, Divergence] = {}
    raw = np.zeros((windows, columns))
    for column in range(columns):
        reference = rng.multinomial(20_000, usual).astype(float)
        before = rng.multinomial(rows, usual, size=(windows, HISTORY)).astype(float)
        current = rng.multinomial(rows, now, size=windows).astype(float)
        history[str(column)] = divergence(reference, before).js_distance
        judged[str(column)] = divergence(reference, current)
        repeated = np.broadcast_to(reference, current.shape)
        raw[:, column] = jensenshannon(repeated, current, base=2, axis=1)
    q_values = false_discovery_rates(np.stack([d.p_value for d in judged.values()], axis=-1))
    drifted = 0
    for i in range(windows):
        one = {name: Divergence(*(np.asarray(part)[i] for part in d)) for name, d in judged.items()}
        verdicts = shifts(
            one,
            dict(zip(judged, q_values[i].tolist(), strict=True)),
            {name: past[i].tolist() for name, past in history.items()},
        )
        drifted += sum(seen.verdict is Verdict.DRIFT for seen in verdicts.values())
    return drifted / (windows * columns), float((raw > 0.1).mean())


@pytest.mark.parametrize("rows", [50, 200])
def test_clean_windows_are_not_called_drift_where_a_fixed_threshold_calls_most_so(
    rows: int,
) -> None:
    ours, fixed = alarms(rows)
    assert ours < 0.002
    assert fixed > 0.9


def test_clean_windows_of_a_thousand_rows_are_not_called_drift() -> None:
    ours, _ = alarms(1_000)
    assert ours < 0.002


@pytest.mark.parametrize(("rows", "moved"), [(50, 0.8), (200, 0.4), (1_000, 0.2)])
def test_windows_that_moved_are_called_drift(rows: int, moved: float) -> None:
    ours, _ = alarms(rows, moved=moved, windows=50)
    assert ours > 0.9
