"""Requests and answers as rows."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tocsin.capture.answers import outputs_of, predictions_of
from tocsin.capture.exchange import Model, UnreadableError
from tocsin.capture.http_call import HttpCall
from tocsin.capture.reading import MOST_VALUES, rows_of, rows_of_body
from tocsin.capture.row_log import is_sampled
from tocsin.schema import Schema, Task

TWO = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
NAMES = ("a", "b")


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2, "y"]]}},
        {"dataframe_split": {"index": [7, 8], "data": [[1, "x"], [2, "y"]]}},
        {"dataframe_records": TWO},
        {"instances": TWO},
        {"instances": [[1, "x"], [2, "y"]]},
        {"inputs": {"a": [1, 2], "b": ["x", "y"]}},
        {"inputs": TWO, "params": {"temperature": 1}},
    ],
    ids=lambda body: next(iter(body)),
)
def test_every_format_gives_the_same_rows(body: dict[str, Any]) -> None:
    assert rows_of_body(body, NAMES) == TWO


@pytest.mark.parametrize(
    ("data", "names", "rows"),
    [
        (pd.DataFrame(TWO), (), TWO),
        (pd.DataFrame({0: [1], 1: [2]}), (), [{"0": 1, "1": 2}]),
        (pa.table({"a": [1, 2], "b": ["x", "y"]}), (), TWO),
        (np.array([[1, 2], [3, 4]]), (), [{"x0": 1, "x1": 2}, {"x0": 3, "x1": 4}]),
        (np.array([[1, 2]]), ("p", "q"), [{"p": 1, "q": 2}]),
        ({"a": np.array([1, 2]), "b": ["x", "y"]}, (), TWO),
        ({"t": [[1, 2], [3, 4]]}, (), [{"t.0": 1, "t.1": 2}, {"t.0": 3, "t.1": 4}]),
        ({"a": 1, "b": "x"}, (), TWO[:1]),
        ([1, 2], ("a",), [{"a": 1}, {"a": 2}]),
        ([[[1, 2], [3, 4]]], (), [{"x0": 1, "x1": 2, "x2": 3, "x3": 4}]),
        ([[0] * (MOST_VALUES + 1)], (), [{}]),
        ([], (), []),
    ],
)
def test_everything_that_predict_takes_has_rows(
    data: Any, names: tuple[str, ...], rows: list[Any]
) -> None:
    assert rows_of(data, names) == rows


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"inputs": 1},
        {"inputs": {"a": [1, 2], "b": [1]}},
        {"instances": 1, "inputs": 1},
        {"messages": []},
        {"dataframe_split": {"columns": ["a"]}},
        {"inputs": "text"},
    ],
)
def test_a_body_without_rows_is_unreadable(data: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        rows_of_body(data, NAMES)


def call(body: Any, answer: Any = None, names: tuple[str, ...] = NAMES) -> HttpCall:
    said = {"predictions": [0, 1]} if answer is None else answer
    return HttpCall(
        Model("1", None, names),
        "r",
        "application/json; charset=utf-8",
        (json.dumps(body).encode(),),
        (json.dumps(said).encode(),),
        1_000_000,
    )


def test_rows_have_ids_of_the_request_and_its_time() -> None:
    rows = call({"dataframe_records": TWO}).rows()
    assert rows.ids == ["r-0", "r-1"]
    assert rows.timestamps == [datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)] * 2


def test_ids_and_times_of_the_body_come_first() -> None:
    body = {"inputs": TWO, "request_ids": ["p", 2], "timestamp": "2026-01-01T00:00:00Z"}
    rows = call(body).rows()
    assert rows.ids == ["p", "2"]
    assert rows.timestamps == ["2026-01-01T00:00:00Z"] * 2
    each = call({"inputs": TWO, "timestamps": ["t0", "t1"]}).rows()
    assert each.timestamps == ["t0", "t1"]


def test_an_id_that_is_null_or_empty_is_made() -> None:
    rows = call({"inputs": TWO, "request_ids": [None, ""]}).rows()
    assert rows.ids == ["r-0", "r-1"]


def test_ids_in_the_rows_are_no_inputs() -> None:
    own = [{**row, "request_id": f"o{i}", "timestamp": "t"} for i, row in enumerate(TWO)]
    rows = call({"dataframe_records": own}).rows()
    assert (rows.ids, rows.inputs, rows.timestamps) == (["o0", "o1"], TWO, ["t", "t"])


def test_what_the_model_takes_is_an_input_whatever_it_is_called() -> None:
    own = [{**row, "request_id": 7} for row in TWO]
    for names in ((*NAMES, "request_id"), ()):
        rows = call({"dataframe_records": own}, names=names).rows()
        assert rows.ids == ["r-0", "r-1"]
        assert [row["request_id"] for row in rows.inputs] == [7, 7]


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"inputs": TWO, "request_ids": ["one"]}, None),
        ({"inputs": TWO, "request_ids": ["one", True]}, None),
        ({"inputs": TWO, "request_ids": ["one", {"a": 1}]}, None),
        ({"inputs": TWO, "timestamps": "t"}, None),
        ({"inputs": TWO}, {"predictions": [1]}),
        ({"inputs": TWO}, {"choices": []}),
        ({"inputs": TWO}, {"predictions": "text"}),
        ([1], None),
    ],
)
def test_rows_that_do_not_fit_together_are_unreadable(body: Any, answer: Any) -> None:
    with pytest.raises(UnreadableError):
        call(body, answer).rows()


@pytest.mark.parametrize(
    ("answer", "predictions"),
    [
        ([1, 0], [1, 0]),
        (np.array([[0.1, 0.9]]), [[0.1, 0.9]]),
        (pd.Series([1.5, 2.5]), [1.5, 2.5]),
        (pd.DataFrame({"p": [0.1], "q": [0.9]}), [{"p": 0.1, "q": 0.9}]),
        (pd.DataFrame([1.5, 2.5]), [1.5, 2.5]),
        # As MLflow writes the answer of a PyTorch model, and as it is before.
        ([{"0": 1.5}, {"0": 2.5}], [1.5, 2.5]),
        ([{"0": 0.2, "1": 0.8}], [[0.2, 0.8]]),
        (pd.DataFrame([[0.2, 0.8]]), [[0.2, 0.8]]),
        ([{"1": 0.2, "2": 0.8}, {}], [{"1": 0.2, "2": 0.8}, {}]),
        ({"p": [0.1, 0.2]}, [{"p": 0.1}, {"p": 0.2}]),
        ({"p": 0.1}, [{"p": 0.1}]),
        (0.5, [0.5]),
    ],
)
def test_answers_of_every_shape_have_a_prediction_a_row(answer: Any, predictions: Any) -> None:
    assert predictions_of(answer) == predictions


BINARY = Schema(Task.BINARY, (), "p", None, "y", positive="yes", negative="no")
BOTH = Schema(Task.BINARY, (), "p", "said", "y")
SAID = Schema(Task.BINARY, (), None, "said", "y")
SEVERAL = Schema(
    Task.MULTICLASS, (), None, "said", "y", classes=("a", "b", "c"), scores=("pa", "pb", "pc")
)
NUMBER = Schema(Task.REGRESSION, (), None, "level", "y")


@pytest.mark.parametrize(
    ("prediction", "schema", "classes", "scores", "outputs"),
    [
        ([0.2, 0.8], BINARY, ["no", "yes"], None, {"p": 0.8}),
        ([0.8, 0.2], BINARY, ["yes", "no"], None, {"p": 0.8}),
        ([0.2, 0.8], BINARY, None, None, {"p": 0.8}),
        ([0.8], BINARY, None, None, {"p": 0.8}),
        (0.8, BINARY, None, None, {"p": 0.8}),
        ("yes", BINARY, ["no", "yes"], [0.2, 0.8], {"prediction": "yes", "p": 0.8}),
        (1, BOTH, [0, 1], [0.2, 0.8], {"said": 1, "p": 0.8}),
        (1, BOTH, None, None, {"said": 1}),
        (0.7, BOTH, None, None, {"p": 0.7}),
        (0, SAID, [0, 1], None, {"said": 0}),
        ("b", SEVERAL, ["c", "b", "a"], [0.1, 0.7, 0.2],
         {"said": "b", "pc": 0.1, "pb": 0.7, "pa": 0.2}),
        ([0.1, 0.7, 0.2], SEVERAL, None, None, {"pa": 0.1, "pb": 0.7, "pc": 0.2}),
        ("b", SEVERAL, None, None, {"said": "b"}),
        (3.5, NUMBER, None, None, {"level": 3.5}),
        ([3.5], NUMBER, None, None, {"level": 3.5}),
        ({"p": 0.3, "why": "x"}, BINARY, ["no", "yes"], None, {"p": 0.3, "why": "x"}),
    ],
)  # fmt: skip
def test_outputs_have_the_names_of_the_monitor(
    prediction: Any, schema: Schema, classes: Any, scores: Any, outputs: dict[str, Any]
) -> None:
    assert outputs_of(prediction, schema, classes, scores) == outputs


def test_probabilities_of_other_classes_are_unreadable() -> None:
    with pytest.raises(UnreadableError, match="3 probabilities for 2 classes"):
        outputs_of([0.1, 0.2, 0.7], BINARY, ["no", "yes"])


def test_sampling_keeps_a_share_and_always_the_same() -> None:
    ids = [f"id-{i}" for i in range(20_000)]
    kept = {name for name in ids if is_sampled(name, 0.3)}
    assert 0.28 < len(kept) / len(ids) < 0.32
    assert kept == {name for name in ids if is_sampled(name, 0.3)}
    assert {name for name in ids if is_sampled(name, 0.1)} < kept
