"""What adding, subtracting and folding profiles has to obey, whatever the task and the rows."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles.synthetic import category, labelled, numeric, plan_of, profile, rows, stacked
from tests.profiles.worlds import WORLDS, Batch, World, assert_same

from tocsin.errors import IncompatibleProfilesError
from tocsin.profiles import (
    CategoryColumn,
    Grouping,
    NumericBins,
    NumericColumn,
    Plan,
    Profile,
    TextLevels,
    fold,
)
from tocsin.profiles.layout import DELAY_EDGES
from tocsin.schema import Ratio, Task

every_world = pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
often, rarely = settings(max_examples=60, deadline=None), settings(max_examples=20, deadline=None)


@every_world
@often
@given(data=st.data())
def test_adding_the_empty_profile_changes_nothing(world: World, data: st.DataObject) -> None:
    one, zero = data.draw(world.batches()).folded(), Profile.zero(world.plan)
    assert ((one + zero).vector == one.vector).all()
    assert ((zero + one).vector == one.vector).all()
    assert ((one - zero).vector == one.vector).all()


@every_world
@often
@given(data=st.data())
def test_the_order_of_two_profiles_does_not_matter(world: World, data: st.DataObject) -> None:
    one, other = (data.draw(world.batches()).folded() for _ in range(2))
    assert ((one + other).vector == (other + one).vector).all()


@every_world
@often
@given(data=st.data())
def test_the_grouping_of_profiles_does_not_matter(world: World, data: st.DataObject) -> None:
    drawn = [data.draw(world.batches(10)) for _ in range(3)]
    a, b, c = (batch.folded() for batch in drawn)
    assert_same((a + b) + c, a + (b + c), sum(batch.magnitude() for batch in drawn))


@every_world
@often
@given(data=st.data())
def test_what_was_added_can_be_taken_away(world: World, data: st.DataObject) -> None:
    drawn = [data.draw(world.batches(10)) for _ in range(2)]
    one, other = (batch.folded() for batch in drawn)
    assert_same(one + other - other, one, sum(batch.magnitude() for batch in drawn))
    assert ((one - other).vector == (one + -other).vector).all()
    assert ((one - one).vector == 0).all()


@every_world
@often
@given(data=st.data())
def test_bytes_give_the_same_profile_back(world: World, data: st.DataObject) -> None:
    one = data.draw(world.batches()).folded()
    assert (Profile.from_bytes(world.plan, one.to_bytes()).vector == one.vector).all()


@every_world
@often
@given(data=st.data(), parts=st.integers(1, 6))
def test_folding_rows_in_any_order_and_any_parts_is_folding_them_at_once(
    world: World, data: st.DataObject, parts: int
) -> None:
    batch = data.draw(world.batches())
    order = data.draw(st.permutations(range(len(batch))))
    merged = Profile.zero(world.plan)
    for which in range(parts):
        merged += batch.at(order[which::parts]).folded()
    assert_same(merged, batch.folded(), batch.magnitude())


@every_world
@often
@given(data=st.data(), counts=st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_groups_are_folded_as_if_each_were_alone(
    world: World, data: st.DataObject, counts: list[int]
) -> None:
    batch = data.draw(world.batches(15))
    groupings = [
        Grouping(
            np.array([data.draw(st.integers(0, count - 1)) for _ in range(len(batch))], np.int64),
            count,
        )
        for count in counts
    ]
    magnitude = batch.magnitude()
    together = batch.grouped(*groupings)
    assert len(together) == len(groupings)
    for grouping, stack in zip(groupings, together, strict=True):
        assert stack.vector.shape == (grouping.count, world.plan.layout.size)
        (alone,) = batch.grouped(grouping)
        assert (stack.vector == alone.vector).all()
        for each in range(grouping.count):
            own = batch.at(np.flatnonzero(grouping.index == each))
            assert_same(stack[each], own.folded(), magnitude)


@every_world
@often
@given(data=st.data(), tile=st.integers(1, 4))
def test_rows_that_are_worked_on_in_tiles_give_the_same(
    world: World, data: st.DataObject, tile: int
) -> None:
    batch = data.draw(world.batches())
    at_once = batch.folded()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold, "_TILE", tile)
        assert_same(batch.folded(), at_once, batch.magnitude())


@every_world
@often
@given(data=st.data())
def test_labels_that_are_retracted_leave_the_predictions(world: World, data: st.DataObject) -> None:
    batch = data.draw(world.batches())
    before, truth = batch.predictions(), batch.truth()
    assert_same(before + truth - truth, before, batch.magnitude())
    assert ((truth - batch.truth()).vector == 0).all()


@every_world
@often
@given(data=st.data())
def test_a_label_that_is_corrected_is_as_if_it_had_been_right_at_once(
    world: World, data: st.DataObject
) -> None:
    wrong = data.draw(world.batches(15))
    labels = np.array([data.draw(world.truths) for _ in range(len(wrong))], dtype=float)
    right = Batch(wrong.plan, wrong.rows, labels, wrong.delays[::-1])
    corrected = wrong.folded() - wrong.truth() + right.truth()
    assert_same(corrected, right.folded(), wrong.magnitude() + right.magnitude())


@every_world
@often
@given(data=st.data())
def test_the_values_of_a_segment_add_up_to_all_rows(world: World, data: st.DataObject) -> None:
    batch = data.draw(world.batches())
    found = [segment.of(batch.rows.features, len(batch)) for segment in world.plan.segments]
    stacks = batch.grouped(
        *(
            Grouping(of_row.astype(np.int64), len(segment.values))
            for of_row, segment in zip(found, world.plan.segments, strict=True)
        )
    )
    assert len(stacks) == 4
    for stack in stacks:
        summed = Profile(world.plan, stack.vector.sum(0))
        assert_same(summed, batch.folded(), batch.magnitude())


@every_world
@often
@given(data=st.data())
def test_every_row_is_in_exactly_one_bin_of_every_feature(
    world: World, data: st.DataObject
) -> None:
    batch = data.draw(world.batches())
    found, n, scale = batch.folded(), len(batch), batch.magnitude()
    assert found.total("n") == n
    assert found.total("labelled") == n
    assert found.delays.sum() == n
    for bins in world.plan.features:
        histogram = found.feature(bins.name)
        assert histogram.n.sum() == n
        assert histogram.labelled.sum() == n
        assert (histogram.n >= 0).all()
        assert histogram.shares.sum() == pytest.approx(1 if n else 0)
        for name in ("score", "expected_loss", "label", "loss", "loss_squared"):
            off = 1e-11 * scale[world.plan.totals.index(name)]
            assert getattr(histogram, name).sum() == pytest.approx(
                float(found.total(name)), abs=off
            )
    for ratio in world.plan.ratios:
        assert 0 <= found.ratio(ratio.name).n <= n


@often
@given(data=st.data())
@pytest.mark.parametrize("world", WORLDS[:2], ids=lambda world: world.name)
def test_score_bins_and_confusion_of_two_classes_count_every_row_that_can_be_judged(
    world: World, data: st.DataObject
) -> None:
    batch = data.draw(world.batches())
    found, said = batch.folded(), batch.rows.predicted
    known = np.isfinite(batch.rows.scores[:, 0]) if world.name == "binary" else said >= 0
    assert found.total("missing_scores") == (~known).sum()
    assert found.scores.rows.sum() == known.sum()
    assert (found.scores.positives + found.scores.negatives == found.scores.rows).all()
    assert found.scores.positives.sum() == batch.labels[known].sum()
    assert (found.output_counts == found.scores.rows).all()
    confusion = found.confusion
    assert confusion.sum() == (said >= 0).sum()
    assert confusion[1].sum() == batch.labels[said >= 0].sum()
    assert confusion[:, 1].sum() == found.total("predicted_positive") == (said == 1).sum()


@often
@given(data=st.data())
@pytest.mark.parametrize("world", WORLDS[2:4], ids=lambda world: world.name)
def test_classes_confusion_and_ranks_count_every_row_that_can_be_judged(
    world: World, data: st.DataObject
) -> None:
    batch = data.draw(world.batches())
    found, said = batch.folded(), batch.rows.predicted
    known = np.isfinite(batch.rows.scores).all(1) if world.name == "multiclass" else said >= 0
    assert found.total("missing_scores") == (~known).sum()
    assert found.predicted.tolist() == [(said == i).sum() for i in range(3)]
    assert (found.output_counts == found.predicted).all()
    assert found.confusion.sum() == (said >= 0).sum()
    assert (found.confusion.sum(0) == found.predicted).all()
    assert (
        found.confusion.sum(1) == np.bincount(batch.labels[said >= 0].astype(int), minlength=3)
    ).all()
    assert np.trace(found.confusion) == found.total("label") == (said == batch.labels).sum()
    assert found.ranks.sum() == known.sum()
    of_class = [found.class_scores(i) for i in range(3)]
    for i, scores in enumerate(of_class):
        assert scores.rows.sum() == known.sum()
        assert (scores.positives + scores.negatives == scores.rows).all()
        assert scores.positives.sum() == (batch.labels[known] == i).sum()


@often
@given(data=st.data())
def test_bins_of_prediction_and_error_count_every_row_that_can_be_compared(
    data: st.DataObject,
) -> None:
    world = WORLDS[4]
    batch = data.draw(world.batches())
    found, given_ = batch.folded(), batch.rows.scores[:, 0]
    both = (np.abs(given_) < 1e9) & (np.abs(batch.labels) < 1e9)
    assert found.total("missing_scores") == (~(np.abs(given_) < 1e9)).sum()
    assert found.predictions.n.sum() == len(batch)
    assert (found.output_counts == found.predictions.n).all()
    assert found.predictions.labelled.sum() == both.sum()
    assert found.residuals.over.sum() == (given_[both] > batch.labels[both]).sum()
    assert found.residuals.over.sum() + found.residuals.under.sum() == both.sum()
    assert len(found.residuals.edges) == len(found.residuals.over)


@every_world
@rarely
@given(data=st.data())
def test_a_stack_shows_what_each_of_its_profiles_shows(world: World, data: st.DataObject) -> None:
    each = [data.draw(world.batches(8)).folded() for _ in range(3)]
    stack = stacked(each)
    views = {
        Task.BINARY: [lambda p: p.scores.positives, lambda p: p.scores.sums, lambda p: p.confusion],
        Task.MULTICLASS: [lambda p: p.class_scores(1).sums, lambda p: p.confusion,
                          lambda p: p.ranks, lambda p: p.predicted],
        Task.REGRESSION: [lambda p: p.residuals.over, lambda p: p.predictions.loss],
    }[world.schema.task]  # fmt: skip
    views += [
        lambda p: p.total("loss"),
        lambda p: p.delays,
        lambda p: p.feature("city").loss,
        lambda p: p.feature("age").shares,
        lambda p: p.ratio(world.plan.ratios[1].name).product,
        lambda p: p.output_counts,
    ]
    for i, one in enumerate(each):
        assert (stack[i].vector == one.vector).all()
        for view in views:
            assert (view(stack)[i] == view(one)).all()


@every_world
@rarely
@given(data=st.data(), edge=st.sampled_from(DELAY_EDGES.tolist()))
def test_a_delay_on_an_edge_counts_to_the_bin_that_ends_there(
    world: World, data: st.DataObject, edge: int
) -> None:
    batch = data.draw(world.batches())
    n = len(batch)
    at = labelled(world.plan, batch.rows, batch.labels, np.full(n, edge)).delays
    after = labelled(world.plan, batch.rows, batch.labels, np.full(n, edge + 1)).delays
    which = DELAY_EDGES.tolist().index(edge)
    assert at[which] == n
    assert after[which + 1] == n


@every_world
@rarely
@given(order=st.permutations(range(41)))
def test_the_plan_does_not_depend_on_the_order_of_the_reference(
    world: World, order: list[int]
) -> None:
    assert world.replanned(order).digest == world.plan.digest


@every_world
def test_the_parts_of_a_profile_fill_its_vector_without_overlap(world: World) -> None:
    blocks = sorted(world.plan.layout.blocks.values(), key=lambda block: block.start)
    assert blocks[0].start == 0
    assert blocks[-1].stop == world.plan.layout.size
    assert all(one.stop == other.start for one, other in pairwise(blocks))


@pytest.mark.parametrize(
    ("one", "other"), list(combinations(WORLDS, 2)), ids=lambda world: world.name
)
def test_profiles_of_different_tasks_refuse_each_other(one: World, other: World) -> None:
    with pytest.raises(IncompatibleProfilesError, match="rebuild"):
        Profile.zero(one.plan) + Profile.zero(other.plan)


def test_profiles_of_different_plans_refuse_each_other() -> None:
    one, other = plan_of([0.1, 0.9]), plan_of([0.1, 0.9], threshold=0.3)
    with pytest.raises(IncompatibleProfilesError, match=f"{other.digest}.*{one.digest}.*rebuild"):
        Profile.zero(one) + Profile.zero(other)
    with pytest.raises(IncompatibleProfilesError):
        Profile.zero(one) - Profile.zero(other)


@every_world
def test_profiles_of_equal_plans_meet_even_when_the_plan_was_read_again(world: World) -> None:
    again = Plan.from_dict(world.plan.to_dict())
    assert again is not world.plan
    assert ((Profile.zero(world.plan) + Profile.zero(again)).vector == 0).all()


def test_stored_bytes_of_another_size_are_refused() -> None:
    one, other = plan_of([0.1, 0.9]), plan_of([0.1, 0.9], number=numeric([1.0, 2.0]))
    with pytest.raises(IncompatibleProfilesError, match="rebuild"):
        Profile.from_bytes(one, Profile.zero(other).to_bytes())


def test_a_profile_that_was_read_can_be_added_to() -> None:
    plan = WORLDS[0].plan
    read = Profile.from_bytes(plan, Profile.zero(plan).to_bytes())
    read.vector[0] += 1
    assert read.total("n") == 1


def test_a_scored_row_leaves_the_sums_that_its_formulas_say() -> None:
    plan = WORLDS[0].plan
    one = profile(plan, rows([0.75], age=numeric([10.0]), city=category(["Oslo"])), [0])
    assert one.total("score") == 0.75
    assert one.total("score_squared") == 0.5625
    assert one.total("loss") == 0.5625
    assert one.total("loss_squared") == 0.5625**2
    assert one.total("log_loss") == pytest.approx(-np.log(0.25))
    assert one.total("false_positives") == 1
    chance = plan.output.rates[int(np.flatnonzero(one.scores.rows)[0])]
    assert one.total("expected_loss") == pytest.approx(chance * 0.0625 + (1 - chance) * 0.5625)
    at = one.feature("age").n.argmax()
    assert one.feature("age").value[at] == 10.0
    assert one.feature("city").n.tolist() == [0, 1, 0, 0, 0, 0]
    cost = one.ratio("cost")
    assert (cost.n, cost.sum, cost.per, cost.product) == (1, 10, 11, 110)


def test_a_ratio_of_labels_waits_for_them_and_one_of_inputs_does_not() -> None:
    ratios = (Ratio("seen", "age"), Ratio("truth", "label", "age"), Ratio("per", "1", "label"))
    plan = plan_of([0.1, 0.9], schema={"ratios": ratios}, age=numeric([1.0, 2.0]))
    some_rows = rows([0.3, 0.4], age=numeric([3.0, None]))
    before = profile(plan, some_rows, [1, 0]) - labelled(plan, some_rows, [1, 0])
    assert [float(before.ratio(r.name).n) for r in ratios] == [1, 0, 0]
    after = profile(plan, some_rows, [1, 0])
    assert [float(after.ratio(r.name).n) for r in ratios] == [1, 1, 2]
    assert after.ratio("per").per == 1


def test_levels_are_looked_up_once_for_all_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[tuple[str, ...]] = []

    class Counted(TextLevels):
        """Levels that remember what they were asked."""

        def places(self, known):
            looked_up.append(tuple(known))
            return super().places(known)

    ratios = (Ratio("a", "word == 'a'"), Ratio("b", "word in ('b', 'c')", "word == 'a'"))
    plan = plan_of([0.1, 0.9], schema={"ratios": ratios}, word=category(["a", "b"]))
    word = CategoryColumn(np.arange(30, dtype=np.int32) % 3, Counted(("a", "b", "c")))
    monkeypatch.setattr(fold, "_TILE", 3)
    found = profile(plan, rows([0.5] * 30, word=word), [1] * 30)
    assert found.ratio("a").sum == found.ratio("b").per == 10
    assert found.ratio("b").sum == 20
    # Once for predictions and once for labels; the bins of the feature, and two expressions.
    assert sorted(looked_up) == [("a",), ("a", "b"), ("a", "b"), ("b", "c")]


def test_what_stands_under_a_null_changes_no_sum() -> None:
    bins = NumericBins("x", (0.0, 1.0))
    column = NumericColumn(np.array([0.5, 1e300]), np.array([False, True]))
    found, value = bins.of(column)
    assert found.tolist() == [0, bins.labels.index("null")]
    assert value.tolist() == [0.5, 0.0]
