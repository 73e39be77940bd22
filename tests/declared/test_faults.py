"""What is said of a document that is wrong: its places, and no words of a library."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.declared import parse_monitor
from tocsin.errors import SchemaError

BASE = {
    "schema": {
        "features": [
            {"name": "distance", "kind": "numeric"},
            {"name": "carrier", "kind": "categorical"},
        ],
        "score": "p",
        "label": "late",
    },
    "windows": ["24h"],
}


def rule(*, patience: Any = 1, keep: Any = 1, **expr: Any) -> list[dict[str, Any]]:
    expr = {"metric": "roc_auc", "window": "24h", **expr}
    return [{"alert": "X", "expr": expr, "for": patience, "keep_firing_for": keep}]


def refused(**more: Any) -> str:
    with pytest.raises(SchemaError) as error:
        parse_monitor("x", {**BASE, **more}, new=True)
    return str(error.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"quality": {"features": {"distance": {"null_rate": 5}}}},
            "quality.features.distance.null_rate: has to be less than or equal to 1",
        ),
        (
            {"quality": {"features": {"distance": "of"}}},
            "quality.features.distance: has to be an object or 'off' or False",
        ),
        ({"quality": {"volume": {"min": 9, "max": 1}}}, "quality.volume: min 9 is above max 1"),
        ({"false_alarms": "few"}, "false_alarms: has to be a number"),
        (
            {"rules": rule(op="<", value="Auto")},
            "rules.0.expr.value: has to be a number or 'auto'",
        ),
        ({"rules": rule(op="<=", value=1)}, "rules.0.expr.op: has to be '<' or '>'"),
        ({"windows": []}, "windows: needs at least 1 item"),
        ({"window": ["1h"]}, "window: is no field here, and not permitted"),
        ({"rules": [{"expr": {"metric": "drift"}}]}, "rules.0.alert: is required; "),
        ({"segments": [3]}, "segments.0: has to be text or an object"),
    ],
)
def test_a_fault_is_told_with_its_place_in_the_words_of_the_document(
    more: dict[str, Any], said: str
) -> None:
    assert said in refused(**more)


@given(
    st.dictionaries(
        st.sampled_from(["windows", "rules", "quality", "labels", "drift", "segments", "metrics"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda part: (
                st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=9), part, max_size=3)
            ),
        ),
    )
)
def test_whatever_is_wrong_no_name_of_the_library_is_in_it(more: dict[str, Any]) -> None:
    said = ""
    try:
        parse_monitor("x", {**BASE, **more}, new=True)
    except SchemaError as error:
        said = str(error)
    for word in ("Document", "literal[", "Value error", "constrained", "Input should", "pydan"):
        assert word not in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"rules": rule(op="<", value=1.5)},
            "rule 'X': roc_auc lies between 0 and 1, and so always on one side of 1.5",
        ),
        ({"rules": rule(metric="null_rate", op=">", value=5)}, "null_rate lies between 0 and 1"),
        (
            {"rules": rule(op="<", value=0.5, patience="90m")},
            "`for`: windows of 24h end 1h apart, and 90m is not a multiple of 1h; write 1h or 2h, "
            "or a number such as `3 windows`",
        ),
        (
            {"rules": rule(op="<", value="auto", keep="6h")},
            "`keep_firing_for`: windows of 24h end 24h apart, and 6h is not a multiple of 24h; "
            "write 24h,",
        ),
        (
            {"rules": rule(op="<", value=0.5, patience="1000000 windows")},
            "1,000,000 of them take longer than 366d; write at most 8,785 windows",
        ),
        ({"labels": {"max": "1d", "delay": "9d"}}, "labels.delay 9d is longer than labels.max"),
        ({"drift": {"trailing": "1h"}}, "drift.trailing 1h is shorter than the window 24h"),
        (
            {"schema": {**BASE["schema"], "label": "distance"}},
            "feature 'distance' is the label",
        ),
    ],
)
def test_what_nobody_can_mean_is_refused_where_it_is_new(more: dict[str, Any], said: str) -> None:
    assert said in refused(**more)
    # A monitor that was accepted once goes on.
    assert parse_monitor("x", {**BASE, **more}).name == "x"


@pytest.mark.parametrize("metric", ["log_loss", "cardinality", "calibration_bias"])
def test_what_is_no_share_may_have_any_threshold(metric: str) -> None:
    assert parse_monitor("x", {**BASE, "rules": rule(metric=metric, op="<", value=1.5)}, new=True)


def test_a_name_that_there_is_not_is_told_with_the_nearest_one() -> None:
    assert "did you mean `roc_auc`? there are" in refused(rules=rule(metric="roc_acu", value=0.5))
    assert "did you mean `distance`? there are" in refused(
        drift={"features": {"distnace": {"method": "psi"}}}
    )
    assert "did you mean `wasserstein`? there are" in refused(drift={"method": "waserstein"})
    assert "did you mean" not in refused(rules=rule(metric="xyz", value=0.5))
