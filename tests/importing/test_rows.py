"""Rows of any source in the server's plain shape, so that its own decoder takes them."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from tocsin.errors import InvalidInputError
from tocsin.importing import Columns, Kind, Model
from tocsin.importing.rows import Shaped, shaped
from tocsin.sources import Batch, Tombstone

LATE = Model(
    name="late",
    features=("distance", "carrier", "night", "booked"),
    outputs=("p",),
    label="late",
    numbers=frozenset({"distance", "p"}),
    booleans=frozenset({"night"}),
    moments=frozenset({"booked"}),
)
AT = datetime(2024, 3, 1, 12, tzinfo=UTC)
naive = datetime.fromisoformat


def of(rows: Any, kind: Kind = "predictions", *, zone: str | None = None, **more: Any) -> Shaped:
    names = more.pop("names", {})
    batch = Batch(rows, [f"made-{i}" for i in range(len(rows))], "", 1, None, **more)
    return shaped(batch, kind, LATE, Columns(names, zone and ZoneInfo(zone)))


def records(rows: Any, kind: Kind = "predictions", **more: Any) -> Sequence[Any]:
    found = of(rows, kind, **more).rows
    return [nested(row) for row in found.to_pylist()] if isinstance(found, pa.Table) else found


def nested(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a table as the record that the server takes it for."""
    if "actual_outcome" in row:
        return {name: plain(value) for name, value in row.items()}
    record: dict[str, Any] = {"inputs": dict.fromkeys(LATE.features), "outputs": {}}
    for name, value in row.items():
        part, dot, inner = name.partition(".")
        if dot:
            record[part][inner] = plain(value)
        else:
            record[name] = plain(value)
    return record


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, datetime) else value


def test_a_table_becomes_records_of_the_columns_that_the_model_knows() -> None:
    table = pa.table(
        {
            "prediction_id": ["a", None],
            "timestamp": [AT, AT],
            "distance": [Decimal("1.5"), None],
            "carrier": ["AA", "UA"],
            "p": [0.25, 0.75],
            "secret": ["x", "y"],
        }
    )
    first, second = records(table)
    assert first == {
        "prediction_id": "a",
        "timestamp": "2024-03-01T12:00:00+00:00",
        "inputs": {"distance": 1.5, "carrier": "AA", "night": None, "booked": None},
        "outputs": {"p": 0.25},
    }
    assert (second["prediction_id"], second["inputs"]["distance"]) == ("made-1", None)


def test_columns_of_other_names_are_found_by_them() -> None:
    names = {"timestamp": "scored_at", "prediction_id": "order", "distance": "miles", "p": "score"}
    table = pa.table({"scored_at": [AT], "order": [7], "miles": [3.0], "score": [0.5]})
    (from_table,) = records(table, names=names)
    row = {"scored_at": AT.isoformat(), "order": 7, "miles": 3.0, "score": 0.5}
    (from_json,) = records([row], names=names)
    assert from_table == from_json
    assert from_table["prediction_id"] == 7
    assert from_table["inputs"]["distance"] == 3.0


def test_structs_and_objects_of_inputs_and_outputs_are_taken_as_they_are() -> None:
    nested = {
        "timestamp": AT.isoformat(),
        "inputs": {"distance": 1.0, "carrier": "AA"},
        "outputs": {"p": 0.5},
    }
    (from_table,) = records(pa.Table.from_pylist([nested]))
    (from_json,) = records([nested])
    assert from_json == {**nested, "prediction_id": "made-0"}
    assert from_table["inputs"]["distance"] == 1.0
    assert from_table["outputs"] == {"p": 0.5}


@pytest.mark.parametrize(
    "moment",
    [
        pa.array([naive("2024-03-01T12:00")], pa.timestamp("ns")),
        pa.array([naive("2024-03-01T12:00")], pa.timestamp("s")),
        pa.array(["2024-03-01 12:00:00"]),
        pa.array(["2024-03-01T12:00:00"], pa.large_string()),
    ],
)
def test_times_without_a_zone_need_one(moment: pa.Array) -> None:
    table = pa.table({"timestamp": moment, "p": [0.5]})
    with pytest.raises(InvalidInputError, match="'timestamp' has times without a zone"):
        records(table)
    (row,) = records(table, zone="Europe/Berlin")
    assert datetime.fromisoformat(row["timestamp"]) == datetime(2024, 3, 1, 11, tzinfo=UTC)


def test_the_hour_that_comes_twice_is_the_first_and_the_one_that_never_does_the_later() -> None:
    moments = [naive("2024-10-27T02:30"), naive("2024-03-31T02:30")]
    table = pa.table({"timestamp": pa.array(moments, pa.timestamp("us")), "p": [0.5, 0.5]})
    twice, never = (row["timestamp"] for row in records(table, zone="Europe/Berlin"))
    assert twice == "2024-10-27T00:30:00+00:00"
    assert never == "2024-03-31T01:00:00+00:00"


