"""Tables of every library that people keep predictions in, against records of the same rows."""

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.conftest import Script

from tocsin.client import Client

Columns = dict[str, list[Any]]

FORMS: dict[str, Callable[[Columns], Any]] = {
    "dict": lambda columns: columns,
    "dict of arrays": lambda columns: {
        name: np.array(values, dtype=object) for name, values in columns.items()
    },
    "dict of series": lambda columns: {
        name: pd.Series(values, index=range(7, 7 + len(values)), dtype=object)
        for name, values in columns.items()
    },
    "arrow table": pa.table,
    "arrow batch": lambda columns: pa.RecordBatch.from_pydict(columns),
    "arrow chunks": lambda columns: pa.concat_tables(
        pa.table(columns).slice(at, 1) for at in range(len(columns["x"]))
    ),
    "polars": pl.DataFrame,
    "pandas": pd.DataFrame,
    "pandas of arrow": lambda columns: pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype),
    "pandas, odd index": lambda columns: pd.DataFrame(columns).set_index(
        pd.Index([5] * len(columns["x"]))
    ),
    "duckdb": lambda columns: duckdb.from_arrow(pa.table(columns)),
}
forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)

COLUMNS: Columns = {
    "x": [1, 2, 3],
    "y": [0.5, None, 0.25],
    "carrier": ["UA", "DL", None],
    "at": [datetime(2013, 1, 1, hour, tzinfo=UTC) for hour in range(3)],
    "probability": [0.75, 0.25, 0.0],
}
INPUTS = [
    {"x": 1, "y": 0.5, "carrier": "UA", "at": "2013-01-01T00:00:00+00:00"},
    {"x": 2, "y": None, "carrier": "DL", "at": "2013-01-01T01:00:00+00:00"},
    {"x": 3, "y": 0.25, "carrier": None, "at": "2013-01-01T02:00:00+00:00"},
]
SCORES = [{"probability": 0.75}, {"probability": 0.25}, {"probability": 0.0}]


class Logged:
    """A client, and what arrives of what it logs."""

    def __init__(self, **options: Any) -> None:
        self.server = Script()
        self.client = Client(
            "http://tocsin.test", model="late", model_version="3", transport=self.server, **options
        )

    def __enter__(self) -> "Logged":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close(timeout_s=1.0)

    @property
    def rows(self) -> list[dict[str, Any]]:
        assert self.client.flush()
        return [row for body in self.server.bodies for row in body]

    @property
    def refusal(self) -> str:
        assert not self.client.flush()
        assert self.server.requests == []
        return str(self.client.stats.last_error)


@forms
@pytest.mark.parametrize("batch_rows", [2, 1000])
def test_a_table_arrives_as_its_rows_do(form: Any, batch_rows: int) -> None:
    with Logged(batch_rows=batch_rows) as log:
        ids = log.client.log_predictions(form(COLUMNS), outputs=("probability",))
        assert [row["inputs"] for row in log.rows] == INPUTS
        assert [row["outputs"] for row in log.rows] == SCORES
        assert [row["prediction_id"] for row in log.rows] == ids
        assert {row["model_version"] for row in log.rows} == {"3"}
        assert {UUID(one).version for one in ids} == {7}
        assert len(set(ids)) == len(ids) == 3


@forms
def test_columns_of_the_names_of_fields_are_those_fields(form: Any) -> None:
    own = {
        "prediction_id": ["a", "b", "c"],
        "timestamp": [datetime(2013, 1, 1, tzinfo=UTC), None, datetime(2013, 1, 3, tzinfo=UTC)],
        "model_version": ["7", None, "8"],
    }
    with Logged() as log:
        before = datetime.now(UTC)
        assert log.client.log_predictions(form(COLUMNS | own), "probability") == ["a", "b", "c"]
        rows = log.rows
    assert [row["inputs"] for row in rows] == INPUTS
    assert [row["model_version"] for row in rows] == ["7", "3", "8"]
    assert rows[0]["timestamp"] == "2013-01-01T00:00:00Z"
    assert before <= datetime.fromisoformat(rows[1]["timestamp"]) <= datetime.now(UTC)


@forms
def test_outputs_may_be_a_second_table_of_any_kind(form: Any) -> None:
    columns = {name: values for name, values in COLUMNS.items() if name != "probability"}
    scores = np.array(COLUMNS["probability"])
    for outputs in (
        form({"x": COLUMNS["x"]} | {"probability": COLUMNS["probability"]}),
        {"x": [1, 2, 3], "probability": scores},
    ):
        with Logged() as log:
            log.client.log_predictions(form(columns), outputs)
            expected = [{"x": x + 1} | score for x, score in enumerate(SCORES)]
            assert [row["outputs"] for row in log.rows] == expected
            assert [row["inputs"] for row in log.rows] == INPUTS


