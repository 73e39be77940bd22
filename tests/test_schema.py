"""What a schema holds, and what it refuses."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.errors import SchemaError
from tocsin.schema import (
    MOST_CLASSES,
    Feature,
    Kind,
    Ratio,
    Schema,
    Segment,
    Task,
    column_of,
)

AGE, CITY = Feature("age", Kind.NUMERIC), Feature("city", Kind.CATEGORICAL)
CLASSES = ("ash", "elm", "oak")

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


def of(task: Task, **fields: Any) -> Schema:
    """A schema that is right but for the given fields."""
    right: dict[Task, dict[str, Any]] = {
        Task.BINARY: {"score": "p"},
        Task.MULTICLASS: {"classes": CLASSES, "prediction": "tree"},
        Task.REGRESSION: {"prediction": "price"},
    }
    common = {"features": (AGE, CITY), "score": None, "prediction": None, "label": "truth"}
    return Schema(task, **{**common, **right[task], **fields})


segments = st.builds(
    Segment,
    names,
    column=st.one_of(st.none(), st.sampled_from(["age", "city", "flag"])),
    cuts=st.lists(st.floats(-9, 9), max_size=3, unique=True).map(sorted).map(tuple),
    where=st.one_of(st.none(), names),
    protected=st.booleans(),
)
ratios = st.builds(Ratio, names, names, outputs)


@settings(deadline=None)
@given(
    st.sampled_from(Task),
    st.lists(st.tuples(names, st.sampled_from(Kind)), max_size=5),
    st.fixed_dictionaries(
        {},
        optional={
            "score": outputs,
            "prediction": outputs,
            "positive": names,
            "threshold": st.floats(0.001, 0.999),
            "thresholds": st.lists(st.floats(0.001, 0.999), max_size=3).map(tuple),
            "classes": st.lists(names, max_size=4, unique=True).map(tuple),
            "scores": st.lists(names, max_size=3, unique=True).map(tuple),
            "segments": st.lists(segments, max_size=2).map(tuple),
            "ratios": st.lists(ratios, max_size=2).map(tuple),
        },
    ),
)
def test_a_schema_survives_json(task, features, fields) -> None:
    columns = (AGE, CITY, *(Feature(name, kind) for name, kind in features))
    try:
        made = of(task, features=columns, **fields)
    except SchemaError:
        return
    assert Schema.from_dict(json.loads(json.dumps(made.to_dict(), allow_nan=False))) == made


@pytest.mark.parametrize(
    "made",
    [
        of(
            Task.BINARY,
            prediction="class",
            positive="yes",
            negative="no",
            threshold=0.3,
            thresholds=(0.1, 0.9),
            segments=(
                Segment("life", column="age", cuts=(18.0, 65.0), protected=True),
                Segment("town", column="city"),
                Segment("south", where="city == 'Rome'"),
            ),
            ratios=(Ratio("cost", "age * 2", "label"), Ratio("rows", "1")),
        ),
        of(Task.MULTICLASS, scores=("p ash", "p elm", "p oak"), prediction=None),
        of(Task.REGRESSION, features=(AGE, Feature("since", Kind.DATETIME))),
    ],
    ids=lambda made: str(made.task),
)
def test_every_field_survives_json(made: Schema) -> None:
    document = json.loads(json.dumps(made.to_dict()))
    again = Schema.from_dict(document)
    assert again == made
    assert hash(again) == hash(made)
    assert again.to_dict() == made.to_dict()


def test_a_document_of_before_segments_can_be_read() -> None:
    document = of(Task.BINARY).to_dict()
    for field in ("segments", "ratios", "classes", "scores", "thresholds"):
        del document[field]
    assert Schema.from_dict(document) == of(Task.BINARY)


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
    assert column_of("output_", name) == column.replace("input_", "output_", 1)


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
    with pytest.raises(SchemaError, match=r"outside \(0, 1\)"):
        of(Task.BINARY, thresholds=(0.5, threshold))


@pytest.mark.parametrize(
    ("task", "fields", "message"),
    [
        (Task.BINARY, {"features": (AGE, AGE)}, r"different names, but \['age'\] are repeated"),
        (Task.BINARY, {"features": (Feature("a\nb", Kind.NUMERIC),)}, "'a.nb' has characters"),
        (Task.BINARY, {"score": None}, "needs `score` or `prediction`"),
        (Task.BINARY, {"classes": CLASSES}, "`classes` and `scores` are for task multiclass"),
        (Task.BINARY, {"scores": ("a", "b")}, "`classes` and `scores` are for task multiclass"),
        (Task.BINARY, {"positive": "0"}, "positive and negative are both '0'"),
        (Task.BINARY, {"threshold": 2.0}, r"threshold 2.0 is outside \(0, 1\)"),
        (Task.MULTICLASS, {"score": "p"}, "has `scores`, one per class, and no `score`"),
        (Task.MULTICLASS, {"classes": ()}, "needs 2 to 100 `classes`, not 0"),
        (Task.MULTICLASS, {"classes": ("a",)}, "needs 2 to 100 `classes`, not 1"),
        (
            Task.MULTICLASS,
            {"classes": tuple(f"c{i}" for i in range(MOST_CLASSES + 1))},
            "not 101; put rare ones together",
        ),
        (Task.MULTICLASS, {"classes": ("a", "b", "a")}, r"classes must differ, but \['a'\]"),
        (Task.MULTICLASS, {"scores": ("a", "b")}, "there are 3 `classes` but 2 `scores`; name the"),
        (Task.MULTICLASS, {"scores": ("a", "b", "a")}, r"scores must differ, but \['output_a'\]"),
        (Task.MULTICLASS, {"scores": ("a b", "a_b", "c")}, "scores must differ"),
        (Task.MULTICLASS, {"prediction": None}, "needs `scores` or `prediction`"),
        (Task.REGRESSION, {"prediction": None}, "needs `prediction`, the output with the number"),
        (Task.REGRESSION, {"score": "p"}, "has a `prediction` and neither scores nor classes"),
        (Task.REGRESSION, {"scores": ("p",)}, "neither scores nor classes"),
        (Task.REGRESSION, {"classes": CLASSES}, "neither scores nor classes"),
        (
            Task.BINARY,
            {"segments": (Segment("s", column="city"), Segment("s", where="age"))},
            r"segments must have different names, but \['s'\] are repeated",
        ),
        (Task.BINARY, {"segments": (Segment("a=b", column="city"),)}, "'a=b' needs a printable"),
        (Task.BINARY, {"segments": (Segment("", column="city"),)}, "'' needs a printable name"),
        (Task.BINARY, {"segments": (Segment("a\tb", column="city"),)}, "needs a printable name"),
        (Task.BINARY, {"segments": (Segment("s"),)}, "'s' needs either `column` or `where`"),
        (
            Task.BINARY,
            {"segments": (Segment("s", column="city", where="age"),)},
            "'s' needs either `column` or `where`",
        ),
        (
            Task.BINARY,
            {"segments": (Segment("s", column="land"),)},
            "'s' is of column 'land', which is not among the features; list it there",
        ),
        (
            Task.BINARY,
            {"segments": (Segment("s", column="city", cuts=(1.0,)),)},
            "'s' has cuts, but 'city' is no number",
        ),
        (Task.BINARY, {"segments": (Segment("s", where="age", cuts=(1.0,)),)}, "'s' has cuts, but"),
        *(
            (
                Task.REGRESSION,
                {"segments": (Segment("s", column="age", cuts=cuts),)},
                "cuts of segment 's' have to be finite and ascend",
            )
            for cuts in [(2.0, 1.0), (1.0, 1.0), (math.nan,), (1.0, math.inf), (-math.inf, 1.0)]
        ),
        (
            Task.BINARY,
            {"ratios": (Ratio("cost", "age"), Ratio("cost", "1"))},
            r"metrics must have different names, but \['cost'\] are repeated",
        ),
    ],
)
def test_a_schema_that_contradicts_itself_says_how(task: Task, fields, message: str) -> None:
    of(task)
    with pytest.raises(SchemaError, match=message):
        of(task, **fields)


def test_cuts_of_a_segment_without_column_are_refused_with_its_name_alone() -> None:
    with pytest.raises(SchemaError) as refused:
        of(Task.BINARY, segments=(Segment("s", where="age > 1", cuts=(1.0,)),))
    assert "None" not in str(refused.value)


def test_as_many_classes_as_fit_are_taken() -> None:
    assert len(of(Task.MULTICLASS, classes=tuple(f"c{i}" for i in range(100))).labels) == 100


@pytest.mark.parametrize(
    ("made", "labels", "output"),
    [
        (of(Task.BINARY), ("0", "1"), "p"),
        (of(Task.BINARY, score=None, prediction="class"), ("0", "1"), "class"),
        (of(Task.BINARY, positive="yes", negative="no"), ("no", "yes"), "p"),
        (of(Task.MULTICLASS), CLASSES, "tree"),
        (of(Task.MULTICLASS, prediction=None, scores=("a", "b", "c")), CLASSES, "prediction"),
        (of(Task.REGRESSION), (), "price"),
    ],
)
def test_labels_and_output_follow_from_the_task(made, labels, output) -> None:
    assert made.labels == labels
    assert made.output == output


def test_scores_have_columns_of_their_own() -> None:
    made = of(Task.MULTICLASS, scores=("p ash", "p=elm", "oak"))
    assert made.score_columns() == ("output_p_ash", "output_p_elm", "output_oak")
    assert of(Task.BINARY).score_columns() == ()


@pytest.mark.parametrize(
    ("fields", "positive", "negative", "unknown"),
    [
        ({}, [1, 1.0, "1", True, "true"], [0, "0", False, "FALSE"],
         ["yes", 2, 0.5, -1, None, "", math.nan, math.inf]),
        ({"positive": "yes", "negative": "no"}, ["yes"], ["no"], [1, 0, True, "Yes", "true", None]),
        ({"positive": "true", "negative": "false"}, [True, "true"], [False], [2, "True", None]),
        ({"positive": "2", "negative": "1"}, [2, 2.0, "2"], [1, 1.0], [0, "true", 3]),
        ({"positive": "1.0", "negative": "0.0"}, [1.0, "1.0"], [0.0], ["2.0"]),
        ({"positive": "Some", "negative": "None"}, ["Some"], ["None"], [None]),
    ],
)  # fmt: skip
def test_two_classes_are_known_by_what_they_are_written_like(
    fields, positive, negative, unknown
) -> None:
    made = of(Task.BINARY, **fields)
    assert {made.class_of(value) for value in positive} == {1}
    assert {made.class_of(value) for value in negative} == {0}
    assert {made.class_of(value) for value in unknown} == {None}


def test_of_several_classes_each_has_its_number() -> None:
    made = of(Task.MULTICLASS, classes=("3", "true", "oak"))
    assert [made.class_of(v) for v in (3, 3.0, "3", True, "true", "oak")] == [0, 0, 0, 1, 1, 2]
    assert [made.class_of(v) for v in (False, "Oak", 2, None)] == [None] * 4


def test_a_regression_has_no_classes() -> None:
    assert of(Task.REGRESSION).class_of("1") is None
