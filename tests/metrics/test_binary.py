"""Every metric against scikit-learn on the same rows, and its reason when there is no number."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from tests.metrics.rows import (
    binary,
    decided,
    labelled,
    plan_of,
    predicted,
    profile,
    rows,
    stacked,
)

from tocsin.errors import InvalidInputError
from tocsin.metrics import METRICS
from tocsin.metrics.binary import AT_THRESHOLD, metric_at
from tocsin.metrics.calibration import _groups
from tocsin.profiles import Profile, plan_from_reference
from tocsin.schema import Schema, Task
from tocsin.values import Bounded, Undefined

Floats = np.ndarray
EPS = float(np.finfo(float).eps)

# On (labels, scores, predicted classes).
EXACT: dict[str, Callable[[Floats, Floats, Floats], float]] = {
    "accuracy_score": lambda y, _, said: oracle.accuracy_score(y, said),
    "precision_score": lambda y, _, said: oracle.precision_score(y, said),
    "recall_score": lambda y, _, said: oracle.recall_score(y, said),
    "f1_score": lambda y, _, said: oracle.f1_score(y, said),
    "log_loss": lambda y, s, _: oracle.log_loss(y, s, labels=[0, 1]),
    "brier_score": lambda y, s, _: oracle.brier_score_loss(y, s, labels=[0, 1]),
    "balanced_accuracy_score": lambda y, _, said: oracle.balanced_accuracy_score(y, said),
    "specificity_score": lambda y, _, said: oracle.recall_score(y, said, pos_label=0),
    "matthews_corrcoef": lambda y, _, said: oracle.matthews_corrcoef(y, said),
    "calibration_bias": lambda y, s, _: float(np.mean(s - y)),
    "label_rate": lambda y, _s, _said: float(np.mean(y)),
    "prediction_rate": lambda _y, _s, said: float(np.mean(said)),
    "mean_score": lambda _y, s, _said: float(np.mean(s)),
    "coverage": lambda _y, _s, _said: 1.0,
}
# These are defined on bins, and have their own tests.
OF_BINS = {
    "expected_calibration_error", "calibration_slope", "calibration_intercept", "concept_drift",
    "concept_drift_positives", "concept_drift_slope", "concept_drift_intercept",
}  # fmt: skip
BOUNDED: dict[str, Callable[[Floats, Floats], float]] = {
    "roc_auc": oracle.roc_auc_score,
    "precision_recall_auc": oracle.average_precision_score,
}


def undefined(name: str, labels: Floats, said: Floats) -> bool:
    one_class = len(set(labels.tolist())) < 2
    if name in BOUNDED:
        return one_class
    return {
        "balanced_accuracy_score": one_class,
        "specificity_score": labels.sum() == len(labels),
        "matthews_corrcoef": one_class or len(set(said.tolist())) < 2,
        "precision_score": said.sum() == 0,
        "recall_score": labels.sum() == 0,
        "f1_score": said.sum() + labels.sum() == 0,
    }.get(name, False)


def assert_agrees(
    labels: Floats, scores: Floats, *, threshold: float = 0.5, reference: Floats | None = None
) -> None:
    """Every metric is what scikit-learn says, within its own error, and inside its interval."""
    plan = plan_of(scores if reference is None else reference, schema=binary(threshold=threshold))
    found = profile(plan, rows(scores, threshold=threshold), labels)
    said = (scores >= threshold).astype(int)
    for name, metric in METRICS.items():
        measure = metric.measure(found).at()
        if undefined(name, labels, said):
            assert isinstance(measure, Undefined), name
            assert measure.reason
            continue
        if name in OF_BINS and isinstance(measure, Undefined):
            assert name != "expected_calibration_error"
            continue
        assert isinstance(measure, Bounded), (name, measure)
        if name in OF_BINS:
            continue
        if name in EXACT:
            assert measure.error == 0, name
            truth = EXACT[name](labels, scores, said)
        else:
            truth = BOUNDED[name](labels, scores)
        assert abs(measure.value - truth) <= measure.error + 1e-9, (name, measure, truth)
        assert measure.error >= 0
        assert measure.low <= measure.value + 1e-9, (name, measure)
        assert measure.high >= measure.value - 1e-9, (name, measure)
        assert np.isfinite([measure.low, measure.high]).all(), name
        if metric.unit == "share":
            assert measure.low >= -1e-9, (name, measure)
            assert measure.high <= 1 + 1e-9, (name, measure)


def test_every_metric_has_its_oracle() -> None:
    assert set(METRICS) == {*EXACT, *BOUNDED, *OF_BINS}
    assert all(metric.name == name for name, metric in METRICS.items())


# scikit-learn takes 20 ms for each.
@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.one_of(st.floats(0, 1), st.sampled_from([0, 0.5, 1])), st.integers(0, 1)),
        min_size=1,
        max_size=40,
    ),
    st.floats(0.01, 0.99),
    st.sampled_from([None, np.array([0.3])]),
)
def test_any_few_rows_measure_as_scikit_learn_says(drawn, threshold: float, reference) -> None:
    # scikit-learn clips at the eps of the dtype as well; between 0 and it rounding decides.
    scores = np.array([0.0 if s < 1e-12 else s for s, _ in drawn])
    labels = np.array([y for _, y in drawn])
    assert_agrees(labels, scores, threshold=threshold, reference=reference)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [1, 2, 3, 10, 300, 20_000])
def test_scores_of_a_usual_model_measure_as_scikit_learn_says(n: int, seed: int) -> None:
    rng = np.random.default_rng([n, seed])
    scores = rng.beta(2, 3, n)
    assert_agrees((rng.uniform(size=n) < scores).astype(int), scores)


@pytest.mark.parametrize(
    ("what", "prevalence"), [("skewed", 0.2), ("rare", 0.01), ("tied", 0.3), ("steps", 0.5)]
)
def test_odd_scores_measure_as_scikit_learn_says(what: str, prevalence: float) -> None:
    rng = np.random.default_rng(len(what))
    labels = (rng.uniform(size=20_000) < prevalence).astype(int)
    raw = rng.normal(labels * 1.5, 1)
    scores = {
        "skewed": 1 / (1 + np.exp(-3 * raw + 9)),
        "rare": 1 / (1 + np.exp(-raw + 5)),
        "tied": np.clip(np.round(1 / (1 + np.exp(-raw)), 1), 0, 1),
        "steps": (raw > 0.5).astype(float),
    }[what]
    assert_agrees(labels, scores, threshold=0.3)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only_measures_as_scikit_learn_says(label: int) -> None:
    scores = np.random.default_rng(label).uniform(size=500)
    assert_agrees(np.full(500, label), scores)


@pytest.mark.parametrize("backwards", [False, True])
def test_classes_that_do_not_overlap_measure_as_scikit_learn_says(backwards: bool) -> None:
    labels = np.array([0] * 50 + [1] * 50)
    scores = np.linspace(0.01, 0.99, 100)
    assert_agrees(labels, scores[::-1] if backwards else scores)


def test_the_bins_of_another_reference_still_bound_the_truth() -> None:
    rng = np.random.default_rng(3)
    scores = rng.beta(5, 2, 5_000)
    labels = (rng.uniform(size=5_000) < scores).astype(int)
    assert_agrees(labels, scores, reference=rng.beta(1, 30, 1_000))


@pytest.mark.parametrize("backwards", [False, True])
def test_one_bin_for_all_rows_leaves_every_ranking_possible(backwards: bool) -> None:
    plan = plan_of([0.9])
    labels = np.array([0] * 5 + [1] * 5)
    found = profile(plan, rows(np.linspace(0.1, 0.4, 10)), labels[::-1] if backwards else labels)
    auc = METRICS["roc_auc"].measure(found).at()
    assert (auc.value, auc.error) == (0.5, 0.5)
    precision = METRICS["precision_recall_auc"].measure(found).at()
    last = np.mean([i / (5 + i) for i in range(1, 6)])
    assert precision.value + precision.error == pytest.approx(1)
    assert precision.value - precision.error == pytest.approx(last)


def test_the_binning_error_is_small_even_when_positives_are_rare() -> None:
    rng = np.random.default_rng(4)
    labels = (rng.uniform(size=100_000) < 0.01).astype(int)
    scores = 1 / (1 + np.exp(5 - rng.normal(labels * 2, 1)))
    found = profile(plan_of(scores), rows(scores), labels)
    assert METRICS["roc_auc"].measure(found).at().error < 0.005
    assert METRICS["precision_recall_auc"].measure(found).at().error < 0.02


def test_a_stack_measures_what_its_profiles_measure_alone() -> None:
    rng = np.random.default_rng(5)
    plan = plan_of(rng.uniform(size=500))
    each = [Profile.zero(plan)]
    for n in (1, 2, 40, 400):
        scores = rng.uniform(size=n)
        each.append(profile(plan, rows(scores), (rng.uniform(size=n) < scores).astype(int)))
        each.append(predicted(plan, rows(scores)))
    for metric in METRICS.values():
        together = metric.measure(stacked(each))
        assert [together.at(i) for i in range(len(each))] == [
            metric.measure(one).at() for one in each
        ]


NO_OUTCOMES = {name for name, metric in METRICS.items() if metric.needs_labels}


def reasons(found: Profile) -> dict[str, str]:
    measures = {name: metric.measure(found).at() for name, metric in METRICS.items()}
    return {name: m.reason for name, m in measures.items() if isinstance(m, Undefined)}


def test_no_rows_have_no_numbers_but_reasons() -> None:
    found = reasons(Profile.zero(plan_of([0.5])))
    assert set(found) == set(METRICS)
    assert {found[name] for name in NO_OUTCOMES} == {"no outcomes yet"}
    rest = {found[name] for name in set(METRICS) - NO_OUTCOMES}
    assert rest == {"no predictions in this window"}


def test_metrics_of_labels_wait_for_the_first_outcome_and_the_others_do_not() -> None:
    found = reasons(predicted(plan_of([0.2, 0.8]), rows([0.2, 0.8])))
    assert found == dict.fromkeys(NO_OUTCOMES, "no outcomes yet")


def test_labels_that_are_retracted_leave_no_number_behind() -> None:
    plan = plan_of(np.linspace(0, 1, 50))
    some = rows(np.linspace(0, 1, 7))
    truth = labelled(plan, some, [0, 1, 0, 1, 1, 0, 1])
    found = reasons(predicted(plan, some) + truth - truth)
    assert found == dict.fromkeys(NO_OUTCOMES, "no outcomes yet")


def test_a_model_without_scores_says_that_it_gives_labels_only() -> None:
    some = decided([0, 1, 1, 0])
    plan = plan_from_reference(Schema(Task.BINARY, (), None, "said", "y"), some, np.full(4, np.nan))
    found = profile(plan, some, [0, 1, 0, 0])
    for name in ("roc_auc", "precision_recall_auc", "mean_score"):
        assert "labels only" in reasons(found)[name]
    assert METRICS["accuracy_score"].measure(found).at().value == 0.75
    assert METRICS["precision_score"].measure(found).at().value == 0.5


@pytest.mark.parametrize(
    ("labels", "scores", "name", "reason"),
    [
        ([0, 0], [0.1, 0.9], "roc_auc", "one class only"),
        ([1, 1], [0.1, 0.9], "precision_recall_auc", "one class only"),
        ([0, 1], [0.1, 0.2], "precision_score", "no positive predictions"),
        ([0, 0], [0.1, 0.9], "recall_score", "no positives among"),
        ([0, 0], [0.1, 0.2], "f1_score", "neither predicted nor true"),
    ],
)
def test_an_undefined_metric_says_why(labels, scores, name: str, reason: str) -> None:
    found = profile(plan_of(scores), rows(scores), labels)
    assert reason in reasons(found)[name]


def test_a_number_says_how_many_rows_it_rests_on() -> None:
    scores = np.array([0.1, 0.6, 0.7, 0.9])
    plan = plan_of(scores)
    found = profile(plan, rows(scores), [0, 1, 0, 1]) + predicted(plan, rows([0.3, 0.4]))
    n = {name: metric.measure(found).at().n for name, metric in METRICS.items()}
    assert n["accuracy_score"] == n["roc_auc"] == n["brier_score"] == n["label_rate"] == 4
    assert n["precision_score"] == 3
    assert n["recall_score"] == 2
    assert n["coverage"] == n["mean_score"] == n["prediction_rate"] == 6
    assert METRICS["coverage"].measure(found).at().value == pytest.approx(4 / 6)


def test_a_score_of_exactly_0_or_1_that_is_wrong_costs_much_but_not_endlessly() -> None:
    found = profile(plan_of([0.0, 1.0]), rows([0.0, 1.0]), [1, 0])
    assert METRICS["log_loss"].measure(found).at().value == pytest.approx(-np.log(EPS))


def test_metrics_at_another_threshold_are_exact() -> None:
    rng = np.random.default_rng(8)
    scores = rng.beta(2, 3, 3_000).round(2)
    labels = (rng.uniform(size=3_000) < scores).astype(int)
    scores[:300] = np.nan
    plan = plan_of(scores, schema=binary(0.3, 0.8))
    found = profile(plan, rows(scores), labels)
    for threshold in (0.3, 0.5, 0.8):
        said = (scores[300:] >= threshold).astype(int)
        for name in AT_THRESHOLD:
            measure = metric_at(name, threshold).measure(found).at()
            assert measure.value == pytest.approx(EXACT[name](labels[300:], None, said)), name
            assert measure.error == 0
        rate = metric_at("prediction_rate", threshold).measure(found).at()
        assert rate.value == pytest.approx(said.mean())


@pytest.mark.parametrize("name", [*AT_THRESHOLD, "prediction_rate"])
def test_a_threshold_inside_a_bin_is_refused_with_the_remedy(name: str) -> None:
    found = profile(plan_of([0.1, 0.9]), rows([0.1, 0.9]), [0, 1])
    with pytest.raises(InvalidInputError, match="add it to `thresholds`"):
        metric_at(name, 0.37).measure(found)


def calibration_error(scores: Floats, labels: Floats, edges: Floats) -> float:
    """On the rows, in the ten groups of bins that lie between these edges."""
    bins = np.digitize(scores, edges[1:-1])
    found = 0.0
    for i in np.unique(bins):
        inside = bins == i
        distance = abs(scores[inside].mean() - labels[inside].mean())
        chance = scores[inside].mean()
        noise = np.sqrt(chance * (1 - chance) / inside.sum())
        true = np.sqrt(max((distance / noise) ** 2 - 1, 0))
        # What a normal around the true distance is on the average, without its sign.
        taken = scipy.stats.foldnorm.mean(true) * noise - true * noise
        found += inside.mean() * (distance - taken)
    return max(found, 0)


@pytest.mark.parametrize("n", [50, 20_000])
def test_the_calibration_error_is_that_of_ten_bins_of_rows(n: int) -> None:
    rng = np.random.default_rng(n)
    scores = rng.beta(2, 3, n)
    labels = (rng.uniform(size=n) < scores**1.5).astype(int)
    plan = plan_of(rng.beta(2, 3, 5_000))
    edges = np.array(plan.output.edges)
    groups = np.append(edges[_groups(edges)], 1.0)
    shares = np.histogram(rng.beta(2, 3, 100_000), groups)[0] / 100_000
    assert len(shares) == 10
    assert shares.min() > 0.07
    measure = METRICS["expected_calibration_error"].measure(profile(plan, rows(scores), labels))
    assert measure.at().value == pytest.approx(calibration_error(scores, labels, groups))
    assert measure.at().error == 0


def test_unlabelled_rows_blur_calibration_no_further_than_its_error() -> None:
    rng = np.random.default_rng(9)
    scores = rng.beta(2, 3, 4_000)
    labels = (rng.uniform(size=4_000) < scores).astype(int)
    plan = plan_of(scores)
    # The labels that have arrived are those of high scores within each bin.
    found = profile(plan, rows(scores[:2_000]), labels[:2_000]) + predicted(
        plan, rows(scores[2_000:] * 0.99)
    )
    bias = METRICS["calibration_bias"].measure(found).at()
    truth = (scores[:2_000] - labels[:2_000]).mean()
    assert 0 < bias.error < 0.02
    assert abs(bias.value - truth) <= bias.error


def test_recalibration_is_that_of_scikit_learn_where_each_score_has_its_bin() -> None:
    rng = np.random.default_rng(10)
    scores = rng.integers(1, 10, 3_000) / 10
    logits = np.log(scores / (1 - scores))
    labels = (rng.uniform(size=3_000) < 1 / (1 + np.exp(-(0.4 + 0.6 * logits)))).astype(int)
    found = profile(plan_of(scores), rows(scores), labels)
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000).fit(logits[:, None], labels)
    slope = METRICS["calibration_slope"].measure(found).at()
    assert slope.value == pytest.approx(fitted.coef_[0, 0], abs=1e-5)
    assert slope.low < 0.6 < slope.high < 1
    intercept = METRICS["calibration_intercept"].measure(found).at()
    moved = 1 / (1 + np.exp(-(logits + intercept.value)))
    assert moved.mean() == pytest.approx(labels.mean())


def test_scores_that_separate_the_classes_or_never_differ_have_no_slope() -> None:
    apart = np.linspace(0.01, 0.99, 100)
    for scores, labels in ((apart, apart > 0.5), (np.full(100, 0.3), apart > 0.5)):
        found = profile(plan_of(apart), rows(scores), labels.astype(int))
        assert "separate the classes" in reasons(found)["calibration_slope"]


def test_numbers_of_random_windows_do_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(11)
    scores, plan = rng.uniform(size=500), plan_of(rng.uniform(size=500))
    labels = (rng.uniform(size=500) < scores).astype(int)
    turned = rng.permutation(500)
    one = profile(plan, rows(scores), labels)
    other = profile(plan, rows(scores[turned]), labels[turned])
    for metric in METRICS.values():
        first, second = metric.measure(one).at(), metric.measure(other).at()
        assert first.value == pytest.approx(second.value, rel=1e-9, abs=1e-9), metric.name
