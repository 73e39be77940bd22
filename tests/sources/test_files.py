"""Files: what counts as read, and what is refused because rows would be lost or counted twice."""

import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.sources.worlds import Folder, csv_text, hours_later, json_text, numbers, write_parquet

from tocsin.errors import InvalidInputError
from tocsin.sources import Batch
from tocsin.sources.files import FileSource


def read(
    path: Path, position: str = "", *, wait: Any = None, said: Any = None, clock: Any = hours_later
) -> list[Batch]:
    source = FileSource(
        path,
        "made",
        batch_rows=7,
        say=(lambda _: None) if said is None else said.append,
        wait=wait or (lambda _: True),
        clock_s=clock,
    )
    with closing(source):
        return list(source.batches(position))


def rows(batches: list[Batch]) -> list[int]:
    return [n for batch in batches for n in numbers(batch)]


def test_files_are_read_in_the_order_of_their_names_through_folders(tmp_path: Path) -> None:
    for name, first in (("b/1.parquet", 20), ("a/2.parquet", 10), ("a/1.parquet", 0)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_parquet(tmp_path / name, first, first + 10)
    assert rows(read(tmp_path)) == list(range(30))


def test_what_is_hidden_or_no_data_is_passed_over(tmp_path: Path) -> None:
    Folder(tmp_path, ".parquet").add(0, 3)
    for name in ("_SUCCESS", ".part-1.parquet.crc", "_temporary.parquet", ".x.csv", "README.md"):
        (tmp_path / name).write_text("no data")
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "x.csv").write_text(csv_text(5, 6))
    assert rows(read(tmp_path)) == [0, 1, 2]


