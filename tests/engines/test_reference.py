"""A reference is read whatever its columns are; what surprises is told, what is wrong refused."""

import math
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.profiles.synthetic import labelled, predicted, some

from tocsin.engines import Reference, reference_rows
from tocsin.errors import SchemaError
from tocsin.profiles import CategoryColumn, NumericColumn, Plan, Profile, plan_from_reference
from tocsin.schema import Feature, Kind, Schema, Segment, Task

N = 40
START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SCORES = [i / N for i in range(N)]
LABELS = [int(i % 3 == 0) for i in range(N)]


def binary(*features: Feature, **fields: Any) -> Schema:
    return Schema(
        **{"task": Task.BINARY, "features": features, "score": "p", "prediction": None,
           "label": "late", **fields}
    )  # fmt: skip


def multiclass(**fields: Any) -> Schema:
    return Schema(
        **{"task": Task.MULTICLASS, "features": (), "score": None, "prediction": "tree",
           "label": "truth", "classes": ("ash", "elm", "oak"), **fields}
    )  # fmt: skip


def regression() -> Schema:
    return Schema(Task.REGRESSION, (), None, "price", "paid")


def table(**columns: Any) -> pa.Table:
    return pa.table({"p": SCORES, "late": LABELS, **columns})


def read(kind: Kind, values: Any, **more: Any) -> Reference:
    """The reference with one feature `x` of a kind."""
    return reference_rows(binary(Feature("x", kind)), table(x=values, **more))


def folded(schema: Schema, reference: Reference) -> tuple[Plan, Profile]:
    """The plan of a reference, and its own profile on it."""
    plan = plan_from_reference(schema, reference.rows, reference.labels)
    found = predicted(plan, reference.rows)
    known = np.flatnonzero(np.isfinite(reference.labels))
    found += labelled(plan, some(reference.rows, known), reference.labels[known])
    assert np.isfinite(found.vector).all()
    return plan, found


def values_of(reference: Reference, name: str = "x") -> list[Any]:
    column = reference.rows.features[name]
    if isinstance(column, NumericColumn):
        return [None if math.isnan(value) else value for value in column.known.tolist()]
    texts = column.levels.texts(np.arange(len(column.levels)))
    return [None if code < 0 else texts[code] for code in column.codes.tolist()]


