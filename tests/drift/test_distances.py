"""Every distance against SciPy on the rows themselves, and what it is where nothing has moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, ks_2samp, norm, wasserstein_distance
from tests.drift.world import categories, numbers

from tocsin.drift import STATISTICS, Line, Pair, statistic
from tocsin.drift.distances import wasserstein

DISTANCES = [name for name, each in STATISTICS.items() if each.decides == "value"]
OF_CATEGORIES = [name for name in DISTANCES if not STATISTICS[name].numeric_only]
# The mean of each divergence under no drift, over h (B - 1).
MEANS = {
    "psi": 1.0, "kullback_leibler": 0.5, "jensen_shannon": 1 / (8 * np.log(2)), "hellinger": 1 / 8,
}  # fmt: skip

counts = st.integers(2, 12).flatmap(
    lambda k: st.tuples(
        st.lists(st.integers(0, 500), min_size=k, max_size=k).filter(any),
        st.lists(st.integers(0, 500), min_size=k, max_size=k).filter(any),
    )
)
values = st.lists(st.floats(-100, 100), min_size=1, max_size=60)


def of(name: str, pair: Pair):
    return STATISTICS[name].apart(pair)


def value(name: str, reference, current) -> float:
    return float(of(name, categories(reference, current)).value[0])


def bias(name: str, reference, current) -> float:
    reference, current = np.array(reference, float), np.array(current, float)
    bins = ((reference > 0) | (current > 0)).sum()
    h = 1 / reference.sum() + 1 / current.sum()
    return MEANS[name] * max(bins - 1, 1) * h


@given(counts)
def test_distances_of_counts_are_those_of_scipy_less_what_sampling_gives(drawn) -> None:
    p, q = (np.array(part, float) / sum(part) for part in drawn)
    k = len(p)
    smooth_p, smooth_q = ((np.array(part) + 0.5) / (sum(part) + 0.5 * k) for part in drawn)
    oracle = {
        "jensen_shannon": jensenshannon(p, q, base=2) ** 2,
        "hellinger": np.linalg.norm(np.sqrt(p) - np.sqrt(q)) ** 2 / 2,
        "kullback_leibler": entropy(smooth_p, smooth_q),
        "psi": entropy(smooth_p, smooth_q) + entropy(smooth_q, smooth_p),
    }
    for name, raw in oracle.items():
        rest = max(raw - bias(name, *drawn), 0)
        squared = name in ("jensen_shannon", "hellinger")
        found = value(name, *drawn)
        assert (found**2 if squared else found) == pytest.approx(rest, abs=1e-9), name
    assert value("total_variation", *drawn) == pytest.approx(np.abs(p - q).sum() / 2)
    assert value("l_infinity", *drawn) == pytest.approx(np.abs(p - q).max())


@given(counts)
def test_distances_stay_in_their_ranges(drawn) -> None:
    for name in OF_CATEGORIES:
        found = of(name, categories(*drawn))
        assert 0 <= found.value[0] <= STATISTICS[name].most
        assert 0 <= found.p_value[0] <= 1
        assert found.error[0] == 0
        assert (found.n[0], float(found.reference_n)) == (sum(drawn[1]), sum(drawn[0]))


@given(counts, st.integers(2, 1_000))
def test_the_same_shares_are_no_distance(drawn, times: int) -> None:
    reference = np.array(drawn[0])
    for name in OF_CATEGORIES:
        # Half a row in each bin is a smaller share of more rows.
        smoothed = name in ("psi", "kullback_leibler")
        found = of(name, categories(reference, reference * (1 if smoothed else times)))
        assert found.value[0] == pytest.approx(0, abs=1e-6), name


@given(counts)
def test_it_makes_no_difference_which_side_is_the_reference(drawn) -> None:
    one, other = drawn
    for name in set(OF_CATEGORIES) - {"kullback_leibler"}:
        assert value(name, one, other) == pytest.approx(value(name, other, one), abs=1e-9), name


def test_the_kullback_leibler_divergence_is_that_of_the_window_seen_from_the_reference() -> None:
    reference, current = [9_000, 1_000], [5_000, 5_000]
    expected = entropy([0.9, 0.1], [0.5, 0.5])
    assert value("kullback_leibler", reference, current) == pytest.approx(expected, abs=1e-3)
    assert value("kullback_leibler", current, reference) != pytest.approx(expected, abs=0.1)


@given(counts, st.randoms(use_true_random=False))
def test_the_order_of_categories_makes_no_difference(drawn, random) -> None:
    order = list(range(len(drawn[0])))
    random.shuffle(order)
    mixed = [[part[i] for i in order] for part in drawn]
    for name in OF_CATEGORIES:
        # The root of a rounding error is larger than it.
        assert value(name, *mixed) == pytest.approx(value(name, *drawn), abs=1e-6), name


@given(counts, counts)
def test_a_stack_is_measured_as_each_of_its_windows_alone(first, second) -> None:
    reference, current = np.array(first[0]), np.array(first[1])
    other = np.resize(second[1], len(current))
    for name in OF_CATEGORIES:
        both = of(name, categories(reference, current, other))
        for i, window in enumerate((current, other)):
            alone = of(name, categories(reference, window))
            for part in ("value", "p_value", "n"):
                assert getattr(both, part)[i] == pytest.approx(getattr(alone, part)[0])
            assert both.minimum_n(0.3)[i] == alone.minimum_n(0.3)[0]


@given(counts)
def test_each_window_may_have_a_reference_of_its_own(drawn) -> None:
    one, other = (np.array(part, float) for part in drawn)
    own = Pair(np.stack([one, other]), np.stack([other, one]))
    for name in set(OF_CATEGORIES) - {"total_variation"}:
        found = of(name, own)
        for i, (before, now) in enumerate(((one, other), (other, one))):
            alone = of(name, categories(before, now))
            assert found.value[i] == pytest.approx(alone.value[0]), name
            assert found.p_value[i] == pytest.approx(alone.p_value[0]), name


@given(counts, counts)
def test_windows_that_are_merged_are_no_further_away_than_the_furthest(first, second) -> None:
    reference, current = np.array(first[0]), np.array(first[1])
    other = np.resize(second[1], len(current))
    # What has nothing taken off is convex.
    for name in ("total_variation", "l_infinity"):
        apart = value(name, reference, current), value(name, reference, other)
        assert value(name, reference, current + other) <= max(apart) + 1e-9


@given(values, values)
def test_distances_of_numbers_hold_those_of_their_rows(before, now) -> None:
    pair = numbers(np.array(before), np.array(now))
    gap = of("kolmogorov_smirnov", pair)
    exact = largest_gap(before, now)
    assert gap.value[0] <= exact + 1e-9
    assert exact <= gap.value[0] + gap.error[0] + 1e-9
    moved = of("wasserstein", pair)
    if moved.reason is None:
        raw = wasserstein_distance(before, now)
        # In units of the reference: the sigma of the bins scales both alike.
        sigma = _sigma(pair)
        assert moved.value[0] * sigma <= raw + 1e-6
        assert raw <= (moved.value[0] + moved.error[0]) * sigma + 1e-6


def largest_gap(before: list[float], now: list[float]) -> float:
    """As `ks_2samp` has it, which warns of the p of few rows."""
    at = np.concatenate([before, now])
    f, g = (np.searchsorted(np.sort(part), at, side="right") / len(part) for part in (before, now))
    return float(np.abs(f - g).max())


def _sigma(pair: Pair) -> float:
    """The standard deviation that Wasserstein divides by: a far atom is 1 / sigma for each unit."""
    from tocsin.drift.distances import _standard_deviation

    assert pair.line is not None
    return _standard_deviation(pair.line)


@pytest.mark.parametrize("moved", [0.3, 1.0, -2.0])
def test_values_that_all_move_are_so_far_apart_as_scipy_says(moved: float) -> None:
    rng = np.random.default_rng(1)
    before, now = rng.normal(5, 2, 20_000), rng.normal(5 + 2 * moved, 2, 5_000)
    found = of("wasserstein", numbers(before, now))
    exact = wasserstein_distance(before, now) / before.std()
    assert found.value[0] == pytest.approx(exact, rel=0.03)
    gap = of("kolmogorov_smirnov", numbers(before, now))
    assert gap.value[0] == pytest.approx(ks_2samp(before, now).statistic, abs=0.03)
    assert gap.error[0] <= 0.06 + np.diff(np.sort(now)).max()


def test_one_value_far_outside_counts_with_all_its_way() -> None:
    before = np.random.default_rng(2).normal(0, 1, 20_000)
    now = np.append(before, [10_000.0] * 20)
    exact = wasserstein_distance(before, now) / before.std()
    assert of("wasserstein", numbers(before, now)).value[0] == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("shape", ["normal", "exponential", "uniform", "lognormal", "standard_t"])
def test_the_deviation_of_the_reference_follows_from_its_bins(shape: str) -> None:
    rng = np.random.default_rng(3)
    more = {"lognormal": {"sigma": 0.6}, "standard_t": {"df": 6}}.get(shape, {})
    before = getattr(rng, shape)(size=50_000, **more)
    assert _sigma(numbers(before, before)) == pytest.approx(before.std(), rel=0.03)


def test_a_reference_of_one_value_has_no_deviation_and_says_so() -> None:
    found = of("wasserstein", numbers(np.full(50, 3.0), np.full(50, 4.0)))
    assert found.reason == "the reference has one value only"
    # The gap of the functions needs none.
    assert of("kolmogorov_smirnov", numbers(np.full(50, 3.0), np.full(50, 4.0))).value[0] == 1


@pytest.mark.parametrize("size", [1e60, 1e300])
def test_numbers_too_large_to_be_squared_have_a_distance_or_a_reason(size: float) -> None:
    rng = np.random.default_rng(4)
    before, now = rng.normal(size=2_000) * size, rng.normal(1, 1, 1_000) * size
    found = of("wasserstein", numbers(before, now))
    if size > 1e70:
        assert found.reason == "values beyond 1e+70 have no sum, and so no mean"
    else:
        exact = wasserstein_distance(before, now) / before.std()
        assert found.value[0] == pytest.approx(exact, rel=0.05)
    assert 0.3 < of("kolmogorov_smirnov", numbers(before, now)).value[0] < 0.5


def test_categories_have_no_order_for_what_needs_one() -> None:
    for name in ("wasserstein", "kolmogorov_smirnov", "ks_test"):
        assert of(name, categories([5, 5], [1, 9])).reason == "categories have no order"


def test_a_reference_without_values_says_so() -> None:
    for name in ("wasserstein", "kolmogorov_smirnov"):
        pair = numbers(np.full(50, np.nan), np.full(50, 4.0))
        assert of(name, pair).reason == "the reference has no value"


def test_a_window_without_rows_is_no_distance_and_not_nan() -> None:
    before = np.random.default_rng(4).normal(size=20_000)
    for name, each in STATISTICS.items():
        pair = numbers(before, np.empty(0), before)
        found = each.apart(pair)
        if found.reason is None:
            assert (found.value[0], found.p_value[0], found.n[0]) == (0, 1, 0), name
            assert np.isfinite(found.minimum_n(each.threshold)).all(), name


def test_missing_values_move_shares_but_lie_nowhere() -> None:
    rng = np.random.default_rng(5)
    before, now = rng.normal(size=5_000), rng.normal(size=5_000)
    now[:2_000] = np.nan
    pair = numbers(before, now)
    assert of("total_variation", pair).value[0] == pytest.approx(0.4, abs=0.03)
    assert of("kolmogorov_smirnov", pair).n[0] == 3_000
    assert of("wasserstein", pair).value[0] < 0.05


SHARE = np.random.default_rng(6).dirichlet(np.full(20, 5.0))


@pytest.mark.parametrize("name", list(MEANS))
@pytest.mark.parametrize("rows", [300, 2_000])
def test_without_drift_what_is_left_of_a_divergence_is_0_on_average(name: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    reference = rng.multinomial(20_000, SHARE)
    windows = rng.multinomial(rows, SHARE, size=4_000)
    found = of(name, categories(reference, *windows))
    power = 2 if name in ("jensen_shannon", "hellinger") else 1
    expected = bias(name, reference, windows[0])
    # Clipped at 0, half of a symmetric law is left: its mean is .4 of its deviation.
    deviation = expected * np.sqrt(2 / 19)
    assert (found.value**power).mean() == pytest.approx(0.4 * deviation, abs=0.12 * expected)
    assert 0.3 < (found.value == 0).mean() < 0.7


@pytest.mark.parametrize("name", DISTANCES)
def test_without_drift_small_p_values_are_as_rare_as_they_say(name: str) -> None:
    rng = np.random.default_rng(7)
    p_values = np.concatenate(
        [
            of(name, numbers(rng.normal(size=3_000), *rng.normal(size=(60, 400)))).p_value
            for _ in range(40)
        ]
    )
    # The gap at edges is a lower bound, so its p is rather too large.
    cautious = name in ("kolmogorov_smirnov", "l_infinity")
    assert (p_values < 0.01).mean() <= 0.03
    # The half rows of bins with hardly any count too much.
    assert (p_values < 0.1).mean() <= (0.2 if name in ("psi", "kullback_leibler") else 0.15)
    assert (p_values < 0.1).mean() >= (0.02 if cautious else 0.07)


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("bins", [2, 20])
def test_from_the_minimum_of_rows_on_chance_hardly_ever_passes_the_threshold(
    name: str, bins: int
) -> None:
    rng = np.random.default_rng(8)
    before = rng.uniform(size=20_000)
    before = np.floor(before * 2) if bins == 2 else before
    needed = of(name, numbers(before, before)).minimum_n(0.1)[0]
    assert needed < 3_000
    rows = rng.uniform(size=(2_000, int(needed)))
    found = of(name, numbers(before, *(np.floor(rows * 2) if bins == 2 else rows)))
    assert (found.value > 0.1).mean() <= 0.003


def test_a_reference_that_is_small_itself_is_never_enough() -> None:
    found = of("jensen_shannon", categories([10] * 20, [100] * 20))
    assert np.isinf(found.minimum_n(0.1)[0])
    assert np.isfinite(found.minimum_n(0.9)[0])


def test_the_rows_that_are_needed_are_about_those_of_two_bins_and_of_twenty() -> None:
    def needed(k: int) -> float:
        return float(of("jensen_shannon", categories([10**6] * k, [50] * k)).minimum_n(0.1)[0])

    assert 540 < needed(20) < 620
    assert 200 < needed(2) < 300


def test_what_lies_beyond_the_edges_on_both_sides_is_told_by_the_error() -> None:
    # 1 and 3 above the last edge, and twice 2: the means are equal, the rows 1 apart each.
    edges, inside = np.array([-1.0, 0.0]), [0.0, 8.0]
    counts, sums = np.array([*inside, 2.0]), np.array([0.0, -4.0, 4.0])
    found = wasserstein(Pair(counts, counts[None], Line(edges, counts, sums, counts[None], sums)))
    sigma = _sigma(Pair(counts, counts[None], Line(edges, counts, sums, counts[None], sums)))
    assert found.value[0] == pytest.approx(0)
    assert found.error[0] * sigma >= 0.2


def test_beyond_the_edges_one_row_may_carry_all_that_others_have_together() -> None:
    # Above the last edge nine at it and one 20 away, and ten 2 away.
    edges, counts = np.array([-1.0, 0.0]), np.array([0.0, 10.0, 10.0])
    sums = np.array([0.0, -5.0, 20.0])
    pair = Pair(counts, counts[None], Line(edges, counts, sums, counts[None], sums))
    exact = wasserstein_distance([0.0] * 9 + [20.0], [2.0] * 10) / 2
    assert wasserstein(pair).error[0] * _sigma(pair) >= exact


def test_edges_that_coincide_have_no_area() -> None:
    counts, sums = np.array([0.0, 4, 0]), np.zeros(3)
    line = Line(np.zeros(2), counts, sums, counts, sums)
    assert wasserstein(Pair(np.array([4.0]), np.array([4.0]), line)).reason is not None


def test_names_that_people_know_from_elsewhere_are_understood() -> None:
    evidently = "jensenshannon psi ks wasserstein hellinger TVD kl_div chisquare z g_test"
    nannyml = "jensen_shannon kolmogorov_smirnov chi2 l_infinity wasserstein hellinger"
    for name in f"{evidently} {nannyml}".split():
        assert statistic(name).name in STATISTICS
    assert statistic("ks").decides == "p_value"
    assert statistic("kolmogorov_smirnov").decides == "value"


def test_the_surest_of_two_shares_is_that_of_the_z_test_twice() -> None:
    pair = categories([600, 400], [45, 55])
    assert of("l_infinity", pair).p_value[0] == pytest.approx(2 * of("z_test", pair).p_value[0])


def test_the_law_of_total_variation_of_two_shares_is_exact() -> None:
    # Both bins move by the same, so that twice the gap over 2 is |z|.
    pair = categories([6_000, 4_000], [45, 55])
    share, h = 0.6, 1 / 10_000 + 1 / 100
    exact = 2 * norm.sf(0.15 / np.sqrt(share * (1 - share) * h))
    assert of("total_variation", pair).p_value[0] == pytest.approx(exact, rel=1e-6)


def test_a_rare_bin_needs_rows_of_it() -> None:
    for name in ("total_variation", "l_infinity"):
        assert of(name, categories([9_900, 100], [20, 0])).minimum_n(0.1)[0] == 500
        # Of a constant anything else is no chance.
        assert of(name, categories([1_000, 0], [20, 10])).minimum_n(0.1)[0] == 20
