"""Whether a model relies on other features than it did; scikit-learn says what NDCG is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from tocsin.explain import AttributionShift, FeatureImportance, Importance, Measured, Method

VALUES = st.lists(st.floats(0.01, 10), min_size=2, max_size=12, unique=True)


def importance(values: list[float], error: float = 0.0) -> Importance:
    features = [FeatureImportance(f"f{i}", value, error) for i, value in enumerate(values)]
    return Importance.of(Method.PERMUTATION, Measured.LOSS, 1_000, 5, 0, features)


def shift(then: list[float], now: list[float], error: float = 0.0) -> AttributionShift:
    return AttributionShift(importance(then, error), importance(now, error), 0, 1)


@given(VALUES, st.randoms(use_true_random=False))
def test_the_number_is_the_ndcg_of_scikit_learn(values, random):
    now = random.sample(values, len(values))
    found = shift(values, now)
    assert found.ndcg == pytest.approx(ndcg_score([values], [now]))
    assert found.worst == pytest.approx(ndcg_score([values], [[-v for v in values]]))
    assert found.worst - 1e-9 <= found.ndcg <= 1 + 1e-9


@given(VALUES, st.floats(0.1, 10))
def test_the_same_order_is_1_whatever_the_sizes(values, factor):
    found = shift(values, [v * factor for v in values])
    assert found.ndcg == pytest.approx(1)
    assert not found.changed
    assert [f.rank_now for f in found.features] == [f.rank for f in found.features]
    assert sum(f.share for f in found.features) == pytest.approx(1)


@given(VALUES)
def test_what_is_written_is_read_back(values):
    found = shift(values, values[::-1], 0.1)
    assert AttributionShift.from_dict(found.to_dict()) == found


def test_a_new_order_that_is_no_chance_has_changed():
    found = shift([1.0, 0.1, 0.05], [0.05, 0.1, 1.0], 0.01)
    assert found.changed
    assert [(f.rank, f.rank_now, f.differs) for f in found.features] == [
        (1, 3, True), (2, 2, False), (3, 1, True)
    ]  # fmt: skip
    assert found.sentence.startswith("The model relies on other features than on its reference")
    assert "`f0` has 4% of all importance on recent rows and 87% on the reference" in found.sentence
    # The same numbers with errors as large as they are say nothing.
    unsure = shift([1.0, 0.1, 0.05], [0.05, 0.1, 1.0], 1.0)
    assert not unsure.changed
    assert unsure.sentence.startswith("The rows are too few to tell whether")


def test_of_features_that_matter_alike_no_order_is_far_and_it_says_so():
    found = shift([1.0, 0.98, 0.97], [0.97, 0.98, 1.0], 0.01)
    assert found.worst > 0.98
    assert "in no order of these would be under 0.9" in found.sentence


def test_an_order_that_stays_while_shares_move_is_told_of():
    found = shift([1.0, 0.5], [1.0, 0.05], 0.01)
    assert (found.ndcg, found.changed) == (1.0, False)
    assert "much as on the reference" in found.sentence
    assert "`f0` has 95% of all importance" in found.sentence


def test_chance_alone_seldom_changes_the_order():
    rng = np.random.default_rng(0)
    truth = np.array([1.0, 0.8, 0.6, 0.3, 0.3, 0.1, 0.0, 0.0])
    changed = differs = 0
    for _ in range(100):
        then, now = (truth + rng.normal(0, 0.05, len(truth)) for _ in range(2))
        found = shift(then.tolist(), now.tolist(), 0.05)
        changed += found.changed
        differs += any(f.differs for f in found.features)
    assert changed == 0
    assert differs <= 8


def test_without_any_importance_there_is_no_order():
    found = shift([-0.1, 0.0], [1.0, 2.0], 0.1)
    assert (found.ndcg, found.low, found.worst, found.changed) == (None, None, None, False)
    assert "no order to compare" in found.sentence
