"""What a classifier of reference and window tells, and that it tells nothing where all is one."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from tocsin.drift.domain import _auc, told_apart
from tocsin.profiles import NO_NULLS, CategoryColumn, Column, NumericColumn, TextLevels

CITIES = ("Rome", "Oslo", "Bonn")


def columns(n: int, seed: int, *, shift: float = 0.0, tied: bool = False) -> dict[str, Column]:
    """Two numbers, tied to each other or not, and a category."""
    rng = np.random.default_rng(seed)
    one = rng.normal(size=n)
    other = one * (0.9 if tied else 0) + rng.normal(size=n) * (np.sqrt(0.19) if tied else 1)
    codes = rng.integers(0, 3, n).astype(np.int32)
    return {
        "one": NumericColumn(one + shift, NO_NULLS),
        "other": NumericColumn(other, NO_NULLS),
        "city": CategoryColumn(codes, TextLevels(CITIES)),
    }


def test_a_column_that_moved_is_told_and_named() -> None:
    told = told_apart(columns(1_500, 1), columns(1_000, 2, shift=1.0))
    assert 0.7 < told.low < told.auc < told.high < 0.85
    assert told.p_value < 1e-6
    assert next(iter(told.importances)) == "one"
    assert told.importances["one"] > 10 * abs(told.importances["city"])


def test_columns_that_only_moved_together_are_told_too() -> None:
    told = told_apart(columns(1_500, 1), columns(1_500, 2, tied=True))
    assert told.auc > 0.7
    assert told.p_value < 1e-6
    assert set(list(told.importances)[:2]) == {"one", "other"}


def test_rows_of_one_kind_are_not_told_apart() -> None:
    found = [told_apart(columns(300, seed), columns(300, 1_000 + seed)) for seed in range(8)]
    assert abs(np.mean([told.auc for told in found]) - 0.5) < 0.03
    assert sum(told.p_value < 0.05 for told in found) <= 1


def test_the_same_seed_tells_the_same() -> None:
    one, other = (told_apart(columns(300, 1), columns(300, 2), seed=5) for _ in range(2))
    assert (one.auc, one.p_value, one.importances) == (other.auc, other.p_value, other.importances)
    np.testing.assert_array_equal(one.current, other.current)


def test_the_chance_to_be_of_the_window_weighs_the_reference_as_the_window_is() -> None:
    before, now = columns(4_000, 1), columns(4_000, 2, shift=0.7)
    told = told_apart(before, now)
    assert (len(told.reference), len(told.current)) == (4_000, 4_000)
    weights = told.reference / (1 - told.reference)
    assert isinstance(before["one"], NumericColumn)
    assert np.average(before["one"].values, weights=weights) == pytest.approx(0.7, abs=0.15)


def test_nulls_and_levels_that_one_side_lacks_are_told() -> None:
    before, now = columns(400, 1), columns(400, 2)
    now["city"] = CategoryColumn(np.full(400, 0, np.int32), TextLevels(("Lima",)))
    assert told_apart(before, now).auc == 1.0
    null = np.zeros(400, bool)
    null[:200] = True
    empty = {**columns(400, 2), "one": NumericColumn(np.zeros(400), null)}
    assert told_apart(before, empty).importances["one"] > 0.2


@pytest.mark.parametrize("digits", [1, 6])
def test_auc_and_p_are_those_of_scikit_learn_and_scipy(digits: int) -> None:
    rng = np.random.default_rng(1)
    is_now = rng.integers(0, 2, 400)
    scores = (rng.normal(size=400) + 0.2 * is_now).round(digits)
    auc, variance, p_value = _auc(scores, is_now)
    assert auc == pytest.approx(roc_auc_score(is_now, scores))
    oracle = mannwhitneyu(
        scores[is_now == 1], scores[is_now == 0],
        alternative="greater", method="asymptotic", use_continuity=False,
    )  # fmt: skip
    assert p_value == pytest.approx(oracle.pvalue, rel=1e-9)
    picks = [rng.integers(0, 400, 400) for _ in range(500)]
    spread = np.std([roc_auc_score(is_now[at], scores[at]) for at in picks])
    assert np.sqrt(variance) == pytest.approx(spread, rel=0.15)


def test_columns_without_values_or_with_one_value_keep_no_other_from_being_told() -> None:
    def world(seed: int, shift: float) -> dict[str, Column]:
        return {
            **columns(300, seed, shift=shift),
            "void": NumericColumn(np.zeros(300), np.ones(300, bool)),
            "constant": NumericColumn(np.ones(300), NO_NULLS),
            "nobody": CategoryColumn(np.full(300, -1, np.int32), TextLevels(CITIES)),
        }

    told = told_apart(world(1, 0.0), world(2, 1.0))
    assert next(iter(told.importances)) == "one"
    assert told.importances["void"] == told.importances["nobody"] == 0
