"""Few files, and none that nobody needs, whatever died; and no row fewer."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from tests.lake.world import folder_of, ids_in, lake_in, outcomes, predictions

from tocsin.lake import ModelLake, Table

NOW = datetime.now(UTC)
OLD = time.time() - 25 * 3_600


@pytest.fixture
def lake(tmp_path: Path) -> ModelLake:
    return lake_in(tmp_path)


def age(folder: Path, seconds: float = OLD) -> None:
    """Let every file be of yesterday."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (seconds, seconds))


def parquet_files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*.parquet") if "_delta_log" not in path.parts}


def seal(lake: ModelLake, times: int, *, day: int = 0, first: int = 1) -> None:
    for i in range(first, first + times):
        lake.seal(Table.PREDICTIONS, predictions(lake, f"{day}-{i}", day=day, offset=i), i)
        lake.compact()


def test_many_files_of_a_day_are_merged_and_none_is_lost_or_sealed_again(lake: ModelLake) -> None:
    seal(lake, 70)
    assert len(lake.files(Table.PREDICTIONS)) < 10
    seal(lake, 70)
    assert len(ids_in(lake)) == 70
    assert lake.sealed(Table.PREDICTIONS) == 70


def test_files_that_an_earlier_process_left_are_counted(lake: ModelLake, tmp_path: Path) -> None:
    seal(lake, 60)
    again = lake_in(tmp_path)
    seal(again, 6, first=61)
    assert len(again.files(Table.PREDICTIONS)) < 10
    assert len(ids_in(again)) == 66


def test_days_that_are_over_are_merged_to_one_file(lake: ModelLake) -> None:
    seal(lake, 10, day=0)
    seal(lake, 10, day=1, first=11)
    lake.tidy(now=NOW)
    assert sorted(f.rpartition("date=")[2][:10] for f in lake.files(Table.PREDICTIONS)) == [
        "2024-02-27",
        *["2024-02-28"] * 10,
    ]
    assert len(ids_in(lake)) == 20


def test_merged_files_stay_for_readers_and_go_after_a_day(lake: ModelLake, tmp_path: Path) -> None:
    seal(lake, 10)
    seal(lake, 1, day=1, first=11)
    before = parquet_files(tmp_path)
    # Written long ago, but merged just now: somebody may have begun to read them.
    age(tmp_path)
    lake.tidy(now=NOW)
    assert before < parquet_files(tmp_path)

    delta = DeltaTable(folder_of(tmp_path) / "predictions")
    delta.vacuum(0, dry_run=False, enforce_retention_duration=False)
    lake.tidy(now=NOW)
    assert len(parquet_files(tmp_path)) == 2
    assert len(ids_in(lake)) == 11


def test_what_writers_left_that_died_goes_after_a_day(lake: ModelLake, tmp_path: Path) -> None:
    seal(lake, 2)
    lake.keep_reference("abc", predictions(lake, "r"))
    day = folder_of(tmp_path) / "predictions" / "date=2024-02-27"
    dead = [
        day / "part-00000-dead.snappy.parquet",
        day / "part-00001-dead.snappy.parquet#1",
        folder_of(tmp_path) / "predictions" / "_delta_log" / "_commit_dead.json.tmp",
        folder_of(tmp_path) / "reference" / "dead.parquet.part",
    ]
    for path in dead:
        path.write_bytes(b"half of it")
    lake.tidy(now=NOW)
    assert all(path.exists() for path in dead)

    age(tmp_path)
    lake.tidy(now=NOW)
    assert [path for path in dead if path.exists()] == []
    assert ids_in(lake) == ["0-1", "0-2"]
    assert lake.reference("abc").num_rows == 1
    assert lake_in(tmp_path).sealed(Table.PREDICTIONS) == 2


