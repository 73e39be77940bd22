"""What adding, subtracting and folding profiles has to obey, whatever the rows."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles.synthetic import (
    category,
    labelled,
    numeric,
    plan_of,
    predicted,
    profile,
    rows,
    some,
    stacked,
)

from tocsin.errors import IncompatibleProfilesError
from tocsin.profiles import Plan, Profile, Rows, fold_labels, fold_predictions
from tocsin.profiles.layout import DELAY_EDGES, FEATURE_FIELDS, SCORE_FIELDS, TOTALS
from tocsin.values import DAY

REFERENCE = np.linspace(0, 1, 41)
PLAN = plan_of(
    REFERENCE,
    (REFERENCE > 0.4).astype(float),
    age=numeric(list(REFERENCE * 80)),
    city=category(["Rome"] * 20 + ["Oslo"] * 15 + ["Bern"] * 6),
)

scores = st.one_of(st.floats(0, 1), st.sampled_from(PLAN.score_edges), st.just(float("nan")))
ages = st.one_of(
    st.none(),
    st.floats(-1e6, 1e6),
    st.sampled_from([0.0, 80.0, -0.1, 80.1, float("nan"), float("inf"), float("-inf")]),
)
cities = st.sampled_from(["Rome", "Oslo", "Bern", "Nome", None])
delays = st.integers(0, 100 * DAY)


@dataclass(frozen=True)
class Batch:
    rows: Rows
    labels: np.ndarray
    delays: np.ndarray

    def at(self, index: np.ndarray) -> "Batch":
        return Batch(some(self.rows, index), self.labels[index], self.delays[index])

    def folded(self) -> Profile:
        return predicted(PLAN, self.rows) + self.truth()

    def truth(self) -> Profile:
        return labelled(PLAN, self.rows, self.labels, self.delays)


@st.composite
def batches(draw: st.DrawFn, max_size: int = 30) -> Batch:
    drawn = draw(
        st.lists(st.tuples(scores, ages, cities, st.integers(0, 1), delays), max_size=max_size)
    )
    score, age, city, label, delay = zip(*drawn, strict=True) if drawn else ((),) * 5
    return Batch(
        rows(score, age=numeric(age), city=category(city)),
        np.array(label, dtype=float),
        np.array(delay, dtype=np.int64),
    )


profiles = batches().map(Batch.folded)


def counts() -> np.ndarray:
    """Which entries of a vector count rows, and so have to be exact."""
    layout = PLAN.layout
    exact = np.zeros(layout.size, dtype=bool)
    real = {"score", "score_squared", "expected_loss", "loss", "loss_squared", "log_loss",
            "log_loss_squared"}  # fmt: skip
    exact[: len(TOTALS)] = [name not in real for name in TOTALS]
    exact[layout.delays : layout.scores] = True
    end = layout.scores + layout.score_bins * len(SCORE_FIELDS)
    exact[layout.scores : end] = np.tile(
        [name != "score" for name in SCORE_FIELDS], layout.score_bins
    )
    of_feature = [name in ("n", "labelled", "label") for name in FEATURE_FIELDS]
    for start, bins in layout.features.values():
        exact[start : start + bins * len(FEATURE_FIELDS)] = np.tile(of_feature, bins)
    return exact


COUNTS = counts()


def assert_same(one: Profile, other: Profile, magnitude: Profile | None = None) -> None:
    """Counts are equal, sums to 1e-9 of what was summed up."""
    assert (one.vector[..., COUNTS] == other.vector[..., COUNTS]).all()
    scale = np.abs(one.vector if magnitude is None else magnitude.vector)
    # Sums of numbers up to 1e6 that cancel each other keep the error of the largest.
    assert (np.abs(one.vector - other.vector) <= 1e-9 * np.maximum(scale, 1e6)).all()


@given(profiles)
def test_adding_the_empty_profile_changes_nothing(one: Profile) -> None:
    zero = Profile.zero(PLAN)
    assert ((one + zero).vector == one.vector).all()
    assert ((zero + one).vector == one.vector).all()
    assert ((one - zero).vector == one.vector).all()


@given(profiles, profiles)
def test_the_order_of_two_profiles_does_not_matter(one: Profile, other: Profile) -> None:
    assert ((one + other).vector == (other + one).vector).all()


@given(profiles, profiles, profiles)
def test_the_grouping_of_profiles_does_not_matter(a: Profile, b: Profile, c: Profile) -> None:
    assert_same((a + b) + c, a + (b + c))


@given(profiles, profiles)
def test_what_was_added_can_be_taken_away(one: Profile, other: Profile) -> None:
    assert_same(one + other - other, one, magnitude=one + other)
    assert ((one - other).vector == (one + -other).vector).all()
    assert ((one - one).vector == 0).all()


@given(profiles)
def test_bytes_give_the_same_profile_back(one: Profile) -> None:
    assert (Profile.from_bytes(PLAN, one.to_bytes()).vector == one.vector).all()


@given(batches(), st.randoms(use_true_random=False), st.integers(1, 6))
def test_folding_rows_in_any_order_and_any_parts_is_folding_them_at_once(
    batch: Batch, random, parts: int
) -> None:
    order = list(range(len(batch.rows)))
    random.shuffle(order)
    merged = Profile.zero(PLAN)
    for which in range(parts):
        merged += batch.at(np.array(order[which::parts], dtype=np.int64)).folded()
    assert_same(merged, batch.folded())


@given(batches(), st.integers(1, 5), st.randoms(use_true_random=False))
def test_buckets_are_folded_as_if_each_were_alone(batch: Batch, buckets: int, random) -> None:
    n = len(batch.rows)
    bucket = np.array([random.randrange(buckets) for _ in range(n)], dtype=np.int64)
    together = fold_predictions(PLAN, batch.rows, bucket, buckets) + fold_labels(
        PLAN, batch.rows, batch.labels, batch.delays, bucket, buckets
    )
    assert together.vector.shape == (buckets, PLAN.layout.size)
    for each in range(buckets):
        alone = batch.at(np.flatnonzero(bucket == each)).folded()
        assert_same(Profile(PLAN, together.vector[each]), alone)


@given(batches())
def test_labels_that_are_retracted_leave_the_predictions(batch: Batch) -> None:
    before = predicted(PLAN, batch.rows)
    truth = batch.truth()
    assert_same(before + truth - truth, before, magnitude=before + truth)
    assert ((truth - batch.truth()).vector == 0).all()


@given(batches())
def test_a_label_that_is_corrected_is_as_if_it_had_been_right_at_once(batch: Batch) -> None:
    right = 1 - batch.labels
    corrected = batch.folded() - batch.truth() + labelled(PLAN, batch.rows, right, batch.delays)
    at_once = predicted(PLAN, batch.rows) + labelled(PLAN, batch.rows, right, batch.delays)
    assert_same(corrected, at_once)


@given(batches())
def test_every_row_is_in_exactly_one_bin_of_every_feature(batch: Batch) -> None:
    n = len(batch.rows)
    found = batch.folded()
    assert found.total("n") == n
    assert found.total("labelled") == n
    for bins in PLAN.features:
        histogram = found.feature(bins.name)
        assert histogram.n.sum() == n
        assert histogram.labelled.sum() == n
        assert histogram.label.sum() == batch.labels.sum()
        assert (histogram.n >= 0).all()
        assert histogram.loss.sum() == pytest.approx(float(found.total("loss")), abs=1e-9)
    assert found.delays.sum() == n


@given(batches())
def test_every_row_is_in_one_score_bin_or_has_no_score(batch: Batch) -> None:
    found = batch.folded()
    missing = np.isnan(batch.rows.scores).sum()
    assert found.total("missing_scores") == missing
    assert found.scores.rows.sum() == len(batch.rows) - missing
    both = found.scores.positives + found.scores.negatives
    assert (both == found.scores.rows).all()


@given(batches())
def test_whoever_counts_the_bins_by_hand_finds_the_same(batch: Batch) -> None:
    ages = batch.rows.features["age"]
    edges = PLAN.features[0].edges
    expected = np.zeros(len(PLAN.features[0].labels))
    for value, null in zip(ages.values.tolist(), ages.null.tolist(), strict=True):
        inside = [i for i in range(len(edges) - 1) if edges[i] <= value < edges[i + 1]]
        if null:
            at = -1
        elif not np.isfinite(value):
            at = -2
        elif value > edges[-1]:
            at = -3
        elif value < edges[0]:
            at = -4
        else:
            at = inside[0] if inside else len(edges) - 2
        expected[at] += 1
    assert (predicted(PLAN, batch.rows).feature("age").n == expected).all()


@given(st.lists(profiles, min_size=1, max_size=4))
def test_a_stack_shows_what_each_of_its_profiles_shows(each: list[Profile]) -> None:
    stack = stacked(each)
    for i, one in enumerate(each):
        assert stack.total("loss")[i] == one.total("loss")
        assert (stack.delays[i] == one.delays).all()
        assert (stack.scores.positives[i] == one.scores.positives).all()
        assert (stack.scores.sums[i] == one.scores.sums).all()
        assert (stack.feature("city").loss[i] == one.feature("city").loss).all()
        assert (stack.feature("age").shares[i] == one.feature("age").shares).all()


@given(batches(), st.sampled_from(DELAY_EDGES.tolist()))
def test_a_delay_on_an_edge_counts_to_the_bin_that_ends_there(batch: Batch, edge: int) -> None:
    n = len(batch.rows)
    at = labelled(PLAN, batch.rows, batch.labels, np.full(n, edge)).delays
    after = labelled(PLAN, batch.rows, batch.labels, np.full(n, edge + 1)).delays
    which = DELAY_EDGES.tolist().index(edge)
    assert at[which] == n
    assert after[which + 1] == n


@settings(max_examples=20)
@given(st.permutations(range(41)))
def test_the_plan_does_not_depend_on_the_order_of_the_reference(order: list[int]) -> None:
    index = np.array(order)
    city = ["Rome"] * 20 + ["Oslo"] * 15 + ["Bern"] * 6
    again = plan_of(
        REFERENCE[index],
        (REFERENCE > 0.4).astype(float)[index],
        age=numeric(list(REFERENCE[index] * 80)),
        city=category([city[i] for i in order]),
    )
    assert again.digest == PLAN.digest


def test_profiles_of_different_plans_refuse_each_other() -> None:
    other = plan_of(REFERENCE, threshold=0.3)
    with pytest.raises(IncompatibleProfilesError, match=f"{other.digest}.*{PLAN.digest}.*rebuild"):
        Profile.zero(PLAN) + Profile.zero(other)
    with pytest.raises(IncompatibleProfilesError):
        Profile.zero(PLAN) - Profile.zero(other)


def test_profiles_of_equal_plans_meet_even_when_the_plan_was_read_again() -> None:
    again = Plan.from_dict(PLAN.to_dict())
    assert again is not PLAN
    assert ((Profile.zero(PLAN) + Profile.zero(again)).vector == 0).all()


def test_stored_bytes_of_another_size_are_refused() -> None:
    with pytest.raises(IncompatibleProfilesError, match="rebuild"):
        Profile.from_bytes(PLAN, Profile.zero(plan_of(REFERENCE)).to_bytes())


def test_a_profile_that_was_read_can_be_added_to() -> None:
    read = Profile.from_bytes(PLAN, Profile.zero(PLAN).to_bytes())
    read.vector[0] += 1
    assert read.total("n") == 1


def test_a_scored_row_leaves_the_sums_that_its_formulas_say() -> None:
    one = profile(PLAN, rows([0.75], age=numeric([10.0]), city=category(["Oslo"])), [0])
    assert one.total("score") == 0.75
    assert one.total("score_squared") == 0.5625
    assert one.total("loss") == 0.5625
    assert one.total("loss_squared") == 0.5625**2
    assert one.total("log_loss") == pytest.approx(-np.log(0.25))
    assert one.total("false_positives") == 1
    chance = PLAN.expected_rates[int(np.flatnonzero(one.scores.rows)[0])]
    assert one.total("expected_loss") == pytest.approx(chance * 0.0625 + (1 - chance) * 0.5625)
    at = one.feature("age").n.argmax()
    assert one.feature("age").value[at] == 10.0
    assert one.feature("city").n.tolist() == [0, 1, 0, 0, 0, 0]
