"""Features renamed or of another kind: the rows say the same as before, and none is lost."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lake.world import DAY_1, SCHEMA, folder_of, lake_in, predictions

from tocsin.errors import SchemaError
from tocsin.lake import ModelLake, Table, predictions_schema
from tocsin.lake.evolution import _converted
from tocsin.schema import Feature, Kind, Schema, Task
from tocsin.service import decoding

IDS = ("a", "b", "c", "d")


def schema_with(*features: Feature) -> Schema:
    return Schema(Task.BINARY, features, "p", None, "truth")


def evolved(folder: Path, *features: Feature) -> ModelLake:
    """The lake by a schema of these features."""
    lake = lake_in(folder, schema_with(*features))
    lake.evolve()
    return lake


TOWN = Feature("town", Kind.CATEGORICAL, was=("city",))


def rows_of(lake: ModelLake) -> list[dict[str, Any]]:
    tables = [rows for _, rows in lake.scan_predictions(until=99)]
    return [row for rows in tables for row in rows.to_pylist()]


def column(lake: ModelLake, name: str) -> list[Any]:
    return [row[name] for row in sorted(rows_of(lake), key=lambda row: row["prediction_id"])]


@pytest.fixture
def lake(tmp_path: Path) -> ModelLake:
    found = lake_in(tmp_path)
    more = {
        "input_amount": [1.0, 2.5, None, -0.0],
        "input_city": ["7", "x y", None, "1e3"],
        "extra": [None, '{"wind":3}', None, None],
    }
    found.seal(Table.PREDICTIONS, predictions(found, *IDS, **more), 3)
    found.seal(Table.PREDICTIONS, predictions(found, "e", day=1, offset=4), 4)
    return found


def test_a_renamed_feature_keeps_its_values(lake: ModelLake, tmp_path: Path) -> None:
    before = column(lake, "input_city")
    after = evolved(tmp_path, TOWN)
    assert column(after, "input_town") == before
    stored = pa.schema(DeltaTable(folder_of(tmp_path) / "predictions").schema().to_arrow())
    assert "input_city" not in stored.names
    assert {"input_amount", "id_hash", "date"} <= set(stored.names)


@pytest.mark.usefixtures("lake")
def test_numbers_become_text_as_a_request_would_have_written_it(tmp_path: Path) -> None:
    after = evolved(tmp_path, Feature("amount", Kind.CATEGORICAL))
    assert column(after, "input_amount") == ["1", "2.5", None, "0", "0"]
    assert column(after, "extra") == [None, '{"wind":3}', None, None, None]


@pytest.mark.usefixtures("lake")
def test_text_that_is_no_number_goes_into_extra(tmp_path: Path) -> None:
    after = evolved(tmp_path, Feature("city", Kind.NUMERIC))
    assert column(after, "input_city") == [7.0, None, None, 1000.0, None]
    extra = [None if text is None else json.loads(text) for text in column(after, "extra")]
    assert extra == [None, {"city": "x y", "wind": 3}, None, None, {"city": "Bern"}]


@pytest.mark.usefixtures("lake")
def test_a_feature_may_be_renamed_and_of_another_kind_at_once(tmp_path: Path) -> None:
    begun = Feature("begun", Kind.CATEGORICAL, was=("started", "since"))
    after = evolved(tmp_path, begun, Feature("amount", Kind.DATETIME))
    assert column(after, "input_begun") == ["2024-02-27T00:00:00Z"] * 5
    assert column(after, "input_amount") == [None] * 5
    assert json.loads(column(after, "extra")[0]) == {"amount": 1.0}


def test_it_is_one_commit_that_keeps_offsets_days_and_what_was_removed(
    lake: ModelLake, tmp_path: Path
) -> None:
    lake.erase(Table.PREDICTIONS, pa.table({"prediction_id": pa.array(["e"])}))
    version = DeltaTable(folder_of(tmp_path) / "predictions").version()
    again = evolved(tmp_path, TOWN, Feature("amount", Kind.CATEGORICAL))
    delta = DeltaTable(folder_of(tmp_path) / "predictions")
    assert delta.version() == version + 1
    assert (again.sealed(Table.PREDICTIONS), again.removed(Table.PREDICTIONS)) == (4, 1)
    assert delta.metadata().partition_columns == ["date"]
    assert again.clashes() == []
    assert delta.metadata().configuration["delta.dataSkippingStatsColumns"] == "timestamp"
    rows = again.find(
        Table.PREDICTIONS, pa.array(["b"]), until=9, spans=((DAY_1.date(), DAY_1.date()),)
    )
    assert rows["input_town"].to_pylist() == ["x y"]
    again.seal(
        Table.PREDICTIONS,
        predictions(again, "f", offset=5, input_town=["z"], input_amount=["1"]),
        5,
    )
    assert column(again, "input_town")[-1] == "z"


@pytest.mark.usefixtures("lake")
def test_a_repeat_changes_nothing(tmp_path: Path) -> None:
    town = Feature("town", Kind.BOOLEAN, was=("city",))
    for _ in range(2):
        evolved(tmp_path, town, Feature("amount", Kind.CATEGORICAL))
        assert DeltaTable(folder_of(tmp_path) / "predictions").version() == 2
    evolved(tmp_path, Feature("sent", Kind.NUMERIC, was=("never",)))
    assert DeltaTable(folder_of(tmp_path) / "predictions").version() == 2


def test_a_crash_before_the_commit_changes_nothing(
    lake: ModelLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(lake)

    def dying(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DeltaTable, "create_write_transaction", dying)
        with pytest.raises(KeyboardInterrupt):
            evolved(tmp_path, TOWN)
    assert rows_of(lake_in(tmp_path)) == before
    after = evolved(tmp_path, TOWN)
    assert column(after, "input_town") == ["7", "x y", None, "1e3", "Bern"]


@pytest.mark.usefixtures("lake")
def test_a_name_that_rows_have_already_is_refused(tmp_path: Path) -> None:
    amount = Feature("amount", Kind.CATEGORICAL, was=("city",))
    with pytest.raises(SchemaError, match="'amount' cannot be what `was` says"):
        evolved(tmp_path, amount)
    with pytest.raises(SchemaError, match="both names"):
        lake_in(tmp_path, schema_with(amount)).check_evolution()


@pytest.mark.usefixtures("lake")
def test_older_files_may_lack_the_feature(tmp_path: Path) -> None:
    wider = schema_with(*SCHEMA.features, Feature("wind", Kind.NUMERIC))
    more = lake_in(tmp_path, wider)
    more.seal(Table.PREDICTIONS, predictions(more, "f", day=1, offset=5, input_wind=[4.0]), 5)
    after = evolved(tmp_path, Feature("gust", Kind.CATEGORICAL, was=("wind",)))
    assert column(after, "input_gust") == [None] * 5 + ["4"]


@settings(deadline=None)
@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False)))
def test_text_of_numbers_is_what_the_decoder_makes_of_them(values: list[float | None]) -> None:
    schema = schema_with(Feature("x", Kind.CATEGORICAL))
    wanted = decoded(schema, values)
    found, misfits = _converted(pa.array(values, pa.float64()), Kind.CATEGORICAL)
    assert (found.to_pylist(), misfits) == (wanted, {})


@settings(deadline=None)
@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_survive_being_text(values: list[float | None]) -> None:
    text, _ = _converted(pa.array(values, pa.float64()), Kind.CATEGORICAL)
    back, misfits = _converted(text, Kind.NUMERIC)
    assert (back.to_pylist(), misfits) == (values, {})


@settings(deadline=None)
@given(st.lists(st.text(max_size=6) | st.sampled_from(["nan", "inf", "1_0", " 1", "0x1", "٣"])))
def test_no_text_is_lost(values: list[str]) -> None:
    found, misfits = _converted(pa.array(values, pa.string()), Kind.NUMERIC)
    for row, (value, number) in enumerate(zip(values, found.to_pylist(), strict=True)):
        assert (number is None) == (row in misfits)
        if number is None:
            assert misfits[row] == value
        else:
            assert float(value) == number


def decoded(schema: Schema, values: list[float | None]) -> list[str | None]:
    """What the decoder makes of requests with these values."""
    records = [{"inputs": {"x": value}, "outputs": {"p": 0.5}} for value in values]
    by = decoding.Reading(schema, version="1", now=2**52, skew=0)
    rows = decoding.predictions(decoding.given(records, schema, "a prediction"), by).predictions
    assert rows.schema == predictions_schema(schema)
    return rows["input_x"].to_pylist()


def test_moments_survive_being_text() -> None:
    moment = datetime(2024, 2, 29, 13, 4, 5, 678901, UTC)
    text, _ = _converted(pa.array([moment], pa.timestamp("us", "UTC")), Kind.CATEGORICAL)
    assert text.to_pylist() == ["2024-02-29T13:04:05.678901Z"]
    back, misfits = _converted(pa.concat_arrays([text, pa.array(["soon"])]), Kind.DATETIME)
    assert (back.to_pylist(), misfits) == ([moment, None], {1: "soon"})