def test_days_are_their_midnight() -> None:
    (row,) = records(pa.table({"timestamp": [date(2024, 3, 1)], "p": [0.5]}), zone="UTC")
    assert row["timestamp"] == "2024-03-01T00:00:00+00:00"


def test_features_that_are_times_are_zoned_likewise() -> None:
    table = pa.table({"timestamp": [AT], "booked": [naive("2024-03-01")], "p": [0.5]})
    with pytest.raises(InvalidInputError, match="'booked' has times without a zone"):
        records(table)
    (row,) = records(table, zone="Europe/Berlin")
    assert row["inputs"]["booked"] == "2024-02-29T23:00:00+00:00"


def test_numbers_as_times_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="'timestamp' is int64; a time has to be"):
        records(pa.table({"timestamp": [1709290800], "p": [0.5]}))


@pytest.mark.parametrize(
    ("table", "kind", "message"),
    [
        ({"p": [0.5]}, "predictions", r"no column 'timestamp'; name .* --column timestamp=NAME"),
        ({"timestamp": [AT]}, "predictions", r"no column 'p'; .* --column p=NAME, of timestamp"),
        ({"timestamp": [AT], "late": [1]}, "outcomes", "--column prediction_id=NAME"),
        ({"timestamp": [AT], "prediction_id": ["a"]}, "outcomes", "actual_outcome=NAME"),
        ({"prediction_id": ["a"], "late": [1]}, "outcomes", "outcome_timestamp=NAME"),
    ],
)
def test_a_needed_column_that_is_missing_is_asked_for(
    table: dict[str, Any], kind: Kind, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        records(pa.table(table), kind)


def test_a_column_that_was_named_and_is_not_there_is_said() -> None:
    with pytest.raises(InvalidInputError, match="no column 'scored'; there are timestamp, p"):
        records(pa.table({"timestamp": [AT], "p": [0.5]}), names={"timestamp": "scored"})


def test_a_name_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="--column distanz=d: model 'late' has no 'distanz"):
        Columns({"distanz": "d"}).check(LATE)
    Columns({"distance": "d", "timestamp": "t", "actual_outcome": "y"}).check(LATE)


@pytest.mark.parametrize("label", ["actual_outcome", "label", "late"])
def test_outcomes_are_found_by_any_of_their_names(label: str) -> None:
    row = {"prediction_id": "a", "timestamp": AT.isoformat(), label: 1}
    wanted = [{"prediction_id": "a", "timestamp": AT.isoformat(), "actual_outcome": 1}]
    assert records([row], "outcomes") == wanted
    assert records(pa.Table.from_pylist([row]), "outcomes") == wanted


def test_the_time_of_an_outcome_goes_before_that_of_its_prediction() -> None:
    row = {"prediction_id": "a", "timestamp": "x", "outcome_timestamp": "y", "late": 0}
    assert records([row], "outcomes")[0]["timestamp"] == "y"
    assert records(pa.Table.from_pylist([row]), "outcomes")[0]["timestamp"] == "y"


def test_rows_without_a_time_or_an_outcome_are_left_out_and_counted() -> None:
    rows = [{"p": 0.5, "timestamp": None}, {"p": 0.5, "timestamp": AT.isoformat()}]
    assert (of(rows).timeless, len(of(rows).rows)) == (1, 1)
    assert of(pa.Table.from_pylist(rows)).timeless == 1
    outcomes = [{"prediction_id": i, "timestamp": AT.isoformat(), "late": i} for i in (None, 1)]
    found = of(outcomes, "outcomes")
    assert (found.unlabelled, len(found.rows)) == (1, 1)


def test_rows_take_the_time_of_their_message() -> None:
    (row,) = records([{"p": 0.5}], times=[AT.isoformat()])
    assert row["timestamp"] == AT.isoformat()


@pytest.mark.parametrize("odd", ["text", None, 7, [1], True])
def test_what_is_no_record_is_left_to_the_server(odd: Any) -> None:
    assert records([odd]) == [odd]


def test_text_of_a_csv_is_read_as_the_model_says() -> None:
    text = "timestamp,distance,carrier,night,p\n2024-03-01T12:00:00Z,1e3,07,True,0.5\n"
    text += "2024-03-01T12:00:00Z,far,,1,\n"
    rows = [{k: v or None for k, v in row.items()} for row in csv.DictReader(io.StringIO(text))]
    first, second = records(rows, text=True)
    assert first["inputs"] == {"distance": 1000, "carrier": "07", "night": "true", "booked": None}
    assert first["outputs"] == {"p": 0.5}
    # What is no number is for the server to put in quarantine.
    assert (second["inputs"]["distance"], second["inputs"]["night"]) == ("far", "true")
    assert second["outputs"] == {"p": None}