def test_the_log_stays_short_and_keeps_the_offset(lake: ModelLake, tmp_path: Path) -> None:
    seal(lake, 101)
    log = folder_of(tmp_path) / "predictions" / "_delta_log"
    assert list(log.glob("*.checkpoint.parquet"))
    # Commits of two days ago: the next checkpoint lets them go.
    age(log, OLD - 86_400)
    seal(lake, 110, first=102)
    assert len(list(log.glob("*.json"))) < 120
    again = lake_in(tmp_path)
    assert again.sealed(Table.PREDICTIONS) == 211
    assert len(ids_in(again)) == 211


def test_the_log_does_not_tell_what_rows_hold(lake: ModelLake, tmp_path: Path) -> None:
    lake.seal(Table.PREDICTIONS, predictions(lake, "somebody"), 1)
    log = folder_of(tmp_path) / "predictions" / "_delta_log"
    text = "".join(path.read_text() for path in log.glob("*.json"))
    assert "numRecords" in text
    assert "somebody" not in text
    assert "Bern" not in text


def test_a_table_of_an_earlier_version_is_read_and_kept_short_too(tmp_path: Path) -> None:
    from deltalake import write_deltalake

    lake = lake_in(tmp_path)
    rows = predictions(lake, "a", "b")
    path = folder_of(tmp_path) / "predictions"
    path.mkdir(parents=True)
    days = rows.append_column("date", [["2024-02-27", "2024-02-27"]])
    write_deltalake(str(path), days, partition_by=["date"])
    lake.seal(Table.PREDICTIONS, predictions(lake, "c", offset=2), 2)
    lake.tidy(now=NOW)

    wanted = rows["prediction_id"].slice(1).combine_chunks()
    spans = ((NOW.date() - timedelta(days=36_500), NOW.date()),)
    found = lake.find(Table.PREDICTIONS, wanted, until=9, spans=spans)
    assert found["prediction_id"].to_pylist() == ["b"]
    assert lake.erase(Table.PREDICTIONS, pa.table({"prediction_id": wanted})) == 1
    assert ids_in(lake) == ["a", "c"]
    assert "delta.logRetentionDuration" in DeltaTable(path).metadata().configuration


def test_only_the_days_before_expire_and_what_expired_is_counted(
    lake: ModelLake, tmp_path: Path
) -> None:
    for day in range(4):
        lake.seal(Table.PREDICTIONS, predictions(lake, f"{day}a", f"{day}b", day=day), day + 1)
        lake.seal(Table.OUTCOMES, outcomes(lake, f"{day}a", day=day), day + 1)
    third = lake.days()[2]

    assert lake.expire(Table.PREDICTIONS, third) == 4
    assert lake.expire(Table.PREDICTIONS, third) == 0
    assert ids_in(lake) == ["2a", "2b", "3a", "3b"]
    assert lake.removed(Table.PREDICTIONS) == 4
    assert lake.removed(Table.OUTCOMES) == 0
    again = lake_in(tmp_path)
    assert (again.removed(Table.PREDICTIONS), again.sealed(Table.PREDICTIONS)) == (4, 4)
    # Nothing was read or written for it but the log.
    assert len(list((folder_of(tmp_path) / "predictions").rglob("date=*/*.parquet"))) == 4


def test_files_of_expired_days_go_after_a_day(lake: ModelLake, tmp_path: Path) -> None:
    lake.seal(Table.PREDICTIONS, predictions(lake, "a"), 1)
    lake.seal(Table.PREDICTIONS, predictions(lake, "b", day=1), 2)
    lake.expire(Table.PREDICTIONS, lake.days()[1])
    age(tmp_path)
    lake.tidy(now=NOW)
    assert len(parquet_files(tmp_path)) == 2

    log = folder_of(tmp_path) / "predictions" / "_delta_log" / f"{2:020}.json"
    text = log.read_text()
    stamp = text.split('"deletionTimestamp":')[1].split(",")[0]
    log.write_text(text.replace(stamp, str(int(OLD * 1000))))
    lake_in(tmp_path).tidy(now=NOW)
    (left,) = parquet_files(tmp_path)
    assert pq.read_table(left, columns=["prediction_id"])["prediction_id"].to_pylist() == ["b"]
