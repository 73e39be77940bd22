"""Which values a segment has, and which of them each row."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles.synthetic import category, numeric

from tocsin.errors import SchemaError
from tocsin.profiles import CategoryColumn, SegmentValues
from tocsin.profiles.columns import Column
from tocsin.profiles.segments import TOP_VALUES, segment_values
from tocsin.schema import Segment


def told(segment: Segment, reference: dict[str, Column], rows: dict[str, Column]) -> list[str]:
    """The value of each row by name."""
    found = segment_values(segment, reference)
    column = next(iter(rows.values()))
    count = len(column.codes if isinstance(column, CategoryColumn) else column.values)
    return [found.values[i] for i in found.of(rows, count)]


def values_of(segment: Segment, **reference: Column) -> tuple[str, ...]:
    return segment_values(segment, reference).values


def test_the_values_of_a_column_are_its_levels_the_most_frequent_first() -> None:
    segment = Segment("country", column="land", protected=True)
    reference = {"land": category(["DE", "FR", "FR", None])}
    found = segment_values(segment, reference)
    assert found.values == ("FR", "DE", "other", "unknown")
    assert found.keys() == ("country=FR", "country=DE", "country=other", "country=unknown")
    assert found.protected
    rows = {"land": category(["DE", None, "IT", "FR"])}
    assert told(segment, reference, rows) == ["DE", "unknown", "other", "FR"]


def test_rare_levels_are_told_apart_as_other() -> None:
    words = [f"w{i:02}" for i in range(30) for _ in range(60 - i)]
    reference = {"word": category(words)}
    segment = Segment("s", column="word")
    found = segment_values(segment, reference)
    assert len(found.values) == TOP_VALUES + 2
    assert told(segment, reference, {"word": category(["w00", "w19", "w20", "new"])}) == [
        "w00", "w19", "other", "other",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("levels", "rest"),
    [
        (["a"], ("other", "unknown")),
        (["other"], ("(other)", "unknown")),
        (["unknown", "other"], ("(other)", "(unknown)")),
        (["other", "(other)"], ("((other))", "unknown")),
        (["unknown", "(unknown)", "((unknown))"], ("other", "(((unknown)))")),
    ],
)
def test_a_level_may_be_called_what_the_rest_is_called(levels, rest) -> None:
    found = segment_values(Segment("s", column="word"), {"word": category(levels)})
    assert found.values[-2:] == rest
    assert len(set(found.values)) == len(found.values)
    rows = {"word": category([*levels, "new", None])}
    assert [found.values[i] for i in found.of(rows, len(levels) + 2)] == [*levels, *rest]


def test_a_column_that_is_empty_in_the_reference_has_two_values() -> None:
    reference = {"word": category([None, None])}
    assert values_of(Segment("s", column="word"), **reference) == ("other", "unknown")
    assert told(Segment("s", column="word"), reference, {"word": category(["a", None])}) == [
        "other", "unknown",
    ]  # fmt: skip


def test_cuts_divide_a_number_and_belong_to_the_value_above() -> None:
    segment = Segment("life", column="age", cuts=(18.0, 65.0))
    reference = {"age": numeric([1.0, 50.0])}
    assert values_of(segment, **reference) == ("below 18", "18 to 65", "from 65", "unknown")
    rows = {"age": numeric([-1e9, 17.999, 18.0, 64.9, 65.0, 1e9, None, math.nan, math.inf])}
    assert told(segment, reference, rows) == [
        "below 18", "below 18", "18 to 65", "18 to 65", "from 65", "from 65",
        "unknown", "unknown", "unknown",
    ]  # fmt: skip


def test_one_cut_makes_two_values() -> None:
    segment = Segment("life", column="age", cuts=(18,))
    assert values_of(segment, age=numeric([1.0])) == ("below 18", "from 18", "unknown")


def test_a_number_without_cuts_is_divided_at_the_quartiles_of_the_reference() -> None:
    reference = {"age": numeric([*map(float, range(101)), None, math.nan, math.inf])}
    segment = Segment("quarter", column="age")
    assert segment_values(segment, reference).cuts == (25.0, 50.0, 75.0)
    assert values_of(segment, **reference) == (
        "below 25", "25 to 50", "50 to 75", "from 75", "unknown",
    )  # fmt: skip


@pytest.mark.parametrize("values", [[3.0, 3.0], [None], [math.inf, math.nan], [0.0, 0.0, 1.0]])
def test_a_number_that_hardly_varies_has_one_value(values) -> None:
    found = segment_values(Segment("s", column="x"), {"x": numeric(values)})
    assert found.values[-1] == "unknown"
    assert len(found.values) <= 3
    rows = {"x": numeric([-1.0, 3.0, None])}
    assert found.values[found.of(rows, 3)[2]] == "unknown"


@pytest.mark.parametrize(
    "cuts",
    [
        (1_000_000.1, 1_000_000.2, 1_000_000.3),
        (1.0, 1.0 + 1e-12),
        (0.1234567, 0.1234568, 0.2),
        (1e17, 1e17 + 16),
    ],
)
def test_values_between_cuts_that_are_close_have_different_names(cuts) -> None:
    found = segment_values(Segment("s", column="x", cuts=cuts), {"x": numeric([1.0])})
    assert len(set(found.values)) == len(found.values) == len(cuts) + 2


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40, unique=True),
    st.lists(st.one_of(st.none(), st.floats()), max_size=30),
    st.data(),
)
def test_a_number_is_where_a_search_by_hand_finds_it(cuts, values, data) -> None:
    cuts = sorted(cuts)
    values = [*values, *data.draw(st.lists(st.sampled_from(cuts)))]
    found = segment_values(Segment("s", column="x", cuts=tuple(cuts)), {"x": numeric([1.0])})
    by_hand = [
        len(cuts) + 1 if v is None or not math.isfinite(v) else sum(cut <= v for cut in cuts)
        for v in values
    ]
    assert found.of({"x": numeric(values)}, len(values)).tolist() == by_hand


def test_a_condition_is_false_true_or_unknown_of_each_row() -> None:
    segment = Segment("far south", where="km > 100 and land == 'IT'")
    reference = {"km": numeric([1.0]), "land": category(["IT"])}
    found = segment_values(segment, reference)
    assert found.keys() == ("far south=false", "far south=true", "far south=unknown")
    rows = {
        "km": numeric([200.0, 50.0, None, None, 200.0]),
        "land": category(["IT", "IT", "IT", "FR", None]),
    }
    assert told(segment, reference, rows) == ["true", "false", "unknown", "false", "unknown"]


def test_any_number_but_zero_is_true() -> None:
    rows = {"x": numeric([0.0, -2.0, 0.5, None])}
    found = segment_values(Segment("s", where="x"), rows)
    assert [found.values[i] for i in found.of(rows, 4)] == ["false", "true", "true", "unknown"]


def test_a_condition_of_no_column_is_the_same_of_all_rows() -> None:
    found = segment_values(Segment("s", where="1 < 2"), {})
    assert found.of({}, 3).tolist() == [1, 1, 1]


def test_a_condition_that_is_text_is_refused() -> None:
    rows = {"land": category(["IT"])}
    with pytest.raises(SchemaError, match="is text"):
        segment_values(Segment("s", where="land"), rows).of(rows, 1)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=60))
def test_each_value_of_a_segment_has_a_name_of_its_own_and_each_row_a_value(words) -> None:
    rows = {"w": category(words)}
    found = segment_values(Segment("s", column="w"), rows)
    assert len(set(found.keys())) == len(found.values)
    of_row = found.of(rows, len(words))
    assert of_row.dtype == np.int32
    for value, word in zip((found.values[i] for i in of_row), words, strict=True):
        assert value == (found.values[-1] if word is None else word if word in found.levels
                         else found.values[-2])  # fmt: skip


def test_the_order_of_the_reference_does_not_matter() -> None:
    words = [f"w{i:02}" for i in range(40)]
    one = segment_values(Segment("s", column="w"), {"w": category(words)})
    other = segment_values(Segment("s", column="w"), {"w": category(words[::-1])})
    assert one == other
    assert isinstance(one, SegmentValues)
    assert one.levels == tuple(words[:TOP_VALUES])
