"""What a monitor document may say, and what is said of one that is at fault."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.declared import parse_monitor
from tocsin.errors import SchemaError
from tocsin.metrics import METRICS
from tocsin.rules import Operator, Rule
from tocsin.schema import Feature, Kind, Schema, Task
from tocsin.values import DAY, HOUR, MINUTE, WindowSpec, format_duration

SMALLEST = {
    "schema": {
        "features": [{"name": "age", "kind": "numeric"}],
        "score": "probability",
        "label": "late",
    }
}
RULE = {"alert": "LowAuc", "expr": {"metric": "roc_auc", "window": "24h", "op": "<", "value": 0.7}}


def document(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SMALLEST), **changes}


def schema(**changes: Any) -> dict[str, Any]:
    return document(schema={**copy.deepcopy(SMALLEST["schema"]), **changes})


def rule(**changes: Any) -> dict[str, Any]:
    return document(rules=[{**copy.deepcopy(RULE), **changes}])


def expr(**changes: Any) -> dict[str, Any]:
    return rule(expr={**RULE["expr"], **changes})


def without(whole: dict[str, Any], *path: Any) -> dict[str, Any]:
    whole = copy.deepcopy(whole)
    inner: Any = whole
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return whole


AGE = {"name": "age", "kind": "numeric"}
NAN = float("nan")

FAULTS = {
    # The document as a whole.
    "not an object": ([], ["document", "an object"]),
    "nothing": (None, ["document"]),
    "no schema": ({}, ["schema", "required"]),
    "a misspelt part": (document(window=["24h"]), ["window", "not permitted"]),
    # The schema.
    "no features": (without(SMALLEST, "schema", "features"), ["schema.features", "required"]),
    "an empty list of features": (schema(features=[]), ["schema.features", "at least 1"]),
    "a feature without a name": (schema(features=[{**AGE, "name": ""}]),
                                 ["schema.features.0.name", "at least 1"]),
    "a feature without a kind": (schema(features=[{"name": "age"}]),
                                 ["schema.features.0.kind", "required"]),
    "an unknown kind": (schema(features=[AGE, {"name": "b", "kind": "date"}]),
                        ["schema.features.1.kind", "numeric", "categorical", "boolean"]),
    "a feature with more to say": (schema(features=[{**AGE, "unit": "y"}]),
                                   ["schema.features.0.unit", "not permitted"]),
    "a repeated feature": (schema(features=[AGE, AGE]), ["age", "different names"]),
    "features that share a column": (schema(features=[AGE, {**AGE, "name": "Age"}]),
                                     ["'age', 'Age'", "rename"]),
    "features with names alike": (
        schema(features=[{**AGE, "name": "net income"}, {**AGE, "name": "net;income"}]),
        ["net income", "net;income", "rename"]),
    "no label": (without(SMALLEST, "schema", "label"), ["schema.label", "required"]),
    "an empty label": (schema(label=""), ["schema.label", "at least 1"]),
    "neither score nor prediction": (without(SMALLEST, "schema", "score"),
                                     ["score", "prediction", "nothing else can be measured"]),
    "an empty score": (schema(score=""), ["schema.score", "at least 1"]),
    "an unknown task": (schema(task="ranking"), ["schema.task", "binary"]),
    "a threshold of 0": (schema(threshold=0), ["threshold", "(0, 1)"]),
    "a threshold over 1": (schema(threshold=1.5), ["1.5", "(0, 1)"]),
    "a threshold that is no number": (schema(threshold=NAN), ["threshold nan"]),
    # Times.
    "a granularity without a unit": (document(granularity="60"),
                                     ["granularity", "'60'", "15m or 24h"]),
    "a granularity that is a number": (document(granularity=3600), ["granularity", "15m or 24h"]),
    "a granularity of 0": (document(granularity="0m"), ["granularity", "15m or 24h"]),
    "a window of 0": (document(windows=["24h", "0h"]), ["windows.1", "no room"]),
    "no windows": (document(windows=[]), ["windows", "at least 1"]),
    "a window that is no duration": (document(windows=["a day"]),
                                     ["windows.0", "'a day'", "15m or 24h"]),
    "an endless window": (document(windows=["99999999999999999999d"]),
                          ["windows.0", "at most 3650d"]),
    "a window that no granules fill": (document(granularity="7h", windows=["24h"]),
                                       ["24h", "multiple", "granularity 7h"]),
    "a negative lateness": (document(lateness="-1m"), ["lateness", "'-1m'"]),
    "a label horizon that is no duration": (document(labels={"max": "soon"}),
                                            ["labels.max", "'soon'"]),
    # Rules.
    "a rule without a name": (rule(alert=""), ["rules.0.alert", "at least 1"]),
    "a rule with an endless name": (rule(alert="a" * 129), ["rules.0.alert", "at most 128"]),
    "a rule without an expression": (without(rule(), "rules", 0, "expr"),
                                     ["rules.0.expr", "required"]),
    "two rules of one name": (document(rules=[RULE, RULE]), ["different names", "LowAuc"]),
    "an unknown metric": (expr(metric="auc_roc"), ["LowAuc", "auc_roc", "roc_auc", "drift"]),
    "a window that is not measured": (expr(window="2h"), ["LowAuc", "2h", "1h, 24h, 7d"]),
    "an unknown operator": (expr(op="<="), ["rules.0.expr.op", "'<'", "'>'"]),
    "a threshold without operator": (without(expr(), "rules", 0, "expr", "op"),
                                     ["LowAuc", "needs `op` and `value`"]),
    "an operator without threshold": (without(expr(), "rules", 0, "expr", "value"),
                                      ["LowAuc", "needs `op` and `value`"]),
    "a value that is text": (expr(value="low"), ["rules.0.expr.value", "number"]),
    "a value that is no number": (expr(value=NAN), ["LowAuc", "finite"]),
    "a clear on the wrong side": (expr(clear=0.6), ["LowAuc", "0.6", "breached side of < 0.7"]),
    "drift with a threshold": (expr(metric="drift"), ["LowAuc", "drift", "leave them out"]),
    "no patience": (rule(**{"for": -1}), ["rules.0.for", "0 for at once"]),
    "patience in words": (rule(**{"for": "a while"}), ["rules.0.for", "a while"]),
    "no windows to recover": (rule(keep_firing_for=-2), ["rules.0.keep_firing_for"]),
    "no samples": (rule(min_samples=0), ["rules.0.min_samples"]),
    "coverage in percent": (rule(min_coverage=80), ["rules.0.min_coverage", "equal to 1"]),
    "an unknown confidence": (rule(confidence="95%"), ["rules.0.confidence", "'interval'"]),
    "an unknown severity": (rule(labels={"severity": "page"}),
                            ["rules.0.labels.severity", "'critical'"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_document_is_refused_with_the_place_and_the_remedy(fault: str) -> None:
    faulty, words = FAULTS[fault]
    with pytest.raises(SchemaError) as refused:
        parse_monitor("late", faulty)
    message = str(refused.value)
    assert [word for word in words if word not in message] == [], message


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(SchemaError) as refused:
        parse_monitor("late", document(granularity="x", windows=["y"], lateness="z"))
    message = str(refused.value)
    assert message.startswith("monitor 'late': ")
    assert all(part in message for part in ("granularity:", "windows.0:", "lateness:"))


def test_the_smallest_document_says_the_rest_by_default() -> None:
    monitor = parse_monitor("late", SMALLEST)
    assert monitor.name == "late"
    assert monitor.model_uri is None
    assert monitor.version == "unknown"
    assert monitor.schema == Schema(
        Task.BINARY, (Feature("age", Kind.NUMERIC),), "probability", None, "late", "1", "0", 0.5
    )
    assert (monitor.granularity, monitor.lateness) == (HOUR, MINUTE)
    assert monitor.label_horizon == 30 * DAY
    assert [spec.name for spec in monitor.windows] == ["1h", "24h", "7d"]
    drift, quality = monitor.rules
    assert drift == Rule("FeatureDrift", "drift", HOUR, category="drift")
    assert (quality.name, quality.metric, quality.category) == (
        "DataQuality",
        "quality",
        "data_quality",
    )


def test_a_document_without_rules_pages_nobody() -> None:
    assert parse_monitor("late", document(rules=[])).rules == ()


def test_a_whole_document_is_read_as_it_stands() -> None:
    monitor = parse_monitor(
        "late",
        document(
            model="models:/late@champion",
            version="7",
            granularity="15m",
            windows=["24h", "30m", "24h"],
            lateness="2m",
            labels={"max": "7d"},
            rules=[
                {
                    **RULE,
                    "expr": {**RULE["expr"], "clear": 0.75},
                    "for": 3,
                    "keep_firing_for": 2,
                    "min_samples": 500,
                    "min_coverage": 0.8,
                    "confidence": "none",
                    "labels": {"severity": "critical", "category": "quality"},
                },
                {"alert": "Drift", "expr": {"metric": "drift", "window": "30m"}},
            ],
        ),
    )
    assert (monitor.model_uri, monitor.version) == ("models:/late@champion", "7")
    assert (monitor.granularity, monitor.lateness) == (15 * MINUTE, 2 * MINUTE)
    assert monitor.label_horizon == 7 * DAY
    assert [spec.name for spec in monitor.windows] == ["30m", "24h"]
    assert monitor.rules == (
        Rule("LowAuc", "roc_auc", DAY, Operator.BELOW, 0.7, 0.75, 3, 2, 500, 0.8,
             confident=False, severity="critical", category="quality"),
        Rule("Drift", "drift", 30 * MINUTE, category="drift"),
    )  # fmt: skip


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_have_a_rule(metric: str) -> None:
    assert parse_monitor("late", expr(metric=metric)).rules[0].metric == metric


@pytest.mark.parametrize(
    ("granularity", "size", "every"),
    [
        ("1h", "1h", HOUR),
        ("1h", "24h", HOUR),
        ("1h", "7d", DAY),
        ("1h", "36h", DAY),
        ("15m", "15m", 15 * MINUTE),
        ("15m", "1h", 15 * MINUTE),
        ("15m", "6h", HOUR),
        ("15m", "24h", HOUR),
        ("15m", "7d", DAY),
        ("24h", "24h", DAY),
        ("24h", "7d", DAY),
        # Neither an hour nor a day has room for whole granules.
        ("7m", "14h", 7 * MINUTE),
        ("20h", "60h", 20 * HOUR),
        # A day has, an hour has not.
        ("2h", "24h", 2 * HOUR),
        ("2h", "7d", DAY),
    ],
)
def test_windows_step_as_people_expect(granularity: str, size: str, every: int) -> None:
    (spec,) = parse_monitor("late", document(granularity=granularity, windows=[size])).windows
    assert (format_duration(spec.size), spec.every) == (size, every)


@given(st.integers(1, 24), st.integers(1, 40))
def test_every_step_and_every_size_is_made_of_whole_granules(hours: int, granules: int) -> None:
    made = document(granularity=f"{hours}h", windows=[f"{hours * granules}h"])
    (spec,) = parse_monitor("late", made).windows
    assert spec.size == hours * granules * HOUR
    assert spec.every % (hours * HOUR) == 0
    assert 0 < spec.every <= spec.size
    assert isinstance(spec, WindowSpec)


def test_a_document_may_be_read_twice() -> None:
    made = rule()
    assert parse_monitor("late", made) == parse_monitor("late", made)
    assert made == rule()


@pytest.mark.parametrize(
    ("granularity", "size", "named"),
    [
        ("30s", "1h", "granularity 30s is not between 1m and 1d"),
        ("7d", "28d", "granularity 7d is not between 1m and 1d"),
        ("1m", "28d", "more than 12,000 buckets"),
    ],
)
def test_buckets_too_fine_or_too_coarse_are_refused(
    granularity: str, size: str, named: str
) -> None:
    with pytest.raises(SchemaError, match=named):
        parse_monitor("late", document(granularity=granularity, windows=[size]))


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ({"model": "other"}, "every alert has `model` by itself"),
        ({"a-team": "x"}, "a-team"),
        ({"team": 3}, "team"),
    ],
)
def test_labels_that_alerts_cannot_have_are_refused(labels: dict[str, object], named: str) -> None:
    with pytest.raises(SchemaError, match=named):
        parse_monitor("late", rule(labels=labels))


@pytest.mark.parametrize(
    ("written", "window", "windows"),
    [
        (2, "24h", 2),
        ("2 windows", "24h", 2),
        ("1 window", "24h", 1),
        # From the first breached end to the one six hours later.
        ("6h", "24h", 7),
        ("6h", "1h", 7),
        ("90m", "1h", 3),
        ("0h", "1h", 1),
        ("2d", "7d", 3),
    ],
)
def test_patience_is_of_windows_or_of_a_time(written: object, window: str, windows: int) -> None:
    made = expr(window=window)
    made["rules"][0] |= {"for": written, "keep_firing_for": written}
    (found,) = parse_monitor("late", made).rules
    assert (found.for_windows, found.keep_firing_windows) == (windows, windows)


@pytest.mark.parametrize("written", [0, "0s", "0 windows", 1])
def test_no_patience_is_that_of_one_window(written: object) -> None:
    assert parse_monitor("late", rule(**{"for": written})).rules[0].for_windows == 1


@pytest.mark.parametrize("written", [-1, "two windows", "2 hours", 1.5, True, None])
def test_patience_that_is_none_is_refused(written: object) -> None:
    with pytest.raises(SchemaError, match=r"rules\.0\.for"):
        parse_monitor("late", rule(**{"for": written}))


def test_what_is_learned_has_windows_without_rows_in_common() -> None:
    made = expr(value="auto", clear=None, window="24h")
    made["rules"][0] |= {"for": "2d"}
    assert parse_monitor("late", made).rules[0].for_windows == 3


@pytest.mark.parametrize(
    "summary", ["{{ value|rond(3) }}", "{{ value", "{% for x in labels %}{% endfor %}", "{{ f() }}"]
)
def test_a_summary_that_can_never_be_filled_in_is_refused_where_it_is_new(summary: str) -> None:
    made = rule(annotations={"summary": summary})
    with pytest.raises(SchemaError, match="`summary` cannot be filled in"):
        parse_monitor("late", made, new=True)
    # One that is stored is read: its alerts are told in plain words.
    assert parse_monitor("late", made).rules[0].summary == summary
