"""Every metric of several classes against scikit-learn on the same rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.rows import (
    labelled,
    multiclass,
    plan_of,
    predicted,
    profile,
    rows,
    stacked,
)

from tocsin.metrics import Catalogue, catalogue
from tocsin.profiles import Plan, Profile, Rows, plan_from_reference
from tocsin.schema import Schema, Task
from tocsin.values import Bounded, Undefined

Floats = np.ndarray[Any, Any]
CLASSES = ("cat", "dog", "owl", "yak")
SCHEMA = multiclass(*CLASSES)
NUMBERS = list(range(len(CLASSES)))


def over_present(measure: Callable[..., float], average: str) -> Callable[..., float]:
    """Of each class that is true of some rows but not of all, against the rest."""

    def mean(y: Floats, s: Floats, _said: Floats) -> float:
        there = [i for i in NUMBERS if 0 < (y == i).sum() < len(y)]
        weights = [(y == i).sum() if average == "weighted" else 1 for i in there]
        return float(np.average([measure(y == i, s[:, i]) for i in there], weights=weights))

    return mean


# On (labels, scores, predicted classes).
ORACLES: dict[str, Callable[[Floats, Floats, Floats], float]] = {
    "accuracy_score": lambda y, _, said: oracle.accuracy_score(y, said),
    "balanced_accuracy_score": lambda y, _, said: oracle.recall_score(
        y, said, average="macro", labels=np.unique(y)
    ),
    "precision_macro": lambda y, _, said: oracle.precision_score(
        y, said, average="macro", zero_division=0
    ),
    "recall_macro": lambda y, _, said: oracle.recall_score(
        y, said, average="macro", zero_division=0
    ),
    "f1_macro": lambda y, _, said: oracle.f1_score(y, said, average="macro", zero_division=0),
    "precision_weighted": lambda y, _, said: oracle.precision_score(
        y, said, average="weighted", zero_division=0
    ),
    "f1_weighted": lambda y, _, said: oracle.f1_score(y, said, average="weighted", zero_division=0),
    "matthews_corrcoef": lambda y, _, said: oracle.matthews_corrcoef(y, said),
    "cohen_kappa_score": lambda y, _, said: oracle.cohen_kappa_score(y, said),
    "roc_auc_ovr_macro": over_present(oracle.roc_auc_score, "macro"),
    "roc_auc_ovr_weighted": over_present(oracle.roc_auc_score, "weighted"),
    "precision_recall_auc_macro": over_present(oracle.average_precision_score, "macro"),
    "log_loss": lambda y, s, _: oracle.log_loss(y, s, labels=NUMBERS),
    "brier_score": lambda y, s, _: float(((s - np.eye(len(CLASSES))[y]) ** 2).sum(1).mean()),
    "mean_score": lambda _y, s, _said: float(s.max(1).mean()),
    "coverage": lambda _y, _s, _said: 1.0,
    "top_k_accuracy_score@2": lambda y, s, _: oracle.top_k_accuracy_score(
        y, s, k=2, labels=NUMBERS
    ),
    "top_k_accuracy_score@3": lambda y, s, _: oracle.top_k_accuracy_score(
        y, s, k=3, labels=NUMBERS
    ),
}
BINNED = {"roc_auc_ovr_macro", "roc_auc_ovr_weighted", "precision_recall_auc_macro"}
# It is defined on bins, and has its own tests.
OF_BINS = {"concept_drift"}
OF_CLASS: dict[str, Callable[[Floats, Floats, Floats], float]] = {
    "recall_score": lambda y, _, said: oracle.recall_score(y, said),
    "precision_score": lambda y, _, said: oracle.precision_score(y, said),
    "f1_score": lambda y, _, said: oracle.f1_score(y, said),
    "roc_auc": lambda y, s, _: oracle.roc_auc_score(y, s),
    "precision_recall_auc": lambda y, s, _: oracle.average_precision_score(y, s),
    "label_rate": lambda y, _s, _said: float(y.mean()),
    "prediction_rate": lambda _y, _s, said: float(said.mean()),
}


def known() -> Catalogue:
    return catalogue(SCHEMA)


def softmax(raw: Floats) -> Floats:
    raised = np.exp(raw - raw.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def drawn(
    rng: np.random.Generator, n: int, *, shares: Floats | None = None, apart: float = 1.5
) -> tuple[Floats, Floats]:
    """Scores (n, 4) and labels (n,)."""
    labels = rng.choice(len(CLASSES), n, p=shares)
    return softmax(rng.normal(apart * np.eye(len(CLASSES))[labels], 1)), labels


def undefined(name: str, labels: Floats, said: Floats) -> bool:
    if name in BINNED:
        return len(set(labels.tolist())) < 2
    if name in ("matthews_corrcoef", "cohen_kappa_score"):
        return min(len(set(labels.tolist())), len(set(said.tolist()))) < 2
    return False


def assert_close(measure: object, truth: float, what: object) -> None:
    assert isinstance(measure, Bounded), (what, measure)
    assert abs(measure.value - truth) <= measure.error + 1e-9, (what, measure, truth)
    assert measure.low is not None
    assert measure.high is not None
    assert measure.low <= measure.value <= measure.high, (what, measure)
    assert np.isfinite([measure.low, measure.high]).all(), (what, measure)


def assert_agrees(labels: Floats, scores: Floats, plan: Plan | None = None) -> None:
    """Every metric is what scikit-learn says, within its own error, and inside its interval."""
    some = rows(scores)
    found = profile(plan or plan_of(scores, schema=SCHEMA), some, labels)
    for name, metric in known().items():
        if name in OF_BINS:
            continue
        measure = metric.measure(found).at()
        if undefined(name, labels, some.predicted):
            assert isinstance(measure, Undefined), name
            continue
        assert_close(measure, ORACLES[name](labels, scores, some.predicted), name)
        assert (measure.error > 0) <= (name in BINNED), name
    for name, expected in OF_CLASS.items():
        for i, each in enumerate(CLASSES):
            y, said = labels == i, some.predicted == i
            measure = known()[f"{name}@{each}"].measure(found).at()
            if isinstance(measure, Undefined):
                assert not (0 < y.sum() < len(y) and said.sum() > 0), (name, measure)
                continue
            assert_close(measure, expected(y, scores[:, i], said), (name, each))


def test_every_metric_has_its_oracle() -> None:
    assert set(known()) == {*ORACLES, *OF_BINS}
    assert all(metric.name == name for name, metric in known().items())


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 30), st.integers(0, 2**32 - 1), st.booleans())
def test_any_few_rows_measure_as_scikit_learn_says(n: int, seed: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = drawn(rng, n, shares=rng.dirichlet(np.full(4, 0.5)))
    if tied:
        scores = np.round(scores * 8) + 1
        scores = scores / scores.sum(1, keepdims=True)
    assert_agrees(labels, scores)


@pytest.mark.parametrize("n", [300, 20_000])
@pytest.mark.parametrize("rare", [0.25, 0.01])
def test_usual_and_rare_classes_measure_as_scikit_learn_says(n: int, rare: float) -> None:
    rng = np.random.default_rng([n, int(rare * 100)])
    scores, labels = drawn(rng, n, shares=np.array([rare, *[(1 - rare) / 3] * 3]))
    assert_agrees(labels, scores)


def test_one_class_only_and_perfect_predictions_measure_as_scikit_learn_says() -> None:
    rng = np.random.default_rng(1)
    scores, labels = drawn(rng, 200)
    assert_agrees(np.full(200, 2), scores)
    perfect = np.full((200, 4), 0.01)
    perfect[np.arange(200), labels] = 0.97
    assert_agrees(labels, perfect)


def test_the_bins_of_another_reference_still_bound_the_truth() -> None:
    rng = np.random.default_rng(2)
    scores, labels = drawn(rng, 3_000)
    assert_agrees(labels, scores, plan_of(drawn(rng, 500, apart=5)[0], schema=SCHEMA))


def test_metrics_of_scores_are_of_the_rows_that_have_them() -> None:
    rng = np.random.default_rng(3)
    scores, labels = drawn(rng, 1_000)
    some = rows(scores)
    gone = rng.uniform(size=1_000) < 0.3
    scores[gone, 1] = np.nan
    found = profile(plan_of(scores, schema=SCHEMA), Rows(scores, some.predicted, {}), labels)
    for name in ("log_loss", "brier_score", "top_k_accuracy_score@2", "roc_auc_ovr_macro"):
        truth = ORACLES[name](labels[~gone], scores[~gone], some.predicted[~gone])
        measure = known()[name].measure(found).at()
        assert_close(measure, truth, name)
        assert measure.n == (~gone).sum()
    accuracy = known()["accuracy_score"].measure(found).at()
    assert_close(accuracy, float((some.predicted == labels).mean()), "accuracy")
    rate = known()["label_rate@dog"].measure(found).at()
    assert_close(rate, float((labels == 1).mean()), "label_rate")


def test_a_model_without_scores_says_that_it_gives_labels_only() -> None:
    schema = Schema(Task.MULTICLASS, (), None, "said", "y", classes=CLASSES)
    said = np.array([0, 1, 2, 3, 0], dtype=np.int32)
    some = Rows(np.empty((5, 0)), said, {})
    found = profile(plan_from_reference(schema, some, np.full(5, np.nan)), some, [0, 1, 2, 0, 1])
    assert catalogue(schema)["accuracy_score"].measure(found).at().value == 0.6
    assert "roc_auc_ovr_macro" not in catalogue(schema)
    assert "top_k_accuracy_score@2" not in catalogue(schema)
    for name in BINNED | {"log_loss", "brier_score", "top_k_accuracy_score@2", "mean_score"}:
        measure = known()[name].measure(found).at()
        assert isinstance(measure, Undefined), name
        assert "labels only" in measure.reason


def reasons(found: Profile) -> dict[str, str]:
    measures = {name: metric.measure(found).at() for name, metric in known().items()}
    return {name: m.reason for name, m in measures.items() if isinstance(m, Undefined)}


def test_no_rows_and_no_outcomes_have_no_numbers_but_reasons() -> None:
    rng = np.random.default_rng(4)
    scores, labels = drawn(rng, 50)
    plan = plan_of(scores, schema=SCHEMA)
    waiting = {name for name, metric in known().items() if metric.needs_labels}
    nothing = reasons(Profile.zero(plan))
    assert set(nothing) == set(known())
    assert {nothing[name] for name in waiting} == {"no outcomes yet"}
    unlabelled = predicted(plan, rows(scores))
    assert reasons(unlabelled) == dict.fromkeys(waiting, "no outcomes yet")
    truth = labelled(plan, rows(scores), labels)
    assert reasons(unlabelled + truth - truth) == dict.fromkeys(waiting, "no outcomes yet")


def test_a_stack_measures_what_its_profiles_measure_alone() -> None:
    rng = np.random.default_rng(5)
    plan = plan_of(drawn(rng, 500)[0], schema=SCHEMA)
    each = [Profile.zero(plan)]
    for n in (1, 2, 40, 400):
        scores, labels = drawn(rng, n)
        each.append(profile(plan, rows(scores), labels))
        each.append(predicted(plan, rows(scores)))
    names = [*known(), *(f"{name}@dog" for name in OF_CLASS)]
    for name in names:
        together = known()[name].measure(stacked(each))
        for i, one in enumerate(each):
            assert together.at(i) == known()[name].measure(one).at(), name
