"""What a schema holds, and what it refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import SchemaError
from tocsin.schema import Feature, Kind, Schema, Task

names = st.text(min_size=1, max_size=8)
outputs = st.one_of(st.none(), names)


def schema(*features: str, score: str | None = "score", threshold: float = 0.5) -> Schema:
    return Schema(
        Task.BINARY,
        tuple(Feature(name, Kind.NUMERIC) for name in features),
        score,
        None,
        "late",
        threshold=threshold,
    )


@given(
    st.lists(st.tuples(names, st.sampled_from(Kind)), max_size=5),
    outputs,
    outputs,
    names,
    names,
    st.floats(0.001, 0.999),
)
def test_a_schema_survives_json(features, score, prediction, label, positive, threshold) -> None:
    try:
        made = Schema(
            Task.BINARY,
            tuple(Feature(name, kind) for name, kind in features),
            score,
            prediction,
            label,
            positive,
            threshold,
        )
    except SchemaError:
        return
    assert Schema.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@given(st.lists(names, max_size=6))
def test_features_that_are_accepted_have_columns_that_sql_can_tell_apart(given_names) -> None:
    try:
        made = schema(*given_names)
    except SchemaError:
        return
    columns = [feature.column.lower() for feature in made.features]
    assert len(set(columns)) == len(columns)
    assert not any(set(column) & set(" ,;{}()\n\t=") for column in columns)
    assert all(column.startswith("input_") for column in columns)


@pytest.mark.parametrize(
    ("name", "column"),
    [("age", "input_age"), ("net income", "input_net_income"), ("a(b)=c", "input_a_b__c"),
     ("timestamp", "input_timestamp")],
)  # fmt: skip
def test_a_column_is_named_after_its_feature(name: str, column: str) -> None:
    assert Feature(name, Kind.NUMERIC).column == column


def test_a_repeated_feature_is_named() -> None:
    with pytest.raises(SchemaError, match=r"\['age'\] are repeated"):
        schema("age", "income", "age")


@pytest.mark.parametrize(
    "pair", [("a b", "a_b"), ("a(b", "a)b"), ("Age", "age"), ("AGE 1", "age=1")]
)
def test_features_that_would_share_a_column_are_named(pair: tuple[str, str]) -> None:
    with pytest.raises(SchemaError, match="rename one") as refused:
        schema("city", *pair)
    assert all(repr(name) in str(refused.value) for name in pair)
    assert "city" not in str(refused.value)


def test_a_schema_needs_an_output() -> None:
    with pytest.raises(SchemaError, match="`score` or `prediction`"):
        schema("age", score=None)
    only_prediction = Schema(Task.BINARY, (), None, "class", "late")
    assert only_prediction.score is None


@pytest.mark.parametrize("threshold", [0, 1, -0.1, 1.1, float("nan")])
def test_a_threshold_that_divides_nothing_is_refused(threshold: float) -> None:
    with pytest.raises(SchemaError, match=r"outside \(0, 1\)"):
        schema("age", threshold=threshold)
