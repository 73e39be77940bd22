import json
import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.client._plain import plain_column
from tocsin.client._rows import Outcome, Prediction, given_or_new_id, outcome, prediction
from tocsin.client._wire import encode_batch, encode_row, model_url, to_json, utc_text
from tocsin.errors import InvalidInputError

NOW = datetime(2013, 1, 1, 10, 30, tzinfo=UTC)
FIRST, LAST = datetime(2, 1, 1), datetime(9998, 1, 1)  # noqa: DTZ001 - Hypothesis wants them naive

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
    max_leaves=10,
)
texts = st.text(st.characters(exclude_categories=["Cs"]))


def row(**changes: Any) -> Prediction:
    fields = {
        "prediction_id": "a",
        "timestamp": NOW,
        "model_version": "3",
        "inputs": {"distance": 733},
        "outputs": {"probability_late": 0.7},
    }
    return Prediction(**(fields | changes))


@given(plain.filter(lambda value: "\\ud" not in json.dumps(value)))
def test_what_json_can_hold_arrives_unchanged(value: Any) -> None:
    assert json.loads(to_json(value)) == value


@given(st.lists(st.floats()))
def test_only_nan_and_infinities_become_null(values: list[float]) -> None:
    expected = [value if math.isfinite(value) else None for value in values]
    assert json.loads(to_json({"nested": [tuple(values)]})) == {"nested": [expected]}


@pytest.mark.parametrize(
    ("scalar", "number"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.25), 0.25),
        (np.int64(-3), -3),
        (np.uint8(7), 7),
        (np.bool_(True), True),
        (np.str_("A"), "A"),
        (np.float32("nan"), None),
        (np.float64("inf"), None),
        (np.array([0.5]), 0.5),
    ],
)
def test_numpy_scalars_become_plain_values(scalar: Any, number: Any) -> None:
    assert json.loads(to_json([scalar])) == [number]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (NOW, "2013-01-01T10:30:00+00:00"),
        (NOW.date(), "2013-01-01"),
        (NOW.time(), "10:30:00"),
        (pd.Timestamp(NOW), "2013-01-01T10:30:00+00:00"),
        (np.datetime64("2013-01-01T10:30"), "2013-01-01T10:30"),
        (np.datetime64("NaT"), None),
        (pd.NaT, None),
        (pd.NA, None),
        (Decimal("0.25"), 0.25),
        (Decimal("NaN"), None),
        (UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        (pd.Interval(0, 10), "(0, 10]"),
    ],
)
def test_values_of_other_kinds_have_a_plain_form(value: Any, written: Any) -> None:
    assert json.loads(to_json([value])) == [written]
    # The same beside a NaN, which takes another way.
    assert json.loads(to_json([value, math.nan])) == [written, None]
    assert plain_column([value]) == [written]


def cyclic() -> dict[str, Any]:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    return loop


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        b"bytes",
        np.array([1, 2]),
        np.longdouble(1),
        timedelta(1),
        "\ud800",
        cyclic(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_row_that_json_cannot_hold_is_an_invalid_input(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="a row cannot be written as JSON"):
        encode_row(row(inputs={"x": value}))


def test_a_row_that_cannot_be_written_names_the_type_in_the_way() -> None:
    with pytest.raises(InvalidInputError, match="of type timedelta has no JSON form"):
        encode_row(row(inputs={"x": timedelta(1)}))


def test_a_prediction_is_written_with_the_servers_names() -> None:
    assert json.loads(encode_row(row())) == {
        "prediction_id": "a",
        "timestamp": "2013-01-01T10:30:00Z",
        "model_version": "3",
        "inputs": {"distance": 733},
        "outputs": {"probability_late": 0.7},
    }


def test_an_outcome_is_written_with_the_servers_names() -> None:
    assert json.loads(encode_row(Outcome("a", NOW, 1))) == {
        "prediction_id": "a",
        "timestamp": "2013-01-01T10:30:00Z",
        "actual_outcome": 1,
    }


@given(st.lists(texts, max_size=5))
def test_a_batch_is_the_array_of_its_rows(ids: list[str]) -> None:
    assert json.loads(encode_batch([to_json(text) for text in ids])) == ids


@given(
    st.datetimes(FIRST, LAST),
    st.integers(-14 * 60, 14 * 60),
)
def test_every_aware_time_is_sent_as_the_same_moment_in_utc(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    for given_as in (moment, moment.isoformat()):
        text = utc_text(given_as)
        assert text.endswith("Z")
        assert datetime.fromisoformat(text) == moment


@pytest.mark.parametrize(
    ("timestamp", "why"),
    [
        (NOW.replace(tzinfo=None), "has no time zone"),
        ("2013-01-01T10:30:00", "has no time zone"),
        ("yesterday", "is a str of 9 signs, not ISO 8601"),
        ("", "is a str of 0 signs, not ISO 8601"),
        (1_357_036_200, "neither a datetime"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=5))), "out of range"),
    ],
)
def test_an_unusable_timestamp_is_an_invalid_input_that_says_why(timestamp: Any, why: str) -> None:
    with pytest.raises(InvalidInputError, match=f"timestamp .*{why}"):
        encode_row(row(timestamp=timestamp))


