"""Declared ratios, costs of decisions, and metrics of one's own."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from tests.metrics.rows import (
    binary,
    plan_of,
    predicted,
    profile,
    regression,
    rows,
    windows,
)

from tocsin.errors import InvalidInputError
from tocsin.metrics import METRICS, Measured, Metric, catalogue, cost_metric, register, registered
from tocsin.metrics.measured import proportion
from tocsin.profiles import Profile
from tocsin.schema import Ratio
from tocsin.values import Bounded, Undefined

Floats = np.ndarray[Any, Any]
RATIOS = (
    Ratio("relative", "abs(prediction - label)", "abs(label)"),
    Ratio("mean_price", "price"),
    Ratio("dear", "price > 2"),
    Ratio("missed", "price > 2 and label > 5", "price > 2"),
)
SCHEMA = regression(*RATIOS, features=["price"])
COSTS = {("0", "1"): 1.0, ("1", "0"): 25.0, ("1", "1"): -3.0}


def ratio_windows(count: int, n: int) -> tuple[Profile, Floats, Floats, Floats]:
    rng = np.random.default_rng([count, n])
    labels = rng.gamma(3, 2, count * n)
    guesses, prices = labels + rng.normal(0, 1, count * n), rng.exponential(2, count * n)
    plan = plan_of(guesses[:5_000], labels[:5_000], schema=SCHEMA, price=prices[:5_000])
    stack = windows(plan, rows(guesses, price=prices), labels, count)
    return stack, guesses, prices, labels


def test_a_ratio_is_one_sum_over_another() -> None:
    stack, guesses, prices, labels = ratio_windows(1, 500)
    truths = {
        "relative": np.abs(guesses - labels).sum() / labels.sum(),
        "mean_price": prices.mean(),
        "dear": (prices > 2).mean(),
        "missed": (labels[prices > 2] > 5).mean(),
    }
    for name, truth in truths.items():
        measure = catalogue(SCHEMA)[name].measure(stack[0]).at()
        assert measure.value == pytest.approx(truth), name
        assert measure.low < measure.value < measure.high, name


def test_a_ratio_of_conditions_has_the_interval_of_a_proportion() -> None:
    stack, _, prices, labels = ratio_windows(1, 500)
    for name, hits, rows_ in (
        ("dear", prices > 2, np.ones(500, bool)),
        ("missed", (prices > 2) & (labels > 5), prices > 2),
    ):
        measure = catalogue(SCHEMA)[name].measure(stack[0]).at()
        expected = binomtest(int(hits.sum()), int(rows_.sum())).proportion_ci(method="wilson")
        assert (measure.low, measure.high) == pytest.approx((expected.low, expected.high))


def test_intervals_of_ratios_hold_the_ratio_in_95_of_100_windows() -> None:
    stack, *_ = ratio_windows(2_000, 200)
    whole = Profile(stack.plan, stack.vector.sum(0))
    for ratio in RATIOS:
        metric = catalogue(SCHEMA)[ratio.name]
        truth = metric.measure(whole).at().value
        found = metric.measure(stack)
        assert 0.93 < ((found.low <= truth) & (truth <= found.high)).mean() < 0.97, ratio.name


def test_a_ratio_that_cannot_be_says_why() -> None:
    plan = plan_of([1.0, 2.0], schema=SCHEMA, price=[1.0, 2.0])
    known = catalogue(SCHEMA)
    assert known["relative"].needs_labels
    assert not known["dear"].needs_labels
    nothing = {r.name: known[r.name].measure(Profile.zero(plan)).at().reason for r in RATIOS}
    assert nothing["relative"] == "no outcomes yet"
    assert nothing["dear"] == "no predictions in this window"
    unknown = predicted(plan, rows([1.0], price=[np.nan]))
    assert "are known" in known["mean_price"].measure(unknown).at().reason
    zeros = profile(plan, rows([1.0, 2.0], price=[1.0, 1.0]), [0.0, 0.0])
    assert "adds up to 0" in known["relative"].measure(zeros).at().reason
    one = known["mean_price"].measure(predicted(plan, rows([1.0], price=[3.0]))).at()
    assert one == Bounded(3.0, 0.0, -np.inf, np.inf, 1)


def test_costs_are_summed_over_the_cells() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(size=400)
    labels = (rng.uniform(size=400) < scores).astype(int)
    found = profile(plan_of(scores), rows(scores), labels)
    each = [COSTS.get((str(y), str(int(s >= 0.5))), 0) for y, s in zip(labels, scores, strict=True)]
    mean = cost_metric("cost", binary().labels, COSTS).measure(found).at()
    assert mean.value == pytest.approx(np.mean(each))
    assert mean.n == 400
    total = cost_metric("cost", binary().labels, COSTS, total=True).measure(found).at()
    assert total.value == pytest.approx(np.sum(each))
    assert (total.low, total.high) == pytest.approx((mean.low * 400, mean.high * 400))
    same = dict.fromkeys([(a, b) for a in "01" for b in "01"], 2.0)
    fixed = cost_metric("cost", ("0", "1"), same).measure(found).at()
    assert fixed == Bounded(2.0, 0.0, 2.0, 2.0, 400)
    assert cost_metric("cost", ("0", "1"), COSTS).measure(Profile.zero(found.plan)).at() == (
        Undefined("no outcomes yet")
    )


@pytest.mark.parametrize("n", [200, 1_000])
def test_the_interval_of_a_cost_holds_it_in_95_of_100_windows(n: int) -> None:
    rng = np.random.default_rng(n)
    scores = rng.beta(1, 4, 2_000 * n)
    labels = (rng.uniform(size=2_000 * n) < scores).astype(int)
    stack = windows(plan_of(scores[:5_000]), rows(scores), labels, 2_000)
    metric = cost_metric("cost", ("0", "1"), COSTS)
    truth = metric.measure(Profile(stack.plan, stack.vector.sum(0))).at().value
    found = metric.measure(stack)
    assert 0.93 < ((found.low <= truth) & (truth <= found.high)).mean() < 0.97


@given(st.floats(-100, 100), st.floats(0.1, 100))
def test_costs_shift_and_scale_with_their_unit(shift: float, scale: float) -> None:
    plan = plan_of([0.2, 0.8])
    found = profile(plan, rows([0.2, 0.8, 0.9, 0.1]), [0, 1, 0, 1])
    pairs = [(a, b) for a in "01" for b in "01"]
    changed = {pair: scale * COSTS.get(pair, 0.0) + shift for pair in pairs}
    one = cost_metric("cost", ("0", "1"), COSTS).measure(found).at()
    other = cost_metric("cost", ("0", "1"), changed).measure(found).at()
    for part in ("value", "low", "high"):
        expected = scale * getattr(one, part) + shift
        assert getattr(other, part) == pytest.approx(expected, abs=1e-6)


def test_costs_of_classes_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="there is no class 'yes'; there are 0, 1"):
        cost_metric("cost", ("0", "1"), {("yes", "0"): 1.0})
    with pytest.raises(InvalidInputError, match="is not finite"):
        cost_metric("cost", ("0", "1"), {("0", "0"): np.nan})


def half_of_rows(found: Profile) -> Measured:
    return proportion(found.total("n") / 2, found.total("n"))


def test_a_function_of_a_profile_becomes_a_metric() -> None:
    metric = register(Metric("half", "Half", half_of_rows, higher_is_better=None))
    assert registered("half") is metric
    found = predicted(plan_of([0.2]), rows([0.2, 0.3]))
    assert catalogue(binary(), [registered("half")])["half"].measure(found).at().value == 0.5
    with pytest.raises(InvalidInputError, match="registered are: half"):
        registered("third")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("roc_auc", "built in"),
        ("top_k_accuracy_score", "built in"),
        ("r2_score", "built in"),
        ("", "has to begin with a letter"),
        ("a@b", "has to begin with a letter"),
        ("1st", "has to begin with a letter"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, why: str) -> None:
    with pytest.raises(InvalidInputError, match=why):
        register(Metric(name, "Mine", half_of_rows, higher_is_better=None))


def test_a_measure_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="needs a function"):
        register(Metric("mine", "Mine", METRICS["coverage"].name, None))