ODD: dict[str, tuple[Kind, Any, str]] = {
    "a constant": (Kind.NUMERIC, [3.5] * N, "'x' is always 3.5 in the reference: every other"),
    "a constant category": (Kind.CATEGORICAL, ["a"] * N, "'x' is always 'a' in the reference"),
    "only nulls": (Kind.NUMERIC, pa.nulls(N), "'x' is empty in the reference: every value counts"),
    "only nulls of a type": (Kind.NUMERIC, pa.nulls(N, pa.float64()), "'x' is empty"),
    "only NaN": (Kind.NUMERIC, [math.nan] * N, "'x' is empty in the reference"),
    "only null categories": (Kind.CATEGORICAL, pa.nulls(N), "'x' is empty .* counts as unseen"),
    "only null text": (Kind.CATEGORICAL, pa.nulls(N, pa.string()), "'x' is empty"),
    "only null booleans": (Kind.BOOLEAN, pa.nulls(N, pa.bool_()), "'x' is empty"),
    "only null times": (Kind.DATETIME, pa.nulls(N, pa.timestamp("us")), "'x' is empty"),
    "text for numbers": (
        Kind.NUMERIC,
        ["1.5", "two", None, "4"] * (N // 4),
        "'x' is declared numeric, but the reference holds string; 10 of 40 rows cannot be read",
    ),
    "lists for numbers": (
        Kind.NUMERIC,
        [[1.0]] * N,
        "'x' is declared numeric, but the reference holds list<.*>; 40 of 40 rows",
    ),
    "times for numbers": (
        Kind.NUMERIC,
        pa.array([START] * N),
        "'x' is declared numeric, but the reference holds timestamp.*; 40 of 40 rows",
    ),
    "whole numbers for categories": (
        Kind.CATEGORICAL,
        [1, 2] * (N // 2),
        "'x' is declared categorical, but the reference holds int64; each number is a category",
    ),
    "numbers for categories": (
        Kind.CATEGORICAL,
        [i + 0.5 for i in range(N)],
        "'x' is declared categorical, but the reference holds double; each number is a category",
    ),
    "lists for categories": (
        Kind.CATEGORICAL,
        [[1, 2], [3]] * (N // 2),
        "'x' is declared categorical, but the reference holds list<.*>; it is read as text",
    ),
    "structs for categories": (
        Kind.CATEGORICAL,
        [{"a": 1}, {"a": 2}] * (N // 2),
        "'x' is declared categorical, but the reference holds struct<.*>; it is read as text",
    ),
    "bytes for categories": (
        Kind.CATEGORICAL,
        [b"\xff", b"a"] * (N // 2),
        "'x' is declared categorical, but the reference holds binary; it is read as text",
    ),
    "text for times": (
        Kind.DATETIME,
        ["2024-01-01", "soon"] * (N // 2),
        "'x' is declared datetime, but the reference holds string; 20 of 40 rows",
    ),
    "numbers for times": (
        Kind.DATETIME,
        [1.5] * N,
        "'x' is declared datetime, but the reference holds double; 40 of 40 rows",
    ),
    "times without timestamps": (
        Kind.DATETIME,
        [START + HOUR * i for i in range(N)],
        "no `timestamp`: x is told by its hours before the newest",
    ),
}


@pytest.mark.parametrize("what", ODD)
def test_an_odd_column_still_gives_a_plan_and_a_note_that_names_it(what: str) -> None:
    kind, values, note = ODD[what]
    schema = binary(Feature("x", kind), segments=(Segment("s", column="x"),))
    reference = reference_rows(schema, table(x=values))
    assert len(reference.notes) <= 3
    assert len([n for n in reference.notes if re.search(note, n)]) == 1
    plan, found = folded(schema, reference)
    assert found.feature("x").n.sum() == N
    assert Plan.from_dict(plan.to_dict()) == plan


def test_a_column_as_it_should_be_has_no_note() -> None:
    for kind, values in [
        (Kind.NUMERIC, [float(i) for i in range(N)]),
        (Kind.NUMERIC, [None, *range(N - 1)]),
        (Kind.NUMERIC, [Decimal(i) / 4 for i in range(N)]),
        (Kind.CATEGORICAL, ["a", "b", None, "c"] * (N // 4)),
        (Kind.CATEGORICAL, ["a", "b"] * (N // 2)),
        (Kind.CATEGORICAL, [True, False] * (N // 2)),
        (Kind.BOOLEAN, [True, False] * (N // 2)),
        (Kind.BOOLEAN, [1, 0] * (N // 2)),
    ]:
        assert read(kind, values).notes == ()


def test_many_categories_are_told_and_keep_the_profile_small() -> None:
    n = 20_000
    names = pa.table({"p": [0.5] * n, "late": [0] * n, "x": [f"user {i}" for i in range(n)]})
    schema = binary(Feature("x", Kind.CATEGORICAL))
    reference = reference_rows(schema, names)
    (note,) = reference.notes
    assert "'x' has 20,000 different values" in note
    plan, found = folded(schema, reference)
    assert len(plan.bins("x").labels) == 53
    assert found.feature("x").n[50] == n - 50


def test_numbers_are_read_from_text_where_they_can_be() -> None:
    assert values_of(read(Kind.NUMERIC, ["1.5", "two", None, "4"] * 10))[:4] == [1.5, None, None, 4]
    encoded = pa.array(["1.5", "2"] * 20).dictionary_encode()
    assert values_of(read(Kind.NUMERIC, encoded))[:2] == [1.5, 2.0]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1, None], ["1", None]),
        ([1.0, 2.5], ["1", "2.5"]),
        ([1.0, math.nan], ["1", None]),
        ([True, None], ["true", None]),
        (pa.array([1.5, math.nan]).dictionary_encode(), ["1.5", None]),
        (pa.array([3, None]).dictionary_encode(), ["3", None]),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", None])), ["a", None]),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array([[1], [2]])), ["[1]", "[2]"]),
        (pa.array(["a", None], pa.large_string()), ["a", None]),
        ([[1], None], ["[1]", None]),
        ([date(2024, 1, 2), None], ["2024-01-02", None]),
    ],
)
def test_categories_are_text_however_they_are_stored(values: Any, texts: list[str]) -> None:
    tiled = pa.chunked_array([pa.array(values) if isinstance(values, list) else values] * (N // 2))
    assert values_of(read(Kind.CATEGORICAL, tiled))[:2] == texts


@pytest.mark.parametrize(
    "values",
    [[True, False, None], [1, 0, None], [1.0, 0.0, None], [1.0, 0.0, math.nan],
     ["true", "false", None]],
)  # fmt: skip
def test_booleans_are_true_and_false_however_they_are_written(values: list[Any]) -> None:
    found = values_of(read(Kind.BOOLEAN, values * 13 + values[:1]))
    assert found[:3] == ["true", "false", None]


def test_a_boolean_that_is_something_else_is_a_category_of_its_own() -> None:
    assert values_of(read(Kind.BOOLEAN, [0, 2] * 20))[:2] == ["false", "2"]


# Times.


def test_a_time_is_the_hours_to_the_prediction() -> None:
    moments = [START - HOUR * i for i in range(N)]
    found = read(Kind.DATETIME, moments, timestamp=[START] * N)
    assert values_of(found) == [float(i) for i in range(N)]
    assert found.notes == ()


@pytest.mark.parametrize(
    "moments",
    [
        [datetime(2024, 1, 1) - HOUR * i for i in range(N)],  # noqa: DTZ001
        [(START - HOUR * i).isoformat() for i in range(N)],
        [(START - HOUR * i).replace(tzinfo=None).isoformat(" ") for i in range(N)],
        pa.array([START - HOUR * i for i in range(N)], pa.timestamp("ns", "UTC")),
        pa.array([START - HOUR * i for i in range(N)], pa.timestamp("s")),
        pa.array([START - HOUR * i for i in range(N)], pa.timestamp("us", "Asia/Tokyo")),
    ],
)
def test_times_are_read_however_they_are_written(moments: Any) -> None:
    stamped = pa.array([START] * N, pa.timestamp("ns"))
    assert values_of(read(Kind.DATETIME, moments, timestamp=stamped)) == [*map(float, range(N))]
    stamps = [START.isoformat()] * N
    assert values_of(read(Kind.DATETIME, moments, timestamp=stamps)) == [*map(float, range(N))]


def test_dates_are_the_midnights_they_begin_with() -> None:
    found = read(Kind.DATETIME, [date(2023, 12, 31)] * N, timestamp=[START] * N)
    assert values_of(found)[0] == 24.0


def test_times_that_cannot_be_read_are_null_and_the_others_stay() -> None:
    moments = ["2023-12-31", "soon", None, "2023-12-31T00:00:00+00:00"] * (N // 4)
    found = read(Kind.DATETIME, moments, timestamp=[START] * N)
    assert values_of(found)[:4] == [24.0, None, None, 24.0]
    assert "10 of 40 rows cannot be read" in found.notes[0]


def test_without_timestamps_the_newest_time_is_taken_for_that_of_all_predictions() -> None:
    births = [datetime(1950, 1, 1, tzinfo=UTC) + HOUR * i for i in range(N - 1)]
    found = read(Kind.DATETIME, [*births, None])
    assert values_of(found) == [*map(float, range(N - 2, -1, -1)), None]


def test_a_row_without_a_timestamp_has_no_hours_to_it() -> None:
    stamps = pa.array([START, None] * (N // 2), pa.timestamp("us", "UTC"))
    found = read(Kind.DATETIME, [START - HOUR] * N, timestamp=stamps)
    assert values_of(found)[:2] == [1.0, None]


def test_timestamps_that_cannot_be_read_are_told() -> None:
    found = read(Kind.DATETIME, [START - HOUR * i for i in range(N)], timestamp=[[1]] * N)
    assert any("`timestamp` of the reference cannot be read as times" in n for n in found.notes)
    assert values_of(found)[:2] == [0.0, 1.0]


def test_a_feature_may_be_called_timestamp() -> None:
    schema = binary(Feature("timestamp", Kind.DATETIME))
    stamps = [START + HOUR * i for i in range(N)]
    found = reference_rows(schema, table(timestamp=stamps))
    assert values_of(found, "timestamp")[-1] == 0.0
    assert "no `timestamp`" in found.notes[0]


# Outputs and labels.


def test_the_threshold_decides_where_no_class_is_given() -> None:
    given = [1, None] * (N // 2)
    schema = binary(prediction="said", threshold=0.25)
    found = reference_rows(schema, table(said=given))
    by_score = [int(score >= 0.25) for score in SCORES]
    assert found.rows.predicted.tolist() == [1 if i % 2 == 0 else by_score[i] for i in range(N)]
    assert found.labels.tolist() == LABELS


def test_a_row_without_score_and_class_has_neither() -> None:
    scores = pa.array([None, 0.5] * (N // 2))
    found = reference_rows(binary(), table().set_column(0, "p", scores))
    assert found.rows.predicted[:2].tolist() == [-1, 1]
    assert math.isnan(found.rows.scores[0, 0])


@pytest.mark.parametrize(
    ("positive", "negative", "written"),
    [
        ("1", "0", [1, 0, None]),
        ("1", "0", [1.0, 0.0, math.nan]),
        ("1", "0", [True, False, None]),
        ("1", "0", ["1", "0", None]),
        ("1", "0", ["1.0", "0.0", None]),
        ("1", "0", ["True", "FALSE", None]),
        ("1", "0", [Decimal("1.00"), Decimal("0.00"), None]),
        ("2", "1", [2, 1, None]),
        ("true", "false", [True, False, None]),
        ("late", "on time", ["late", "on time", None]),
        ("1.50", "0.50", ["1.50", "0.50", None]),
        ("1.0", "0.0", ["1.0", "0.0", None]),
        ("1.0", "0.0", [1.0, 0.0, math.nan]),
    ],
)
def test_two_classes_are_known_however_they_are_written(positive, negative, written) -> None:
    schema = binary(positive=positive, negative=negative)
    values = (written * N)[:N]
    plain = pa.table({"p": SCORES, "late": values})
    encoded = plain.set_column(1, "late", plain["late"].dictionary_encode())
    for each in (plain, encoded):
        labels = reference_rows(schema, each).labels[:3].tolist()
        assert labels[:2] == [1.0, 0.0]
        assert math.isnan(labels[2])


def test_a_class_that_no_row_has_is_not_asked_for() -> None:
    values = pa.DictionaryArray.from_arrays(pa.array([0, 1] * (N // 2)), ["1", "0", "unused"])
    labels = reference_rows(binary(), pa.table({"p": SCORES, "late": values})).labels
    assert labels[:2].tolist() == [1.0, 0.0]


def test_a_reference_without_labels_is_told_and_has_a_plan() -> None:
    schema = binary()
    found = reference_rows(schema, table().drop_columns(["late"]))
    (note,) = found.notes
    assert note.startswith("The reference has no label 'late': drift is measured, but performance")
    assert np.isnan(found.labels).all()
    folded(schema, found)


def test_scores_of_several_classes_decide_where_no_class_is_given() -> None:
    schema = multiclass(scores=("a", "e", "o"))
    found = reference_rows(
        schema,
        pa.table(
            {
                "tree": ["oak", None, None],
                "a": [0.5, 0.5, 0.2],
                "e": [0.3, 0.4, None],
                "o": [0.2, 0.1, 0.3],
                "truth": ["ash", "elm", None],
            }
        ),
    )
    assert found.rows.predicted.tolist() == [2, 0, -1]
    assert found.labels[:2].tolist() == [0.0, 1.0]
    assert math.isnan(found.labels[2])
    assert found.rows.scores[0].tolist() == [0.5, 0.3, 0.2]
    folded(schema, found)


def test_several_classes_may_be_numbers() -> None:
    schema = multiclass(classes=("1", "2", "3"))
    trees = pa.table({"tree": [1, 2, 3], "truth": [1.0, 3.0, math.nan]})
    found = reference_rows(schema, trees)
    assert found.rows.predicted.tolist() == [0, 1, 2]
    assert found.labels[:2].tolist() == [0.0, 2.0]


def test_a_regression_is_read_from_numbers_of_any_type() -> None:
    for kind in (pa.int32(), pa.float32(), pa.float64(), pa.decimal128(21, 2)):
        prices = pa.array([1, 2, None, 4]).cast(kind)
        found = reference_rows(regression(), pa.table({"price": prices, "paid": prices}))
        assert found.rows.scores[[0, 1, 3], 0].tolist() == [1.0, 2.0, 4.0]
        assert math.isnan(found.rows.scores[2, 0])
        assert found.labels[[0, 1, 3]].tolist() == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("schema", "columns", "message"),
    [
        (binary(), {"p": [], "late": []}, "no rows; give at least a few hundred"),
        (binary(), {"late": [1]}, r"the reference lacks p; it has late"),
        (
            binary(Feature("age", Kind.NUMERIC), Feature("city", Kind.CATEGORICAL)),
            {"p": [0.5], "city": ["Rome"]},
            "the reference lacks age; it has p, city",
        ),
        (binary(score=None, prediction="said"), {"late": [1]}, "the reference lacks said;"),
        (multiclass(), {"truth": ["ash"]}, "the reference lacks tree;"),
        (multiclass(scores=("a", "b", "c")), {"a": [1], "tree": ["ash"]}, "lacks b, c;"),
        (regression(), {"paid": [1]}, "the reference lacks price;"),
        (
            binary(),
            {"p": [0.5, 1.5]},
            r"score 'p' .* lies between 0.5 and 1.5; it has to be a prob",
        ),
        (binary(), {"p": [-0.1, None, 0.5]}, r"score 'p' .* lies between -0.1 and 0.5"),
        (binary(), {"p": [0.5, math.inf]}, r"score 'p' .* lies between 0.5 and inf"),
        (binary(), {"p": ["high"]}, "'p' of the reference holds string, where numbers are needed"),
        (binary(), {"p": [[0.1, 0.9]]}, "'p' of the reference holds list<.*>, where numbers are"),
        (
            binary(),
            {"p": [0.5, 0.5], "late": ["yes", "no"]},
            "'late' of the reference holds 'yes', which is none of 0, 1; name the classes with "
            "`positive` and `negative`",
        ),
        (binary(), {"p": [0.5], "late": [2]}, "'late' of the reference holds '2'"),
        (binary(), {"p": [0.5], "late": [0.5]}, "'late' of the reference holds '0.5'"),
        (binary(), {"p": [0.5], "late": [[1]]}, r"'late' of the reference holds '\[1\]'"),
        (
            binary(prediction="said"),
            {"p": [0.5], "said": ["maybe"]},
            "'said' of the reference holds 'maybe'",
        ),
        (
            multiclass(),
            {"tree": ["ash"], "truth": ["fir"]},
            "'truth' of the reference holds 'fir', which is none of ash, elm, oak; list it in "
            "`classes`",
        ),
        (multiclass(), {"tree": ["fir"]}, "'tree' of the reference holds 'fir'"),
        (
            multiclass(scores=("a", "e", "o")),
            {"a": [0.5], "e": [0.5], "o": [7.0]},
            "score 'o' of the reference lies between 7 and 7; it has to be a probability",
        ),
        (regression(), {"price": ["dear"]}, "'price' of the reference holds string, where numbers"),
        (regression(), {"price": [None, math.nan]}, "'price' of the reference holds no number"),
        (
            regression(),
            {"price": [1.0], "paid": ["much"]},
            "'paid' of the reference holds string, where numbers are needed",
        ),
    ],
)
def test_a_reference_that_does_not_fit_is_refused_with_the_remedy(schema, columns, message) -> None:
    with pytest.raises(SchemaError, match=message):
        reference_rows(schema, pa.table(columns))


def test_a_column_that_is_there_twice_is_refused() -> None:
    twice = pa.table([pa.array([0.5]), pa.array([0.6]), pa.array([1])], names=["p", "p", "late"])
    with pytest.raises(SchemaError, match="the reference has p more than once; rename or drop"):
        reference_rows(binary(), twice)


def test_chunks_and_slices_of_a_reference_are_read_as_one() -> None:
    schema = binary(Feature("n", Kind.NUMERIC), Feature("c", Kind.CATEGORICAL))
    whole = table(
        n=pa.array([None if i % 5 == 0 else i for i in range(N)]),
        c=pa.array([None if i % 7 == 0 else "abc"[i % 3] for i in range(N)]).dictionary_encode(),
    )
    around = pa.concat_tables([whole.slice(30), whole, whole.slice(0, 3)]).combine_chunks()
    parts = pa.concat_tables([whole.slice(0, 9), whole.slice(9, 1), whole.slice(10)])
    expected = reference_rows(schema, whole)
    plan = plan_from_reference(schema, expected.rows, expected.labels)
    for other in (around.slice(10, N), parts):
        found = reference_rows(schema, other)
        assert values_of(found, "n") == values_of(expected, "n")
        assert values_of(found, "c") == values_of(expected, "c")
        assert plan_from_reference(schema, found.rows, found.labels).digest == plan.digest
        assert isinstance(found.rows.features["c"], CategoryColumn)
