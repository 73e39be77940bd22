"""Which bins follow from which reference."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles.synthetic import (
    binary,
    category,
    labelled,
    numeric,
    plan_of,
    predicted,
    profile,
    rows,
)
from tests.profiles.worlds import WORLDS, World

from tocsin.errors import SchemaError
from tocsin.profiles import (
    CategoryBins,
    CategoryColumn,
    NumericBins,
    NumericColumn,
    Plan,
    Rows,
    TextLevels,
    plan_from_reference,
)
from tocsin.profiles.bins import KNOWN_LEVELS, TOP_LEVELS
from tocsin.schema import Ratio, Schema, Segment, Task

finite = st.floats(allow_nan=False, allow_infinity=False)


def binned(plan: Plan, value: float | str | None) -> str:
    """The label of the bin that a value of the only feature falls into."""
    bins = plan.features[0]
    column = numeric([value]) if isinstance(bins, NumericBins) else category([value])
    found = predicted(plan, rows([0.5], **{bins.name: column})).feature(bins.name)
    assert found.n.sum() == 1
    return bins.labels[int(found.n.argmax())]


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
    st.lists(st.one_of(st.none(), finite), min_size=1, max_size=40),
    st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=40),
    st.floats(0.01, 0.99),
)
def test_a_plan_survives_json(scores, numbers, words, threshold) -> None:
    plan = plan_of(
        scores,
        threshold=threshold,
        number=numeric((numbers * len(scores))[: len(scores)]),
        word=category((words * len(scores))[: len(scores)]),
    )
    again = Plan.from_dict(json.loads(json.dumps(plan.to_dict(), allow_nan=False)))
    assert again == plan
    assert again.digest == plan.digest
    assert again.layout == plan.layout


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=200), st.floats(0.001, 0.999))
def test_score_edges_ascend_from_0_to_1_and_have_the_threshold_among_them(scores, at) -> None:
    plan = plan_of([*scores, 0.5], threshold=at)
    edges = np.array(plan.output.edges)
    assert edges[0] == 0
    assert edges[-1] == 1
    assert (np.diff(edges) > 0).all()
    assert at in edges
    assert len(plan.output.rates) == len(edges) - 1


@settings(deadline=None)
@given(st.lists(finite, min_size=1, max_size=60), finite)
def test_feature_edges_span_exactly_the_reference(numbers: list[float], other: float) -> None:
    plan = plan_of([0.5] * len(numbers), number=numeric(numbers))
    edges = plan.features[0].edges
    assert len(edges) >= 2
    assert np.isfinite(edges).all()
    assert sorted(edges) == list(edges)
    inside = min(numbers) <= other <= max(numbers)
    # A subnormal number cannot be halved without loss.
    if abs(other - min(numbers)) > 1e-300 and abs(other - max(numbers)) > 1e-300:
        assert (binned(plan, other) in ("below", "above")) is not inside


@settings(deadline=None)
@given(st.floats(0.001, 0.999), st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_rows_at_or_over_the_threshold_are_whole_score_bins(threshold, scores) -> None:
    near = [threshold, np.nextafter(threshold, 0), np.nextafter(threshold, 1)]
    scores = np.array([*scores, *near])
    found = predicted(plan_of(scores, threshold=threshold), rows(scores, threshold=threshold))
    over = found.scores.edges[:-1] >= threshold
    assert found.scores.rows[over].sum() == (scores >= threshold).sum()
    assert found.total("predicted_positive") == (scores >= threshold).sum()


def test_a_value_on_an_edge_opens_the_bin_above_it() -> None:
    plan = plan_of([0.5] * 3, number=numeric([0.0, 1.0, 2.0]))
    edges = plan.features[0].edges
    labels = plan.features[0].labels
    for i, edge in enumerate(edges[:-1]):
        assert binned(plan, edge) == labels[i]
    assert binned(plan, edges[-1]) == labels[len(edges) - 2]
    assert binned(plan, float(np.nextafter(0, -1))) == "below"
    assert binned(plan, float(np.nextafter(2, 3))) == "above"


def test_a_constant_column_has_one_bin_that_only_the_constant_fits() -> None:
    plan = plan_of([0.5] * 4, number=numeric([3.0] * 4))
    assert plan.features[0].edges == (3.0, 3.0)
    assert plan.features[0].regular == 1
    seen = [binned(plan, value) for value in (3.0, 2.9, 3.1, float("inf"), None)]
    assert seen == ["3 to 3", "below", "above", "non-finite", "null"]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_column_without_one_number_still_has_a_place_for_every_row(value) -> None:
    plan = plan_of([0.5] * 3, number=numeric([value] * 3))
    assert {binned(plan, -1.0), binned(plan, 1.0)} == {"below", "above"}
    assert binned(plan, None) == "null"
    assert binned(plan, float("-inf")) == "non-finite"


def test_the_largest_numbers_of_both_signs_make_finite_edges() -> None:
    largest = float(np.finfo(float).max)
    edges = plan_of([0.5] * 2, number=numeric([-largest, largest])).features[0].edges
    assert np.isfinite(edges).all()
    assert (edges[0], edges[-1]) == (-largest, largest)


def test_what_stands_under_a_null_does_not_matter() -> None:
    null = np.array([False, True, False])
    one = NumericColumn(np.array([1.0, 1e9, 2.0]), null)
    other = NumericColumn(np.array([1.0, np.nan, 2.0]), null)
    plan = plan_of([0.5] * 3, number=one)
    assert plan == plan_of([0.5] * 3, number=other)
    first, second = (predicted(plan, rows([0.5] * 3, number=column)) for column in (one, other))
    assert (first.vector == second.vector).all()


def test_one_level_leaves_room_for_what_was_never_seen() -> None:
    plan = plan_of([0.5] * 3, word=category(["a"] * 3))
    assert plan.features == (CategoryBins("word", ("a",)),)
    assert [binned(plan, value) for value in ("a", "b", None)] == ["a", "unseen", "null"]


def test_a_column_without_one_category_takes_all_as_unseen() -> None:
    plan = plan_of([0.5] * 3, word=category([None] * 3))
    assert [binned(plan, value) for value in ("a", None)] == ["unseen", "null"]


def test_the_frequent_levels_have_bins_and_the_rare_ones_share_other() -> None:
    words = [f"w{i:02}" for i in range(60) for _ in range(60 - i)]
    plan = plan_of([0.5] * len(words), word=category(words))
    bins = plan.features[0]
    assert bins.levels == tuple(f"w{i:02}" for i in range(TOP_LEVELS))
    assert bins.others == tuple(f"w{i:02}" for i in range(TOP_LEVELS, 60))
    seen = [binned(plan, value) for value in ("w00", "w49", "w50", "w59", "x")]
    assert seen == ["w00", "w49", "other", "other", "unseen"]


def test_levels_as_frequent_as_each_other_are_taken_by_name() -> None:
    words = [f"w{i:03}" for i in range(100)]
    plan = plan_of([0.5] * 100, word=category(words[::-1]))
    assert plan.features[0].levels == tuple(words[:TOP_LEVELS])


def test_two_thousand_levels_are_not_remembered_and_no_level_is_called_unseen() -> None:
    words = [f"w{i:04}" for i in range(2_000)]
    plan = plan_of([0.5] * 2_000, word=category(words))
    bins = plan.features[0]
    assert not bins.all_known
    assert bins.others == ()
    assert binned(plan, "never before") == "other"
    found = predicted(plan, rows([0.5] * 2_000, word=category(words))).feature("word")
    assert found.n.sum() == 2_000
    assert found.n[bins.labels.index("other")] == 2_000 - TOP_LEVELS


def test_as_many_levels_as_can_be_remembered_are() -> None:
    words = [f"w{i:04}" for i in range(TOP_LEVELS + KNOWN_LEVELS)]
    bins = plan_of([0.5] * len(words), word=category(words)).features[0]
    assert bins.all_known
    assert len(bins.others) == KNOWN_LEVELS


def test_a_level_that_no_row_has_is_no_level_of_the_reference() -> None:
    column = CategoryColumn(np.zeros(3, dtype=np.int32), TextLevels(("a", "b")))
    plan = plan_of([0.5] * 3, word=column)
    assert plan.features[0].levels == ("a",)
    assert binned(plan, "b") == "unseen"


def test_a_level_may_be_called_like_an_explicit_bin() -> None:
    words = ["null", "unseen", "other"]
    plan = plan_of([0.5] * 3, word=category(words))
    found = predicted(plan, rows([0.5] * 4, word=category([*words, None]))).feature("word")
    assert found.n.tolist() == [1, 1, 1, 0, 0, 1]


def test_a_reference_without_rows_is_refused() -> None:
    with pytest.raises(SchemaError, match="no rows"):
        plan_of([])


def test_a_reference_without_scores_still_has_a_plan() -> None:
    plan = plan_of([np.nan] * 5, [0, 1, 0, 1, 1])
    assert plan.output.edges == (0.0, 0.5, 1.0)
    assert plan.output.rates == (0.25, 0.75)


@pytest.mark.parametrize("change", ["edge", "level", "threshold", "name"])
def test_plans_that_differ_have_different_digests(change: str) -> None:
    def plan(numbers=(0.0, 1.0), words=("a", "b"), threshold=0.5, name="number"):
        columns = {name: numeric(numbers), "word": category(words)}
        return plan_of([0.1, 0.9], threshold=threshold, **columns)

    other = {
        "edge": plan(numbers=(0.0, 2.0)),
        "level": plan(words=("a", "c")),
        "threshold": plan(threshold=0.6),
        "name": plan(name="amount"),
    }[change]
    assert other.digest != plan().digest
    assert plan().digest == plan().digest
    assert len(plan().digest) == 16


def test_rare_positives_have_fine_bins_at_the_top() -> None:
    rng = np.random.default_rng(0)
    scores = rng.beta(0.5, 20, 20_000)
    edges = np.array(plan_of(scores).output.edges)
    top = np.quantile(scores, 0.9)
    assert (edges > top).sum() > 50
    shares = np.histogram(scores, edges)[0] / len(scores)
    assert shares[edges[:-1] > np.quantile(scores, 0.99)].max() < 0.002


def test_the_expected_loss_of_the_reference_is_its_realised_loss_when_it_is_calibrated() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(size=50_000)
    labels = (rng.uniform(size=50_000) < scores).astype(float)
    plan = plan_of(scores, labels)
    found = profile(plan, rows(scores), labels)
    realised, expected = found.total("loss"), found.total("expected_loss")
    assert expected / 50_000 == pytest.approx(realised / 50_000, abs=0.002)
    assert realised / 50_000 == pytest.approx(1 / 6, abs=0.005)


def test_a_column_of_the_wrong_kind_is_a_mistake_of_the_caller() -> None:
    plan = plan_of([0.5], number=numeric([1.0]))
    with pytest.raises(TypeError, match="number"):
        predicted(plan, rows([0.5], number=category(["a"])))


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_the_plan_of_every_task_survives_json(world: World) -> None:
    again = Plan.from_dict(json.loads(json.dumps(world.plan.to_dict(), allow_nan=False)))
    assert again == world.plan
    assert again.digest == world.plan.digest
    assert again.layout == world.plan.layout
    assert again.totals == world.plan.totals


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=30))
def test_a_regression_of_any_numbers_has_a_finite_plan(pairs: list[tuple[float, float]]) -> None:
    given_, labels = np.array(pairs).T
    of = Rows(given_[:, None].copy(), np.full(len(pairs), -1, np.int32), {})
    plan = plan_from_reference(Schema(Task.REGRESSION, (), None, "price", "paid"), of, labels)
    json.dumps(plan.to_dict(), allow_nan=False)
    assert list(plan.output.edges) == sorted(plan.output.edges)
    assert plan.output.residual_edges[0] == 0
    assert (np.diff(plan.output.residual_edges) > 0).all()
    assert len(plan.output.errors) == len(plan.output.bins.labels)
    assert np.isfinite(profile(plan, of, labels).vector).all()


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=30),
    st.data(),
)
def test_each_class_of_several_has_edges_from_0_to_1_and_a_rate_per_bin(scores, data) -> None:
    labels = [data.draw(st.sampled_from([0.0, 1.0, 2.0, float("nan")])) for _ in scores]
    of = Rows(np.array(scores), np.argmax(scores, 1).astype(np.int32), {})
    schema = Schema(
        Task.MULTICLASS, (), None, None, "tree", classes=("a", "b", "c"), scores=("x", "y", "z")
    )
    output = plan_from_reference(schema, of, np.array(labels)).output
    assert output.scored
    for edges, rates in zip(output.edges, output.rates, strict=True):
        assert (edges[0], edges[-1]) == (0, 1)
        assert (np.diff(edges) > 0).all()
        assert len(rates) == len(edges) - 1
        assert (np.diff(rates) >= 0).all()


def test_many_classes_have_coarser_bins_so_that_a_profile_stays_small() -> None:
    rng = np.random.default_rng(0)

    def size(k: int) -> int:
        scores = rng.dirichlet(np.ones(k), 5_000)
        classes = tuple(f"c{i}" for i in range(k))
        schema = Schema(Task.MULTICLASS, (), None, None, "y", classes=classes, scores=classes)
        of = Rows(scores, scores.argmax(1).astype(np.int32), {})
        output = plan_from_reference(schema, of, np.zeros(5_000)).output
        return sum(len(edges) for edges in output.edges)

    assert size(3) < 3 * 140
    assert size(100) < 100 * 25


def test_further_thresholds_are_edges_of_the_score_bins() -> None:
    plan = plan_of([0.2, 0.8], schema={"thresholds": (0.123, 0.9)})
    assert {0.123, 0.5, 0.9} <= set(plan.output.edges)


def test_a_binary_classifier_without_scores_counts_its_classes_as_scores() -> None:
    said = np.array([0, 1, 1, 0, -1], np.int32)
    of = Rows(np.full((5, 1), np.nan), said, {})
    schema = Schema(Task.BINARY, (), None, "class", "late")
    plan = plan_from_reference(schema, of, np.array([0, 1, 0, 0, 1.0]))
    assert not plan.output.scored
    found = profile(plan, of, [0, 1, 0, 0, 1])
    assert found.total("missing_scores") == 1
    assert found.total("score") == 2
    assert found.total("loss") == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"segments": (Segment("old", where="age > 40"),)}, "segment 'old': `age > 40` uses age;"),
        (
            {"ratios": (Ratio("cost", "fare * 2"),)},
            "metric 'cost': `fare \\* 2` uses fare; there are number, word, label, pred",
        ),
        ({"ratios": (Ratio("cost", "1", "fare"),)}, "metric 'cost': `fare` uses fare;"),
        ({"segments": (Segment("truth", where="label == 1"),)}, "uses label; there are"),
        ({"segments": (Segment("odd", where="word + 1 > 2"),)}, "uses text as a number"),
        ({"segments": (Segment("odd", where="word"),)}, "is text, where a number"),
        ({"segments": (Segment("none", where=""),)}, "cannot be read"),
        ({"ratios": (Ratio("cost", "number +"),)}, "cannot be read"),
    ],
)  # fmt: skip
def test_an_expression_that_does_not_fit_is_told_when_it_is_declared(fields, message) -> None:
    columns = {"number": numeric([1.0, 2.0]), "word": category(["a", "b"])}
    with pytest.raises(SchemaError, match=message):
        plan_of([0.1, 0.9], schema=fields, **columns)


def test_a_plan_of_another_format_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"format 1 .* writes format 3"):
        Plan.from_dict({**plan_of([0.5]).to_dict(), "format": 1})


def test_old_plans_of_several_classes_are_read_as_they_were_written() -> None:
    of = Rows(np.full((4, 2), 0.5), np.zeros(4, np.int32), {})
    schema = Schema(Task.MULTICLASS, (), None, "said", "y", classes=("a", "b"), scores=("p", "q"))
    new = plan_from_reference(schema, of, np.array([0.0, 1, 0, 1]))
    document = new.to_dict()
    assert document["format"] == 4
    assert Plan.from_dict(document).digest == new.digest
    old = Plan.from_dict({**document, "format": 3})
    assert old.to_dict() == {**document, "format": 3}
    assert old.digest != new.digest
    # Two sums less: one for each class.
    assert old.layout.size == new.layout.size - 2
    with pytest.raises(SchemaError, match=r"format 2 .* of several classes 4"):
        Plan.from_dict({**document, "format": 2})
    assert plan_of([0.5]).to_dict()["format"] == 3


def test_bins_are_found_by_the_name_of_their_feature() -> None:
    plan = plan_of([0.5], number=numeric([1.0]), word=category(["a"]))
    assert [plan.bins(name).name for name in ("word", "number")] == ["word", "number"]
    with pytest.raises(KeyError):
        plan.bins("age")


def test_a_million_levels_make_no_larger_profile_than_fifty() -> None:
    texts = [f"user {i}" for i in range(1_000_000)]
    codes = np.concatenate([np.arange(1_000_000), np.repeat(np.arange(60), 5)]).astype(np.int32)
    column = CategoryColumn(codes, TextLevels(tuple(texts)))
    of = Rows(np.full((len(codes), 1), 0.5), np.ones(len(codes), np.int32), {"user": column})
    plan = plan_from_reference(binary({"user": column}), of, np.zeros(len(codes)))
    assert plan.features[0].levels == tuple(sorted(texts[:60])[:TOP_LEVELS])
    assert plan.features[0].others == ()
    small = plan_of([0.5] * 60, user=category(texts[:60]))
    assert plan.layout.size <= small.layout.size + 8 * 3
    found = predicted(plan, of).feature("user").n
    assert found[:TOP_LEVELS].tolist() == [6] * TOP_LEVELS
    assert found[TOP_LEVELS] == len(codes) - 6 * TOP_LEVELS


@settings(deadline=None, max_examples=20)
@given(st.permutations([f"w{i:02}" for i in range(55)]))
def test_ties_at_the_cut_are_decided_by_name_whatever_the_order_of_rows(words: list[str]) -> None:
    bins = plan_of([0.5] * 55, word=category(words)).features[0]
    assert bins.levels == tuple(f"w{i:02}" for i in range(TOP_LEVELS))
    assert bins.others == tuple(f"w{i:02}" for i in range(TOP_LEVELS, 55))


def test_labels_add_to_bins_of_features_beside_the_predictions() -> None:
    plan = plan_of([0.25, 0.75], word=category(["a", "b"]))
    found = labelled(plan, rows([0.25], word=category(["b"])), [1]).feature("word")
    assert found.n.sum() == 0
    assert found.labelled.tolist() == found.label.tolist() == [0, 1, 0, 0, 0]
    assert found.loss[1] == 0.5625
