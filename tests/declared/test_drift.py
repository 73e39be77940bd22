"""How a monitor says what drift is."""

from typing import Any

import pytest
from tests.world import monitor_document

from tocsin.declared import Monitor, parse_monitor
from tocsin.errors import SchemaError
from tocsin.schema import Feature, Kind, Schema, Task
from tocsin.values import DAY


def parsed(**drift: Any) -> Monitor:
    return parse_monitor("late", monitor_document(drift=drift))


def thresholds(monitor: Monitor) -> dict[str, tuple[str, float]]:
    return {
        column: (method.statistic.name, method.threshold)
        for column, method in monitor.drift.methods.items()
    }


def test_a_monitor_that_says_nothing_has_the_default_verdict() -> None:
    drift = parse_monitor("late", monitor_document()).drift
    assert (drift.methods, drift.trailing, drift.reference) == ({}, 28 * DAY, "frozen")


def test_one_method_holds_for_every_column() -> None:
    chosen = thresholds(parsed(method="PSI", threshold=0.2))
    assert chosen == dict.fromkeys(
        ("distance", "carrier", "p", "prediction", "label"), ("psi", 0.2)
    )


def test_a_column_may_have_a_method_or_a_threshold_of_its_own() -> None:
    own = {"distance": {"method": "wasserstein"}, "carrier": {"threshold": 0.3}}
    chosen = thresholds(parsed(method="psi", threshold=0.2, features=own))
    assert chosen["distance"] == ("wasserstein", 0.1)
    assert chosen["carrier"] == ("psi", 0.3)
    assert chosen["p"] == ("psi", 0.2)
    alone = thresholds(parsed(features={"distance": {"method": "ks", "threshold": 0.05}}))
    assert alone == {"distance": ("ks_test", 0.05)}


@pytest.mark.parametrize(
    ("drift", "said"),
    [
        ({"method": "mood"}, "drift: there is no drift method 'mood'; there are jensen_shannon"),
        ({"method": "wasserstein"}, "drift: wasserstein needs numbers, and 'carrier' is categ"),
        ({"features": {"carrier": {"method": "ks"}}}, r"drift\.features\.carrier: ks_test needs"),
        ({"features": {"weight": {"method": "psi"}}}, "'weight', which is not watched; there are"),
        ({"method": "hellinger", "threshold": 1}, "threshold 1 of hellinger is out of its range"),
        ({"method": "g_test", "threshold": -1}, "p -1 of g_test is out of its range"),
        ({"threshold": 0.1}, "drift has a threshold without a method; add one, such as psi"),
        ({"features": {"distance": {"threshold": 0.1}}}, "drift.features.distance has a thresh"),
        ({"reference": "last"}, "drift.reference"),
        ({"trailing": "0d"}, "drift.trailing"),
        ({"methods": "psi"}, "drift.methods"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_could(drift: dict[str, Any], said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        parsed(**drift)


def test_the_trailing_reference_is_made_of_whole_buckets() -> None:
    document = monitor_document(granularity="5h", windows=["5h"], drift={"trailing": "1d"})
    assert parse_monitor("late", document).drift.trailing == 20 * DAY // 24


def test_no_column_is_called_as_a_feature_is() -> None:
    names = ("p", "prediction", "label", "output label")
    features = tuple(Feature(name, Kind.NUMERIC) for name in names)
    schema = Schema(Task.BINARY, features, "p", None, "late")
    assert schema.watched_output == "output p"
    assert schema.watched_classes == "output prediction"
    assert schema.watched_label == "output output label"


def test_the_labels_of_a_regression_have_no_bins_to_choose_a_method_for() -> None:
    document = monitor_document(drift={"features": {"label": {"method": "psi"}}})
    document["schema"] = {
        "task": "regression",
        "features": [{"name": "distance", "kind": "numeric"}],
        "prediction": "minutes",
        "label": "delay",
    }
    with pytest.raises(SchemaError, match="'label', which is not watched"):
        parse_monitor("late", document)
