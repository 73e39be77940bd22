"""Folding against the same sums in plain Python, row by row, and against scikit-learn."""

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn import metrics
from tests.profiles.naive import naive
from tests.profiles.synthetic import places, profile
from tests.profiles.worlds import WORLDS, Batch, World

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 400
NAN, INF = math.nan, math.inf


def random_batch(world: World, seed: int) -> Batch:
    """A few hundred rows with every oddity among them."""
    rng = np.random.default_rng(seed)
    outputs = {
        "binary": lambda: rng.choice([rng.random(), 0.0, 0.3, 0.5, 0.9, 1.0, NAN, INF, -INF,
                                      np.nextafter(0.5, 0)]),
        "binary without scores": lambda: int(rng.integers(-1, 2)),
        "multiclass": lambda: (_probabilities(rng), int(rng.integers(-1, 3))),
        "multiclass without scores": lambda: int(rng.integers(-1, 3)),
        "regression": lambda: rng.choice(
            [rng.normal(200, 100), 100.0, 350.0, -1.0, -5.0, NAN, INF]
        ),
    }[world.name]  # fmt: skip
    truths: Callable[[], float] = {
        "binary": lambda: float(rng.integers(2)),
        "multiclass": lambda: float(rng.integers(3)),
        "regression": lambda: rng.choice([rng.normal(200, 90), 0.0, -2.0, 100.0, NAN, -INF]),
    }[world.name.split()[0]]
    ages = [None, NAN, INF, -INF, 0.0, 40.0, 80.0, 81.0, -1.0]
    return world.batch(
        [
            (
                outputs(),
                rng.choice([*ages, float(rng.uniform(-10, 90))]),
                rng.choice(np.array(["Rome", "Oslo", "Bern", "Nome", None], object)),
                truths(),
                int(rng.integers(-(10**9), 10**13)),
            )
            for _ in range(ROWS)
        ]
    )


def _probabilities(rng: np.random.Generator) -> tuple[float, ...]:
    odd = rng.integers(8)
    if odd == 0:
        return (0.5, 0.5, 0.0)
    if odd == 1:
        return (1.0, 0.0, 0.0)
    if odd == 2:
        return (0.2, NAN, 0.8)
    if odd == 3:
        return (0.0, 0.0, 0.0)
    return tuple(rng.dirichlet(np.ones(3)).tolist())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_every_sum_is_that_of_the_rows_one_by_one(world: World, seed: int) -> None:
    batch = random_batch(world, seed)
    found = batch.folded()
    expected = naive(world.plan, batch.rows, batch.labels.tolist(), batch.delays.tolist()).sums
    names = places(world.plan)
    assert set(expected) <= set(names)
    scale = batch.magnitude()
    compared = 0
    for i, name in enumerate(names):
        if name.startswith("ratio/"):
            continue
        assert found.vector[i] == pytest.approx(expected[name], rel=1e-9, abs=1e-11 * scale[i]), (
            name
        )
        compared += expected[name] != 0
    assert compared > 60


def ratio_values(world: World, row: dict, label: float) -> dict[str, tuple[float, float] | None]:
    """What a row adds to each ratio of the worlds, by hand; None where it is unknown."""
    age, said = row["age"], row["predicted"]
    age = NAN if age is None or not math.isfinite(age) else age
    if world.name == "binary":
        class_ = NAN if said < 0 else said
        wrong = NAN if math.isnan(class_) else float(label != class_)
        return {"age per row": (age, 1.0), "cost": (wrong * abs(age), abs(age) + 1)}
    if world.name == "binary without scores":
        class_ = NAN if said < 0 else float(said)
        return {"said": (class_, 1.0),
                "right": (NAN if said < 0 else float(said == label), 1.0)}  # fmt: skip
    if world.schema.classes:
        oak = NAN if said < 0 else float(said == 2)
        # What is no oak is not missed, whatever was said.
        missed = 0.0 if label != 2 else NAN if said < 0 else float(said != 2)
        return {"oaks": (oak, 1.0), "missed oaks": (missed, float(label == 2))}
    score = row["scores"][0]
    return {"paid": (score, max(age, 1.0) if not math.isnan(age) else NAN),
            "weighted error": (abs(label - score), abs(label))}  # fmt: skip


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_ratios_are_summed_over_the_rows_on_which_they_are_known(world: World) -> None:
    batch = random_batch(world, 7)
    found = batch.folded()
    sums = {ratio.name: np.zeros(6) for ratio in world.plan.ratios}
    for i, label in enumerate(batch.labels.tolist()):
        age = batch.rows.features["age"]
        row = {
            "age": None if age.null.size and age.null[i] else float(age.values[i]),
            "predicted": int(batch.rows.predicted[i]),
            "scores": batch.rows.scores[i].tolist(),
        }
        for name, (top, per) in ratio_values(world, row, label).items():
            if math.isfinite(top) and math.isfinite(per):
                sums[name] += [1, top, per, top * top, per * per, top * per]
    for name, expected in sums.items():
        got = found.ratio(name)
        fields = [got.n, got.sum, got.per, got.sum_squared, got.per_squared, got.product]
        assert expected[0] > 20
        np.testing.assert_allclose(np.array(fields), expected, rtol=1e-9)