def test_a_csv_with_times_without_a_zone_needs_one() -> None:
    rows = [{"scored": "2024-03-01 12:00", "p": "0.5"}]
    with pytest.raises(InvalidInputError, match="'scored' has times without a zone"):
        records(rows, text=True, names={"timestamp": "scored"})
    (row,) = records(rows, text=True, names={"timestamp": "scored"}, zone="Europe/Berlin")
    assert datetime.fromisoformat(row["timestamp"]) == datetime(2024, 3, 1, 11, tzinfo=UTC)


def test_records_are_json() -> None:
    table = pa.table({"timestamp": [AT], "p": [0.5], "distance": [float("inf")]})
    assert json.loads(json.dumps(records(table)[0]))["inputs"]["carrier"] is None


def test_keys_go_with_predictions_and_stand_for_ids_of_outcomes() -> None:
    keyed = replace(LATE, keys=("customer",))
    row = {"customer": 7, "timestamp": AT.isoformat(), "p": 0.5, "late": 1}

    def keys_of(rows: Any, kind: Kind) -> Any:
        found = shaped(Batch(rows, ["made"], "", 1, None), kind, keyed, Columns()).rows
        if isinstance(found, pa.Table):
            return found["keys.customer"].to_pylist()
        return [record["keys"]["customer"] for record in found]

    for kind in ("predictions", "outcomes"):
        assert keys_of([row], kind) == keys_of(pa.Table.from_pylist([row]), kind) == [7]


def test_a_tombstone_takes_back_the_outcome_of_the_prediction_that_its_key_names() -> None:
    rows = [Tombstone("f1"), Tombstone(None), {"prediction_id": "f2", "actual_outcome": 1}]
    told = of(rows, "outcomes", times=["2024-03-01T12:00:00+00:00"] * 3)
    assert told.rows[0] == {
        "prediction_id": "f1",
        "timestamp": "2024-03-01T12:00:00+00:00",
        "deleted": True,
    }
    assert (len(told.rows), told.tombstones) == (2, 1)
    # A prediction cannot be taken back.
    assert of(rows[:2], times=["2024-03-01T12:00:00+00:00"] * 2).tombstones == 2


TAKEN_BACK = {"prediction_id": "f1", "timestamp": AT, "label": None}


@pytest.mark.parametrize(
    "deleted",
    [
        pa.array([True, False]),
        pa.array([1, 0]),
        pa.array(["true", "0"]),
        pa.array(["True", ""]),
        pa.array([1, None]),
    ],
)
def test_a_column_of_a_table_takes_outcomes_back(deleted: pa.Array) -> None:
    table = pa.Table.from_pylist([TAKEN_BACK] * 2).append_column("deleted", deleted)
    told = of(table, "outcomes")
    assert (told.rows["deleted"].to_pylist(), told.unlabelled) == ([True], 1)
    named = of(table.rename_columns([*TAKEN_BACK, "gone"]), "outcomes", names={"deleted": "gone"})
    assert named.rows.equals(told.rows)


def test_a_column_that_is_neither_true_nor_false_is_refused_by_name() -> None:
    table = pa.Table.from_pylist([TAKEN_BACK | {"deleted": "perhaps"}])
    with pytest.raises(InvalidInputError, match="column 'deleted' has 'perhaps'"):
        of(table, "outcomes")


def test_text_of_a_csv_takes_outcomes_back() -> None:
    text = "prediction_id,timestamp,label,deleted\n" + "".join(
        f"f,2024-03-01T12:00:00Z,,{deleted}\n" for deleted in ("true", "1", "TRUE", "", "false")
    )
    rows = [{k: v or None for k, v in row.items()} for row in csv.DictReader(io.StringIO(text))]
    told = of(rows, "outcomes", text=True)
    assert [row["deleted"] for row in told.rows] == [True] * 3
    assert told.unlabelled == 2


def test_a_record_that_takes_an_outcome_back_is_no_outcome_to_come() -> None:
    row = {"prediction_id": "f1", "timestamp": "2024-03-01T12:00:00Z", "deleted": True}
    told = of([row], "outcomes")
    assert (told.rows[0]["deleted"], told.unlabelled) == (True, 0)


@pytest.mark.parametrize("place", ["request_id", "who", "customer"])
def test_a_position_may_not_hold_what_is_private(place: str) -> None:
    model = replace(LATE, private=frozenset({"prediction_id", "customer"}))
    columns = Columns({"customer": "who"})
    columns.check_place(["updated_at", "id"], model)
    with pytest.raises(InvalidInputError, match=f"as a value of '{place}', which its `privacy`"):
        columns.check_place(["updated_at", place], model)
