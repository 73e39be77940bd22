"""Delta tables: what each version adds, and which changes of what was read are refused."""

from contextlib import closing
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from tests.sources.worlds import numbers, parquet_of, source

from tocsin.errors import InvalidInputError
from tocsin.sources import Batch


def read(path: Path, position: str = "") -> list[Batch]:
    with closing(source(str(path))) as opened:
        return list(opened.batches(position))


def rows(batches: list[Batch]) -> list[int]:
    return [n for batch in batches for n in numbers(batch)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "a table"
    for first in (0, 10, 20):
        write_deltalake(path, parquet_of(first, first + 10), mode="append")
    return path


def test_a_compaction_brings_no_row_again(table: Path) -> None:
    position = read(table)[-1].position
    DeltaTable(table).optimize.compact()
    assert DeltaTable(table).version() == 3
    assert read(table, position) == []
    write_deltalake(table, parquet_of(30, 33), mode="append")
    assert rows(read(table, position)) == [30, 31, 32]


def test_a_table_that_was_compacted_half_read_is_read_to_its_end(table: Path) -> None:
    whole = read(table)
    DeltaTable(table).optimize.compact()
    for k, batch in enumerate(whole):
        assert rows(read(table, batch.position)) == rows(whole[k + 1 :])


def test_files_that_were_vacuumed_half_read_are_an_error(table: Path) -> None:
    position = read(table)[0].position
    DeltaTable(table).optimize.compact()
    DeltaTable(table).vacuum(0, enforce_retention_duration=False, dry_run=False)
    with pytest.raises(InvalidInputError, match="vacuum less eagerly"):
        read(table, position)


@pytest.mark.parametrize("change", ["delete", "update", "overwrite"])
def test_rows_that_were_deleted_or_replaced_are_an_error(table: Path, change: str) -> None:
    position = read(table)[-1].position
    if change == "delete":
        DeltaTable(table).delete("n < 5")
    elif change == "update":
        DeltaTable(table).update(updates={"word": "'x'"}, predicate="n = 3")
    else:
        write_deltalake(table, parquet_of(0, 5), mode="overwrite")
    with pytest.raises(InvalidInputError, match=r"version 3 of .* deletes or replaces rows"):
        read(table, position)
    # As it is now, it is read from the start.
    assert rows(read(table)) != []


def test_versions_before_the_first_look_may_have_done_anything(table: Path) -> None:
    DeltaTable(table).delete("n < 5")
    write_deltalake(table, parquet_of(30, 33), mode="append")
    assert sorted(rows(read(table))) == list(range(5, 33))


def test_a_version_whose_log_was_cleaned_is_an_error(table: Path) -> None:
    position = read(table)[-1].position
    write_deltalake(table, parquet_of(30, 33), mode="append")
    write_deltalake(table, parquet_of(33, 36), mode="append")
    DeltaTable(table).create_checkpoint()
    (table / "_delta_log" / f"{3:020}.json").unlink()
    with pytest.raises(InvalidInputError, match="no longer has the log of version 3"):
        read(table, position)


def test_a_table_that_was_made_anew_is_an_error(table: Path, tmp_path: Path) -> None:
    position = read(table)[-1].position
    other = tmp_path / "other"
    write_deltalake(other, parquet_of(0, 3))
    with pytest.raises(InvalidInputError, match="the table was made anew"):
        read(other, position)


def test_values_of_partitions_are_columns_of_their_type(tmp_path: Path) -> None:
    days = [date(2024, 3, 1), date(2024, 3, 2), None]
    content = pa.table({"n": [1, 2, 3], "day": days, "city name": ["Köln am Rhein", "a/b", None]})
    write_deltalake(tmp_path / "t", content, partition_by=["day", "city name"])
    write_deltalake(tmp_path / "t", content, mode="append", partition_by=["day", "city name"])
    first = read(tmp_path / "t")
    found = [row for batch in first for row in batch.rows.to_pylist()]
    wanted = {row["n"]: row for row in content.to_pylist()}
    assert len(found) == 6
    assert all(row == wanted[row["n"]] for row in found)
    # The same from the log of a commit.
    write_deltalake(tmp_path / "t", content, mode="append", partition_by=["day", "city name"])
    found = [
        row for batch in read(tmp_path / "t", first[-1].position) for row in batch.rows.to_pylist()
    ]
    assert {row["n"]: row for row in found} == wanted


def test_a_table_that_maps_columns_is_refused(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", parquet_of(0, 3))
    log = tmp_path / "t" / "_delta_log" / f"{0:020}.json"
    text = log.read_text()
    assert '"configuration":{}' in text
    mapped = '"configuration":{"delta.columnMapping.mode":"name"}'
    log.write_text(text.replace('"configuration":{}', mapped))
    with pytest.raises(InvalidInputError, match="maps its columns"):
        read(tmp_path / "t")


def test_a_place_without_a_table_is_named(tmp_path: Path) -> None:
    with (
        closing(source(f"file://{tmp_path}/nowhere")) as opened,
        pytest.raises(InvalidInputError, match=r"there is no Delta table at .*nowhere"),
    ):
        list(opened.batches(""))