def clean(world: World, seed: int) -> Batch:
    """The rows on which everything is known."""
    batch = random_batch(world, seed)
    known = np.isfinite(batch.rows.scores).all(1) & np.isfinite(batch.labels)
    if world.schema.task != "regression":
        known &= (batch.rows.predicted >= 0) & (batch.rows.scores.sum(1) > 0)
    return batch.at(np.flatnonzero(known))


def test_the_losses_of_two_classes_are_those_of_scikit_learn() -> None:
    batch = clean(WORLDS[0], 1)
    scores, n = batch.rows.scores[:, 0], len(batch)
    found = batch.folded()
    assert found.total("log_loss") / n == pytest.approx(metrics.log_loss(batch.labels, scores))
    assert found.total("loss") / n == pytest.approx(metrics.brier_score_loss(batch.labels, scores))
    matrix = metrics.confusion_matrix(batch.labels, batch.rows.predicted)
    assert found.confusion.tolist() == matrix.tolist()


def test_the_losses_of_several_classes_are_those_of_scikit_learn() -> None:
    batch = clean(WORLDS[2], 1)
    scores, labels, n = batch.rows.scores, batch.labels.astype(int), len(batch)
    found = batch.folded()
    assert found.total("log_loss") / n == pytest.approx(metrics.log_loss(labels, scores))
    brier = metrics.brier_score_loss(labels, scores, labels=[0, 1, 2], scale_by_half=False)
    assert found.total("loss") / n == pytest.approx(brier)
    matrix = metrics.confusion_matrix(labels, batch.rows.predicted)
    assert found.confusion.tolist() == matrix.tolist()
    for k in (1, 2):
        top = metrics.top_k_accuracy_score(labels, scores, k=k, labels=[0, 1, 2], normalize=False)
        assert found.ranks[:k].sum() == top


def test_the_errors_of_a_regression_are_those_of_scikit_learn() -> None:
    batch = clean(WORLDS[4], 1)
    said, labels, n = batch.rows.scores[:, 0], batch.labels, len(batch)
    found = batch.folded()
    total = {name: float(found.total(name)) for name in found.plan.totals}
    assert total["loss"] / n == pytest.approx(metrics.mean_absolute_error(labels, said))
    assert total["loss_squared"] / n == pytest.approx(metrics.mean_squared_error(labels, said))
    some = labels != 0
    assert total["relative_error"] / some.sum() == pytest.approx(
        metrics.mean_absolute_percentage_error(labels[some], said[some])
    )
    assert total["zero_labels"] == (~some).sum()
    assert total["residual"] / n == pytest.approx((said - labels).mean())
    spread = total["label_squared"] - total["label"] ** 2 / n
    assert 1 - total["loss_squared"] / spread == pytest.approx(metrics.r2_score(labels, said))
    whole = (said > -1) & (labels > -1)
    assert total["not_logarithmic"] == (~whole).sum()
    assert total["log_error_squared"] == pytest.approx(
        metrics.mean_squared_log_error(labels[whole], said[whole]) * whole.sum()
    )


@pytest.mark.parametrize("threshold", [0.1, 0.25, 0.5, 0.7])
def test_scores_on_a_threshold_predict_the_positive_class(threshold: float) -> None:
    world = WORLDS[0]
    scores = np.array([threshold, np.nextafter(threshold, 0), np.nextafter(threshold, 1)])
    batch = world.batch([(s, 1.0, "Rome", 1.0, 0) for s in scores.tolist()])
    at_or_over = batch.rows.predicted if threshold == 0.5 else (scores >= threshold).astype(int)
    assert at_or_over.tolist() == [1, 0, 1]
    found = profile(world.plan, batch.rows, batch.labels)
    if threshold in world.plan.output.edges:
        over = found.scores.edges[:-1] >= threshold
        assert found.scores.rows[over].sum() == 2
