"""Every number can be accounted for."""

import pytest

from tocsin.metrics import catalogue
from tocsin.metrics.methods import _DECLARED, _METHODS, method_of
from tocsin.schema import Feature, Kind, Ratio, Schema, Task

FEATURES = (Feature("x", Kind.NUMERIC),)
BINARY = Schema(Task.BINARY, FEATURES, "p", None, "y", thresholds=(0.3,))
MULTICLASS = Schema(
    Task.MULTICLASS, FEATURES, None, None, "y", classes=("a", "b", "c"), scores=("pa", "pb", "pc")
)
REGRESSION = Schema(Task.REGRESSION, FEATURES, None, "said", "y")
ASKED = {
    Task.BINARY: [
        "recall_score@0.3",
        "calibration_slope",
        "calibration_intercept",
        "concept_drift_positives",
        "concept_drift_slope",
        "concept_drift_intercept",
    ],
    Task.MULTICLASS: ["recall_score@a", "f1_score@b", "top_k_accuracy_score@2"],
    Task.REGRESSION: ["absolute_error_quantile@0.9"],
}


@pytest.mark.parametrize("schema", [BINARY, MULTICLASS, REGRESSION], ids=lambda s: str(s.task))
def test_every_metric_says_how_it_is_found(schema: Schema) -> None:
    found = catalogue(schema, [])
    for metric in [*found.values(), *(found.find(name) for name in ASKED[schema.task])]:
        assert method_of(metric) != _DECLARED, metric.name


def test_no_method_is_of_a_metric_that_is_no_more() -> None:
    names = set()
    for schema in (BINARY, MULTICLASS, REGRESSION):
        found = catalogue(schema, [])
        names |= {name.split("@")[0] for name in [*found, *ASKED[schema.task]]}
    assert set(_METHODS) <= names


def test_a_declared_metric_says_so() -> None:
    schema = Schema(
        Task.BINARY, FEATURES, "p", None, "y", ratios=(Ratio("lost", "x * label", "x"),)
    )
    assert method_of(catalogue(schema, [])["lost"]) == _DECLARED
