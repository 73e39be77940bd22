"""What a chosen statistic says with a chosen threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from tests.drift.world import categories, numbers

from tocsin.drift import STATISTICS, Judgement, Method, Verdict, judgements
from tocsin.errors import InvalidInputError


def judged(name: str, reference, current, threshold: float | None = None) -> Judgement:
    (found,) = judgements(Method.named(name, threshold), categories(reference, current))
    return found


EVEN = [10_000, 10_000]


def test_a_value_over_the_threshold_is_drift_and_says_so() -> None:
    found = judged("psi", EVEN, [800, 200], 0.2)
    assert found.verdict is Verdict.DRIFT
    assert found.reason == f"Stability index (PSI) {found.value:.3g} is over 0.2"
    assert judged("psi", EVEN, [800, 200], 0.9).verdict is Verdict.NONE
    assert judged("psi", EVEN, [800, 200], 0.9).reason.endswith("is within 0.9")


def test_a_p_under_the_threshold_is_drift() -> None:
    assert judged("chi2", EVEN, [800, 200]).verdict is Verdict.DRIFT
    found = judged("chi2", EVEN, [505, 495], 0.05)
    assert found.verdict is Verdict.NONE
    assert found.reason == f"Chi-square test: p {found.p_value:.2g} is not under 0.05"


def test_fewer_rows_than_the_threshold_needs_are_never_judged() -> None:
    found = judged("psi", EVEN, [20, 5], 0.1)
    assert found.value is not None
    assert found.value > 0.1
    assert found.verdict is Verdict.INSUFFICIENT
    assert found.reason == f"25 of {found.minimum_n} rows that psi needs"


@pytest.mark.parametrize("name", ["jensen_shannon", "psi", "hellinger", "total_variation"])
def test_what_is_far_over_the_threshold_shows_in_few_rows_as_well(name: str) -> None:
    """As where all of a column is missing: the last bin, of which the reference has none."""
    reference, gone = [250] * 20 + [0], [0] * 20 + [30]
    found = judged(name, reference, gone)
    assert found.minimum_n is not None
    assert found.n < found.minimum_n
    assert found.verdict is Verdict.DRIFT
    assert found.reason.endswith("is over 0.1")
    # Of a reference that no number of rows is enough for, too.
    assert judged(name, [10] * 20 + [0], [0] * 20 + [300]).verdict is Verdict.DRIFT
    assert judged(name, reference, [0] * 20 + [19]).verdict is Verdict.INSUFFICIENT


@pytest.mark.parametrize("rows", [20, 50, 200])
def test_chance_is_not_far_over_a_threshold(rows: int) -> None:
    rng = np.random.default_rng(12)
    for share in (np.full(20, 0.05), np.array([0.99, 0.01]), np.r_[0.97, np.full(30, 0.001)]):
        before = rng.multinomial(2_000, share)
        pair = categories(before, *rng.multinomial(rows, share, size=5_000))
        for name in ("psi", "jensen_shannon", "hellinger", "total_variation", "l_infinity"):
            found = judgements(Method.named(name), pair)
            assert sum(each.verdict is Verdict.DRIFT for each in found) <= 3, name


def test_a_reference_that_is_too_small_is_said_to_be() -> None:
    found = judged("jensen_shannon", [10] * 20, [500] * 20)
    assert (found.verdict, found.minimum_n) == (Verdict.INSUFFICIENT, None)
    assert "the reference has too few rows" in found.reason


def test_what_cannot_be_measured_says_why_and_has_no_value() -> None:
    found = judged("wasserstein", EVEN, EVEN)
    assert (found.value, found.p_value, found.verdict) == (None, None, Verdict.INSUFFICIENT)
    assert "categories have no order" in found.reason
    assert judged("psi", EVEN, [0, 0]).reason == "Stability index (PSI): no rows"


@pytest.mark.parametrize(
    ("name", "threshold"),
    [("jensen_shannon", 1.0), ("ks_test", 1.0), ("psi", 0.0), ("psi", float("inf")),
     ("psi", float("nan")), ("hellinger", -0.1)],
)  # fmt: skip
def test_a_threshold_that_cannot_be_passed_is_refused(name: str, threshold: float) -> None:
    with pytest.raises(InvalidInputError, match=f"of {name} is out of its range"):
        Method.named(name, threshold)


def test_a_method_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidInputError, match="'mood'; there are jensen_shannon, psi"):
        Method.named("mood")


@given(st.sampled_from(sorted(STATISTICS)), st.lists(st.integers(0, 300), min_size=3, max_size=3))
def test_every_window_gets_a_verdict_and_a_reason(name: str, current) -> None:
    found = judged(name, [3_000, 2_000, 1_000], current)
    assert found.reason
    assert found.n == sum(current)
    if found.verdict is Verdict.DRIFT:
        assert found.n >= 20


def test_fixed_thresholds_ring_all_the_time_where_rows_are_few_and_these_do_not() -> None:
    """The false alarms of peers, at 200 rows in 20 bins without any drift, and ours."""
    rng = np.random.default_rng(10)
    bins, rows, windows = 20, 200, 4_000
    share = np.full(bins, 1 / bins)
    reference = rng.multinomial(20_000, share)
    current = rng.multinomial(rows, share, size=windows)
    p, q = share, current / rows
    filled = np.maximum(q, 1e-4)
    naive = {
        "psi": ((filled - p) * np.log(filled / p)).sum(1),
        "jensen_shannon": jensenshannon(np.broadcast_to(p, q.shape), q, base=2, axis=1),
        "hellinger": np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum(1) / 2),
        "total_variation": np.abs(p - q).sum(1) / 2,
    }
    rang = {name: float((values > 0.1).mean()) for name, values in naive.items()}
    expected = {"psi": 0.39, "jensen_shannon": 0.93, "hellinger": 0.71, "total_variation": 0.84}
    assert rang == pytest.approx(expected, abs=0.05)
    pair = categories(reference, *current)
    for name in naive:
        verdicts = [found.verdict for found in judgements(Method.named(name, 0.1), pair)]
        assert Verdict.DRIFT not in verdicts, name


def test_drift_of_numbers_is_found_by_every_statistic() -> None:
    rng = np.random.default_rng(11)
    pair = numbers(rng.normal(size=20_000), rng.normal(1, 1, 4_000), rng.normal(size=4_000))
    for name in set(STATISTICS) - {"z_test", "l_infinity"}:
        moved, same = judgements(Method.named(name), pair)
        assert moved.verdict is Verdict.DRIFT, name
        assert same.verdict is Verdict.NONE, name