@pytest.mark.parametrize(
    "outputs", [pd.Series([0.5], name="p", index=[9]), pl.Series("p", [0.5])], ids=["pandas", "pl"]
)
def test_outputs_may_be_a_series_with_a_name(outputs: Any) -> None:
    with Logged() as log:
        log.client.log_predictions({"x": [1]}, outputs)
        assert [row["outputs"] for row in log.rows] == [{"p": 0.5}]


@forms
def test_a_table_of_outcomes_arrives_as_its_rows_do(form: Any) -> None:
    columns = {
        "prediction_id": ["a", "b"],
        "actual_outcome": [1, 0],
        "timestamp": [datetime(2013, 1, 1, tzinfo=UTC)] * 2,
    }
    shape = {"x": columns.pop("prediction_id")} | columns
    table = form(shape)
    renamed = (
        {"prediction_id": table["x"]} | {name: table[name] for name in columns}
        if isinstance(table, dict)
        else renamed_table(table)
    )
    with Logged() as log:
        log.client.log_outcomes(renamed)
        assert log.rows == [
            {"prediction_id": "a", "timestamp": "2013-01-01T00:00:00Z", "actual_outcome": 1},
            {"prediction_id": "b", "timestamp": "2013-01-01T00:00:00Z", "actual_outcome": 0},
        ]


def renamed_table(table: Any) -> Any:
    if isinstance(table, pa.Table | pa.RecordBatch):
        return table.rename_columns(["prediction_id", "actual_outcome", "timestamp"])
    if isinstance(table, pd.DataFrame):
        return table.rename(columns={"x": "prediction_id"})
    if isinstance(table, pl.DataFrame):
        return table.rename({"x": "prediction_id"})
    return table.project("x as prediction_id, actual_outcome, timestamp")


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**53), 2**53) | st.none(),
            st.floats() | st.none(),
            st.text(st.characters(exclude_categories=["Cs"])) | st.none(),
            st.booleans() | st.none(),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_every_library_says_the_same_as_records(rows: list[tuple[Any, ...]]) -> None:
    names = ("x", "y", "text", "flag")
    columns = {
        name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }
    types = {"x": pa.int64(), "y": pa.float64(), "text": pa.string(), "flag": pa.bool_()}
    arrow = pa.table(columns, schema=pa.schema(types))
    tables = (columns, arrow, pl.from_arrow(arrow), arrow.to_pandas(types_mapper=pd.ArrowDtype))
    with Logged() as log:
        log.client.log_predictions(
            [{"inputs": dict(zip(names, row, strict=True)), "outputs": {"p": 1}} for row in rows]
        )
        for table in tables:
            log.client.log_predictions(table, {"p": [1] * len(rows)})
        arrived = [row["inputs"] for row in log.rows]
    parts = [arrived[at : at + len(rows)] for at in range(0, len(arrived), len(rows))]
    assert parts == [parts[0]] * 5


def test_what_pandas_means_by_missing_is_null() -> None:
    frame = pd.DataFrame(
        {
            "float": [0.5, np.nan],
            "integer": pd.array([1, None], dtype="Int64"),
            "time": pd.to_datetime(["2013-01-01T10:30:00+01:00", None]),
            "category": pd.Categorical(["a", None]),
            "text": pd.array(["a", None], dtype="string"),
            "flag": pd.array([True, None], dtype="boolean"),
            "object": [np.float32(0.5), None],
            "bins": pd.cut([5, 50], [0, 10]),
        }
    )
    with Logged() as log:
        log.client.log_predictions(frame, outputs=())
        assert [row["inputs"] for row in log.rows] == [
            {"float": 0.5, "integer": 1, "time": "2013-01-01T10:30:00+01:00", "category": "a",
             "text": "a", "flag": True, "object": 0.5, "bins": "(0.0, 10.0]"},
            dict.fromkeys(frame.columns),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "change"),
    [
        (pd.DataFrame({"x": [1.0, 2.0]}), lambda frame: frame.__setitem__("x", 9.0)),
        (pd.DataFrame({"x": [1.0, 2.0]}), lambda frame: frame.iloc.__setitem__((0, 0), 9.0)),
        (pl.DataFrame({"x": [1.0, 2.0]}), lambda frame: frame.__setitem__((0, "x"), 9.0)),
        ({"x": [1.0, 2.0]}, lambda columns: columns["x"].__setitem__(0, 9.0)),
        ({"x": np.array([1.0, 2.0])}, lambda columns: columns["x"].__setitem__(0, 9.0)),
        ({"x": pd.Series([1.0, 2.0])}, lambda columns: columns["x"].__setitem__(0, 9.0)),
    ],
)
def test_later_changes_to_the_hosts_table_are_not_sent(table: Any, change: Any) -> None:
    with Logged(max_delay_s=3600.0) as log:
        ids = log.client.log_predictions(table, outputs="x")
        kept = list(ids)
        change(table)
        ids.reverse()
        assert [row["outputs"]["x"] for row in log.rows] == [1.0, 2.0]
        assert [row["prediction_id"] for row in log.rows] == kept


