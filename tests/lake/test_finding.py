"""Rows are found by id, wherever they are, and no others."""

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lake.world import SCHEMA, ids_in, lake_in, predictions

from tocsin.lake import Folder, ModelLake, Table, folder_at
from tocsin.lake.identity import id_hashes
from tocsin.schema import Feature, Kind

EVER = ((date(2000, 1, 1), date(2100, 1, 1)),)
_numbers = count()


@pytest.fixture(params=["folder", "store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """Where a lake may lie."""
    if request.param == "folder":
        return folder_at(str(tmp_path), {})
    options = request.getfixturevalue("store")
    return folder_at(f"s3://{request.getfixturevalue('bucket')}/{next(_numbers)}", options)


@pytest.fixture
def lake(place: Folder) -> ModelLake:
    found = lake_in(place)
    for day in range(4):
        ids = [f"{day}-{i}" for i in range(30)]
        found.seal(Table.PREDICTIONS, predictions(found, *ids, day=day, offset=day + 1), day + 1)
    return found


def found_ids(lake: ModelLake, *ids: str, until: int = 9, **more: object) -> list[str]:
    options = {"spans": EVER, **more}
    rows = lake.find(Table.PREDICTIONS, pa.array(ids, pa.string()), until=until, **options)
    return sorted(rows["prediction_id"].to_pylist())


def test_rows_are_found_by_id_in_all_files_that_hold_some(lake: ModelLake) -> None:
    assert found_ids(lake, "0-3", "2-29", "nobody", "2-29") == ["0-3", "2-29"]
    assert found_ids(lake, "nobody") == []
    assert found_ids(lake) == []


def test_rows_beyond_the_offset_or_the_days_are_not_looked_at(lake: ModelLake) -> None:
    assert found_ids(lake, "1-1", "3-1", until=2) == ["1-1"]
    days = lake.days()
    assert found_ids(lake, "0-1", "1-1", "2-1", spans=((days[1], days[1]),)) == ["1-1"]
    assert found_ids(lake, "0-1", spans=()) == []


def test_a_row_has_all_columns_or_those_that_are_asked_for(lake: ModelLake) -> None:
    wanted = pa.array(["1-4"])
    whole = lake.find(Table.PREDICTIONS, wanted, until=9, spans=EVER)
    assert whole.schema == lake.schema(Table.PREDICTIONS)
    assert whole["input_amount"].to_pylist() == [6.0]
    few = lake.find(
        Table.PREDICTIONS, wanted, until=9, spans=EVER, columns=("prediction_id", "timestamp")
    )
    assert few.column_names == ["prediction_id", "timestamp"]
    assert few["timestamp"].equals(whole["timestamp"])


@pytest.mark.usefixtures("lake")
def test_an_older_row_is_null_in_a_newer_feature(place: Folder) -> None:
    wider = replace(SCHEMA, features=(*SCHEMA.features, Feature("wind", Kind.NUMERIC)))
    again = lake_in(place, wider)
    rows = again.find(Table.PREDICTIONS, pa.array(["1-4"]), until=9, spans=EVER)
    assert rows["input_wind"].to_pylist() == [None]
    assert len(list(again.scan_predictions(until=9))) == 4


@pytest.mark.parametrize("at_once", [False, True])
def test_erased_rows_are_not_found_and_the_others_are(
    lake: ModelLake, place: Folder, *, at_once: bool
) -> None:
    gone = pa.table({"prediction_id": ["0-1", "0-2", "2-2", "nobody"]})
    before = {*lake.files(Table.PREDICTIONS)}
    assert lake.erase(Table.PREDICTIONS, gone, at_once=at_once) == 3
    assert lake.erase(Table.PREDICTIONS, gone, at_once=at_once) == 0
    assert found_ids(lake, "0-1", "0-2", "0-3", "2-2") == ["0-3"]
    assert sum(rows.num_rows for _, rows in lake.scan_predictions(until=9)) == 117
    # Only the files of two days are others.
    assert len(before & {*lake.files(Table.PREDICTIONS)}) == 2
    again = lake_in(place)
    assert (again.sealed(Table.PREDICTIONS), again.removed(Table.PREDICTIONS)) == (4, 3)
    again.seal(Table.PREDICTIONS, predictions(again, "new", offset=5), 5)
    assert found_ids(again, "new", "0-3") == ["0-3", "new"]


def test_what_is_erased_at_once_is_in_no_file_that_was_merged_either(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    for i in range(70):
        lake.seal(Table.PREDICTIONS, predictions(lake, f"p{i}", offset=i + 1), i + 1)
        lake.compact()
    assert len(list(tmp_path.rglob("date=*/*.parquet"))) > 70
    lake.erase(Table.PREDICTIONS, pa.table({"prediction_id": pa.array(["p3"])}), at_once=True)

    left = list(tmp_path.rglob("date=*/*.parquet"))
    assert len(left) == len(lake.files(Table.PREDICTIONS)) < 10
    ids = [i for path in left for i in pq.read_table(path)["prediction_id"].to_pylist()]
    assert sorted(ids) == sorted(f"p{i}" for i in range(70) if i != 3)


def test_a_day_may_be_erased_whole(lake: ModelLake) -> None:
    assert (
        lake.erase(
            Table.PREDICTIONS, pa.table({"prediction_id": pa.array([f"1-{i}" for i in range(30)])})
        )
        == 30
    )
    assert len(lake.days()) == 3


def test_nothing_is_erased_where_there_is_nothing(lake: ModelLake) -> None:
    assert lake.erase(Table.OUTCOMES, pa.table({"prediction_id": pa.array(["0-1"])})) == 0
    assert (
        lake.erase(Table.PREDICTIONS, pa.table({"prediction_id": pa.array([], pa.string())})) == 0
    )


def test_the_hash_is_the_published_one() -> None:
    # The test vectors of the authors: the empty text, "a" and "foobar".
    vectors = [0xCBF29CE484222325, 0xAF63DC4C8601EC8C, 0x85944171F73967E8]
    hashes = id_hashes(pa.array(["", "a", "foobar"])).to_pylist()
    assert [h % 2**64 for h in hashes] == vectors


@given(st.lists(st.text(max_size=20), max_size=8), st.integers(0, 3))
def test_a_hash_depends_on_the_id_alone(ids: list[str], start: int) -> None:
    whole = pa.array(ids, pa.string())
    parts = pa.chunked_array([whole.slice(0, start), whole.slice(start)])
    expected = [id_hashes(pa.array([i])).to_pylist()[0] for i in ids]
    assert id_hashes(whole).to_pylist() == id_hashes(parts).to_pylist() == expected
    assert id_hashes(whole.slice(start)).to_pylist() == expected[start:]


def test_whatever_is_done_to_a_lake_its_rows_are_read_where_it_lies(
    lake: ModelLake, place: Folder
) -> None:
    days = lake.days()
    for i in range(10):
        rows = predictions(lake, f"more-{i}", day=1, offset=5 + i)
        lake.seal(Table.PREDICTIONS, rows, 5 + i)
    lake.tidy(now=datetime.now(UTC))
    assert len(lake.files(Table.PREDICTIONS)) == 4
    assert lake.expire(Table.PREDICTIONS, days[1]) == 30
    features = (Feature("town", Kind.CATEGORICAL, ("city",)), Feature("amount", Kind.CATEGORICAL))
    again = lake_in(place, replace(SCHEMA, features=features))
    again.evolve()
    lake.tidy(now=datetime.now(UTC))
    again.refresh()

    assert found_ids(again, "0-1", "1-1", "more-9", until=99) == ["1-1", "more-9"]
    rows = again.find(Table.PREDICTIONS, pa.array(["1-4"]), until=99, spans=EVER)
    assert rows["input_amount"].to_pylist() == ["6"]
    assert again.predictions_before(days[2], until=99) == 40
    assert (again.sealed(Table.PREDICTIONS), again.removed(Table.PREDICTIONS)) == (14, 30)


def test_keys_that_read_alike_one_after_the_other_are_kept_apart(tmp_path: Path) -> None:
    lake = lake_in(tmp_path, replace(SCHEMA, join_on=("first", "last")))
    keys = {"key_first": ["a", "a\x1f", "a:", "a"], "key_last": ["\x1fb", "b", "b", ":b"]}
    lake.seal(Table.PREDICTIONS, predictions(lake, *"pqrs", **keys), 1)

    for first, last, left in (("a", "\x1fb", 3), ("a", ":b", 2)):
        gone = pa.table({"key_first": pa.array([first]), "key_last": pa.array([last])})
        assert lake.erase(Table.PREDICTIONS, gone) == 1
        assert len(ids_in(lake)) == left


def test_the_days_of_several_spans_are_looked_at_and_none_between(lake: ModelLake) -> None:
    days = lake.days()
    apart = ((date(1970, 1, 1), date(1970, 1, 3)), (days[0], days[0]), (days[2], days[3]))
    assert found_ids(lake, "0-1", "1-1", "2-1", "3-1", spans=apart) == ["0-1", "2-1", "3-1"]
