"""Which metrics a model has, and by which names."""

import time
from collections.abc import Sequence

import numpy as np
import pytest
from tests.metrics.rows import binary, multiclass, plan_of, regression, rows, windows

from tocsin.errors import InvalidInputError
from tocsin.metrics import METRICS, Metric, catalogue
from tocsin.profiles import Profile
from tocsin.schema import Ratio, Schema, Task


def test_each_task_has_its_metrics_and_the_one_to_show_first() -> None:
    asked_for = {
        f"{family}_{part}"
        for family in ("calibration", "concept_drift")
        for part in ("slope", "intercept")
    } | {"concept_drift_positives"}
    assert dict(catalogue(binary())).keys() == METRICS.keys() - asked_for
    assert all(name in catalogue(binary()) for name in METRICS)
    assert catalogue(binary()).headline == "roc_auc"
    assert catalogue(multiclass("a", "b", "c")).headline == "f1_macro"
    assert catalogue(regression()).headline == "mean_absolute_error"
    for known in (catalogue(s) for s in (binary(), multiclass("a", "b"), regression())):
        assert known.headline in known
        assert len(known) == len(list(known)) == len(set(known))
        assert all(known[name].name == name for name in known)


def test_a_model_without_scores_has_no_metrics_of_scores() -> None:
    known = catalogue(Schema(Task.BINARY, (), None, "said", "y"))
    assert known.headline == "accuracy_score"
    assert "roc_auc" not in known
    assert "recall_score@0.5" not in known
    assert "recall_score" in known


@pytest.mark.parametrize(
    ("schema", "name", "found"),
    [
        (binary(0.3), "recall_score@0.3", "recall_score@0.3"),
        (binary(0.3), "recall_score@0.30", "recall_score@0.3"),
        (binary(), "prediction_rate@0.5", "prediction_rate@0.5"),
        (multiclass("a", "b@c"), "recall_score@b@c", "recall_score@b@c"),
        (multiclass("a", "b"), "top_k_accuracy_score@1", "top_k_accuracy_score@1"),
        (regression(), "absolute_error_quantile@0.9", "absolute_error_quantile@0.9"),
    ],
)
def test_names_that_take_an_argument_are_known_and_not_listed(schema, name, found) -> None:
    known = catalogue(schema)
    assert name in known
    assert known[name].name == found
    assert name not in list(known)


@pytest.mark.parametrize(
    ("schema", "name", "why"),
    [
        (
            binary(0.3),
            "recall_score@0.4",
            "add it to `thresholds` of the schema, which has 0.3, 0.5",
        ),
        (binary(), "recall_score@x", "needs a number after the @"),
        (binary(), "roc_auc@0.5", "there is no metric 'roc_auc@...'"),
        (binary(), "r2_score", "there is no metric 'r2_score'"),
        (multiclass("a", "b"), "recall_score@c", "there is no class 'c'"),
        (multiclass("a", "b"), "top_k_accuracy_score@3", "for k from 1 to 2"),
        (multiclass("a", "b"), "log_loss@a", "there is no metric 'log_loss@...'"),
        (regression(), "absolute_error_quantile@1.5", "between 0 and 1"),
        (regression(), "mean_error@0.5", "there is no metric 'mean_error@...'"),
    ],
)
def test_a_name_that_means_nothing_says_why(schema: Schema, name: str, why: str) -> None:
    known = catalogue(schema)
    assert name not in known
    with pytest.raises(KeyError):
        known[name]
    with pytest.raises(InvalidInputError) as caught:
        known.find(name)
    assert why in str(caught.value)


def test_ratios_of_the_schema_and_extra_metrics_are_among_them() -> None:
    schema = regression(Ratio("cost_per_order", "prediction"))
    known = catalogue(schema, [Metric("own", "Own", METRICS["coverage"].measure, None)])
    assert list(known)[-2:] == ["cost_per_order", "own"]


def test_two_metrics_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="are repeated"):
        catalogue(binary(), [METRICS["roc_auc"]])
    with pytest.raises(InvalidInputError, match="built in"):
        catalogue(regression(Ratio("mean_error", "prediction")))


def test_a_month_of_hours_takes_no_longer_than_60_hours_one_by_one() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(size=720 * 20)
    labels = (rng.uniform(size=len(scores)) < scores).astype(int)
    stack = windows(plan_of(scores), rows(scores), labels, 720)
    known = catalogue(binary())

    def seconds(some: Sequence[Profile]) -> float:
        started = time.perf_counter()
        for each in some:
            for metric in known.values():
                metric.measure(each)
        return time.perf_counter() - started

    together = min(seconds([stack]) for _ in range(5))
    assert together < min(seconds([stack[i] for i in range(0, 720, 12)]) for _ in range(3))