def test_a_table_is_read_off_the_serving_thread() -> None:
    readers: list[str] = []

    class Column(list[Any]):
        def slice(self, start: int, rows: int) -> "Column":
            readers.append(threading.current_thread().name)
            return Column(self[start : start + rows])

        def to_pylist(self) -> list[Any]:
            return list(self)

    with Logged(batch_rows=2) as log:
        log.client.log_predictions({"x": Column([1, 2, 3])}, outputs="x")
        assert [row["outputs"]["x"] for row in log.rows] == [1, 2, 3]
    assert readers == ["tocsin-client"] * 2


def test_a_row_that_cannot_be_sent_costs_no_other_of_its_table() -> None:
    with Logged() as log:
        log.client.log_predictions({"x": [1, object(), 3]}, outputs="x")
        assert not log.client.flush()
        assert [row["outputs"]["x"] for row in log.rows] == [1, 3]
        assert (log.client.stats.sent, log.client.stats.rejected) == (2, 1)


def test_a_table_that_finds_room_is_taken_whole_and_the_next_is_dropped() -> None:
    with Logged(max_queue=10, max_delay_s=3600.0) as log:
        for _ in range(2):
            log.client.log_predictions({"x": list(range(25))}, outputs="x")
        stats = log.client.stats
        assert (stats.queued, stats.dropped, stats.logged) == (25, 25, 50)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (({"x": [1, 2]}, ["p"]), "has no column p; it has x"),
        (({"x": [1, 2]}, {"p": [1]}), "2 row(s) of inputs but 1 of outputs"),
        (({"x": [1, 2]}, np.array([1, 2])), "outputs is a ndarray"),
        (({"x": [1, 2], "y": [1]}, ["x"]), "columns differ in length"),
        (({"x": "text"}, ["x"]), "a str is not a column"),
        ((pd.DataFrame({"x": [1, 2]}),), "outputs is a NoneType"),
        ((pd.DataFrame([[1, 2]], columns=["x", "x"]), ["x"]), "two columns are called 'x'"),
        ((np.array([[1.0], [2.0]]), ["x"]), "is not a table"),
        ((pl.LazyFrame({"x": [1]}), ["x"]), "is not a table"),
    ],
)
def test_a_table_that_cannot_be_sent_says_why_and_raises_nothing(arguments: Any, why: str) -> None:
    with Logged() as log:
        ids = log.client.log_predictions(*arguments)
        assert why in log.refusal
        assert log.client.stats.rejected == max(1, len(ids)) == log.client.stats.logged


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"prediction_id": ["a"]}, "no column actual_outcome"),
        ({"actual_outcome": [1]}, "no column prediction_id"),
        (
            {"prediction_id": ["a"], "actual_outcome": [1], "timstamp": ["x"]},
            "unknown column timstamp",
        ),
    ],
)
def test_a_table_of_outcomes_that_cannot_be_sent_says_why(table: Any, why: str) -> None:
    with Logged() as log:
        log.client.log_outcomes(table)
        assert why in log.refusal


def test_a_dict_without_outputs_is_one_record() -> None:
    with Logged() as log:
        (one,) = log.client.log_predictions({"inputs": {"x": 1}, "outputs": {"p": 0.5}})
        log.client.log_outcomes({"prediction_id": one, "actual_outcome": 1})
        assert [row["prediction_id"] for row in log.rows] == [one, one]


def test_the_sdk_loads_none_of_these_libraries() -> None:
    code = "import sys, tocsin; print({'pandas', 'pyarrow', 'polars', 'numpy'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"