@pytest.mark.parametrize("prediction_id", ["", "x" * 129, 7, None])
def test_a_prediction_id_is_a_text_of_1_to_128_signs(prediction_id: Any) -> None:
    with pytest.raises(InvalidInputError, match="prediction_id"):
        encode_row(row(prediction_id=prediction_id))
    assert encode_row(row(prediction_id="x" * 128))


@pytest.mark.parametrize(
    ("url", "model", "expected"),
    [
        ("http://h", "m", "http://h/api/v1/models/m"),
        ("https://h:8443/", "m", "https://h:8443/api/v1/models/m"),
        ("http://h/tocsin/", "m", "http://h/tocsin/api/v1/models/m"),
        ("http://[::1]:8765", "a/b?c", "http://[::1]:8765/api/v1/models/a%2Fb%3Fc"),
    ],
)
def test_rows_are_posted_below_the_models_address(url: str, model: str, expected: str) -> None:
    assert model_url(url, model) == expected


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8765", "ftp://h", "http://", "http://a b", "http://h:x", "http://h:99999",
     "http://h?x=1", "http://h#x", None, 8765],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_an_invalid_input(url: Any) -> None:
    with pytest.raises(InvalidInputError):
        model_url(url, "m")


@pytest.mark.parametrize("model", ["", " ", ".", "..", None])
def test_a_model_needs_a_name(model: Any) -> None:
    with pytest.raises(InvalidInputError, match="name of a model"):
        model_url("http://h", model)


def test_a_record_keeps_its_own_id_time_and_version() -> None:
    record = {
        "prediction_id": "a",
        "timestamp": "t",
        "model_version": "9",
        "inputs": {},
        "outputs": {},
    }
    assert prediction(record, "a", "3", NOW) == Prediction("a", "t", "9", {}, {})


def test_what_a_record_leaves_out_is_filled_in() -> None:
    record = MappingProxyType({"inputs": {"x": 1}, "outputs": {}})
    assert prediction(record, "new", "3", NOW) == Prediction("new", NOW, "3", {"x": 1}, {})
    assert outcome({"prediction_id": "a", "actual_outcome": 0}, NOW) == Outcome("a", NOW, 0)


def test_new_ids_differ_and_sort_by_time() -> None:
    assert given_or_new_id({}) != given_or_new_id({"prediction_id": None})
    assert given_or_new_id({"prediction_id": "mine"}) == "mine"


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"inputs": {}}, "no 'outputs'"),
        ({"inputs": {}, "outputs": {}, "timstamp": "x"}, "unknown key timstamp"),
        ({"inputs": 5, "outputs": {}}, "inputs is a int"),
        ({"inputs": {}, "outputs": [1, 2]}, "outputs is a list"),
        ("inputs", "a str is not a record"),
    ],
)
def test_a_record_of_the_wrong_shape_is_an_invalid_input(record: Any, why: str) -> None:
    with pytest.raises(InvalidInputError, match=why):
        prediction(record, "a", "3", NOW)


def test_an_outcome_needs_the_id_of_its_prediction() -> None:
    with pytest.raises(InvalidInputError, match="no 'prediction_id'"):
        outcome({"actual_outcome": 1}, NOW)