def test_a_file_that_is_written_to_is_waited_for_then_left(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", 0, 5)
    now = [time.time()]
    said: list[str] = []
    assert read(tmp_path, said=said, clock=lambda: now[0]) == []
    assert said == ["1 files are still being written; they are read next time"]

    def wait(seconds: float) -> bool:
        now[0] += seconds
        return True

    assert rows(read(tmp_path, wait=wait, clock=lambda: now[0])) == list(range(5))


def test_a_single_file_is_not_waited_for(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", 0, 5)
    assert rows(read(tmp_path / "a.parquet", clock=time.time)) == list(range(5))


def test_lines_that_are_whole_are_read_while_others_are_written(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    text = json_text(0, 3)
    path.write_text(text[:-5])
    said: list[str] = []
    first = read(tmp_path, said=said)
    assert (rows(first), len(said)) == ([0, 1], 1)
    path.write_text(text + json_text(3, 5))
    assert rows(read(tmp_path, first[-1].position)) == [2, 3, 4]


@pytest.mark.parametrize("by", ["writing", "moving"])
def test_a_file_that_sorts_before_what_was_read_is_refused_by_name(tmp_path: Path, by: str) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    write_parquet(tmp_path / "late.parquet", 0, 5)
    for name in ("b", "c"):
        write_parquet(folder / f"{name}.parquet", 10, 15)
    position = read(folder)[-1].position
    later_than(folder / "c.parquet")
    if by == "moving":
        os.rename(tmp_path / "late.parquet", folder / "a.parquet")
    else:
        write_parquet(folder / "a.parquet", 0, 5)
    with pytest.raises(InvalidInputError, match="give new ones names that sort behind") as refused:
        read(folder, position)
    assert "a.parquet" in str(refused.value)
    assert "'c.parquet'" in str(refused.value)


def later_than(path: Path) -> None:
    """Until the coarse clock of files has moved on."""
    probe = path.parent.parent / "probe"
    probe.touch()
    while probe.stat().st_mtime_ns <= path.stat().st_ctime_ns:
        probe.touch()


def test_files_that_were_read_may_be_removed_and_touched(tmp_path: Path) -> None:
    world = Folder(tmp_path, ".parquet")
    for first in (0, 10, 20):
        world.add(first, first + 10)
    position = read(tmp_path)[-1].position
    (tmp_path / "part-000.parquet").unlink()
    (tmp_path / "part-002.parquet").unlink()
    world.add(30, 35)
    assert rows(read(tmp_path, position)) == list(range(30, 35))


def test_a_change_of_mode_is_no_change(tmp_path: Path) -> None:
    world = Folder(tmp_path, ".parquet")
    world.add(0, 10)
    world.add(10, 20)
    position = read(tmp_path)[-1].position
    (tmp_path / "part-000.parquet").chmod(0o600)
    assert read(tmp_path, position) == []


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl", ".csv.gz"])
@pytest.mark.parametrize("batches", [1, 3])
def test_a_file_that_was_written_anew_is_refused(tmp_path: Path, suffix: str, batches: int) -> None:
    Folder(tmp_path, suffix).add(0, 20)
    position = read(tmp_path)[batches - 1].position
    Folder(tmp_path, suffix).add(100, 140)
    with pytest.raises(InvalidInputError, match=r"part-000.* has changed since its first"):
        read(tmp_path, position)


def test_a_file_that_shrank_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(csv_text(0, 20))
    position = read(path)[0].position
    path.write_text(csv_text(0, 10))
    with pytest.raises(InvalidInputError, match="has changed"):
        read(path, position)


def test_a_file_that_is_gone_half_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(csv_text(0, 20))
    position = read(tmp_path)[0].position
    path.unlink()
    with pytest.raises(InvalidInputError, match="is gone, of which only the first 7 rows"):
        read(tmp_path, position)


def test_a_csv_line_that_grew_after_it_was_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("n,word\n1,a\n2,b")
    position = read(path)[-1].position
    path.write_text("n,word\n1,a\n2,bee\n")
    with pytest.raises(InvalidInputError, match="has changed"):
        read(path, position)
    path.write_text("n,word\n1,a\n2,b\n3,c\n")
    assert rows(read(path, position)) == [3]


def test_lines_that_are_no_json_are_handed_on_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"n": 1}\n\n{"n": \nnull\n\xff\n[1]\n{"n": 2}')
    (batch,) = read(path)
    assert list(batch.rows) == [{"n": 1}, '{"n": ', None, "\\xff", [1], {"n": 2}]


def test_csv_rows_that_do_not_fit_the_header_are_handed_on_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffn;word\r\n1;"a;b"\r\n2\r\n3;;x\r\n4;\r\n'.encode())
    (batch,) = read(path)
    assert list(batch.rows) == [{"n": "1", "word": "a;b"}, "2", "3;;x", {"n": "4", "word": None}]
    assert batch.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", b"PAR1 no", "a.parquet cannot be read"),
        ("a.json", b'  [{"n": 1}]', "one JSON record a line"),
        ("a.csv.gz", b"no gzip", "cannot be read"),
        ("a.csv", b"n,n\n1,2\n", "two columns 'n'"),
        ("a.txt", b"", "unknown kind; its name has to end in .parquet"),
    ],
)
def test_what_cannot_be_read_is_said(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        read(tmp_path / name)


def test_compressed_data_that_is_cut_gives_what_is_whole_and_an_error(tmp_path: Path) -> None:
    world = Folder(tmp_path, ".csv.gz")
    world.add(0, 200)
    path = tmp_path / "part-000.csv.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InvalidInputError, match="in the middle of its compressed data"):
        read(path)


def test_a_missing_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="there is no file or folder"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize("position", ["x", "[]", json.dumps({"version": 3})])
def test_a_position_of_something_else_asks_for_another_name(tmp_path: Path, position: str) -> None:
    Folder(tmp_path, ".csv").add(0, 3)
    with pytest.raises(InvalidInputError, match="give this one another name with --name"):
        read(tmp_path, position)


def test_names_decide_the_ids_of_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1, 2]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"n": [1, 2]}), tmp_path / "b.parquet")
    one, other = (read(tmp_path / name)[0].ids for name in ("a.parquet", "b.parquet"))
    assert not set(one) & set(other)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("n,city\n1,Köln\n2,Zürich\n", "line 2, column 'city' has the byte 0xf6"),
        ('n,city\n1,"a\nb"\n2,Zürich\n', "line 4, column 'city' has the byte 0xfc"),
        ("n,Städte\n1,x\n", "line 1, column 2 has the byte 0xe4"),
        ("n,city\n1,x,ü\n", "line 2, column 3 has the byte 0xfc"),
    ],
)
def test_a_csv_that_is_no_utf8_is_refused_with_the_place(
    tmp_path: Path, content: str, told: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InvalidInputError, match=told):
        read(path)


def test_text_of_all_scripts_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("n,città\n1,Zürich\n2,東京\n3,😀\n", encoding="utf-8-sig")
    (batch,) = read(path)
    assert [row["città"] for row in batch.rows] == ["Zürich", "東京", "😀"]
