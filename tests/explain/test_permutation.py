"""Permutation importance against what is known of a made-up model, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance as oracle
from sklearn.linear_model import LinearRegression

from tocsin.explain import (
    FeatureImportance,
    Importance,
    Measured,
    Method,
    losses_of,
    moves_from,
    permutation_importance,
)
from tocsin.schema import Task

NAMES = ("much", "little", "noise")


def world(n: int = 2_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(n, 3))
    return x, 3 * x[:, 0] + 0.5 * x[:, 1] + chance.normal(size=n)


def found_of(model, x, losses, *, before=None, names=NAMES, repeats=5, seed=0, progress=None):
    def outputs(feature, order):
        shuffled = x.copy()
        at = NAMES.index(feature)
        shuffled[:, at] = x[order, at]
        return model.predict(shuffled)[:, None]

    return permutation_importance(
        outputs,
        model.predict(x)[:, None] if before is None else before,
        losses,
        names,
        repeats=repeats,
        seed=seed,
        progress=progress or (lambda _, __: None),
    )


def test_scikit_learn_finds_the_same_within_the_errors() -> None:
    model = RandomForestRegressor(n_estimators=20, random_state=0).fit(*world(seed=1))
    x, y = world()
    found = found_of(model, x, losses_of(Task.REGRESSION, y))
    theirs = oracle(model, x, y, scoring="neg_mean_absolute_error", n_repeats=5, random_state=1)
    for mine, value, spread in zip(
        found, theirs.importances_mean, theirs.importances_std, strict=True
    ):
        assert mine.value == pytest.approx(value, abs=3 * np.hypot(mine.error, spread / 5**0.5))


def test_the_feature_that_decides_is_first_and_noise_is_nothing() -> None:
    model = LinearRegression().fit(*world(seed=1))
    x, y = world()
    found = found_of(model, x, losses_of(Task.REGRESSION, y))
    importance = Importance.of(Method.PERMUTATION, Measured.LOSS, len(x), 5, 0, found)
    assert [f.feature for f in importance.features][:2] == ["much", "little"]
    assert importance.reliance["much"] == 1
    assert 0 < importance.reliance["little"] < 0.2
    assert importance.reliance["noise"] == 0


def test_the_error_is_as_large_as_other_rows_and_shuffles_make_it() -> None:
    model = LinearRegression().fit(*world(seed=1))
    errors, values = [], []
    for seed in range(60):
        x, y = world(300, seed=100 + seed)
        losses = losses_of(Task.REGRESSION, y)
        (found,) = found_of(model, x, losses, names=("little",), repeats=3, seed=seed)
        errors.append(found.error)
        values.append(found.value)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.3)


def test_a_seed_gives_the_same_whichever_other_features_are_asked_about() -> None:
    model = LinearRegression().fit(*world(seed=1))
    x, y = world()
    losses = losses_of(Task.REGRESSION, y)
    all_of_them = found_of(model, x, losses)
    assert found_of(model, x, losses) == all_of_them
    assert found_of(model, x, losses, names=("little",)) == [all_of_them[1]]
    assert found_of(model, x, losses, seed=1) != all_of_them


def test_without_labels_it_is_how_far_the_output_moves() -> None:
    model = LinearRegression().fit(*world(seed=1))
    x, _ = world()
    before = model.predict(x)[:, None]
    much, little, noise = found_of(model, x, moves_from(before), before=before)
    # The mean distance of two normal numbers is 2 / sqrt(pi) of their deviation.
    assert much.value == pytest.approx(3 * 2 / np.pi**0.5, rel=0.05)
    assert much.value > 4 * little.value > 4 * noise.value


def test_progress_is_told_to_the_end() -> None:
    model = LinearRegression().fit(*world(seed=1))
    x, y = world(50)
    told: list[tuple[int, int]] = []
    found_of(
        model,
        x,
        losses_of(Task.REGRESSION, y),
        progress=lambda done, all_: told.append((done, all_)),
    )
    assert told == [(i, 15) for i in range(1, 16)]


def test_losses_are_those_of_the_profiles() -> None:
    labels = np.array([1.0, 0.0])
    assert losses_of(Task.BINARY, labels)(np.array([[0.8], [0.4]])) == pytest.approx([0.04, 0.16])
    three = np.array([[0.2, 0.5, 0.3], [0.0, 0.0, 1.0]])
    assert losses_of(Task.MULTICLASS, labels)(three) == pytest.approx([0.38, 2.0])
    assert losses_of(Task.REGRESSION, labels)(np.array([[3.0], [0.5]])) == pytest.approx([2.0, 0.5])


def test_an_importance_is_read_back_from_json() -> None:
    features = [FeatureImportance("b", 0.1, 0.02), FeatureImportance("a", 0.3, 0.01)]
    importance = Importance.of(Method.SHAP, Measured.OUTPUT, 10, 1, 7, features)
    assert Importance.from_dict(importance.to_dict()) == importance
    assert [f.feature for f in importance.features] == ["a", "b"]


def test_where_nothing_matters_nothing_is_relied_on() -> None:
    features = [FeatureImportance("a", 0.0, 0.0), FeatureImportance("b", -0.1, 0.01)]
    importance = Importance.of(Method.PERMUTATION, Measured.LOSS, 10, 5, 0, features)
    assert importance.reliance == {"a": 0.0, "b": 0.0}
