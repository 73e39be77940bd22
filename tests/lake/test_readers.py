"""Anybody may read the lake while Tocsin writes to it, just as the page on it says."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.lake.world import folder_of, lake_in, predictions

from tocsin.lake import ModelLake, Table

PAGE = (Path(__file__).parents[2] / "docs" / "lake.md").read_text()
FOLDER = "tocsin-data/lake/fraud-1/predictions"
READERS = ("pandas", "polars", "duckdb", "spark")
BLOCKS = dict(zip(READERS, re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL), strict=True))
ROWS = 10
# So many that files were merged meanwhile.
ENOUGH = 80 * ROWS


class Writer:
    """Seals ten rows a commit and merges their files."""

    def __init__(self, lake: ModelLake) -> None:
        self.sealed = 0
        self._lake = lake

    def seal(self, offset: int) -> None:
        ids = [f"{offset}-{i}" for i in range(ROWS)]
        rows = predictions(self._lake, *ids, offset=offset)
        self._lake.seal(Table.PREDICTIONS, rows, offset)
        self._lake.compact()
        self.sealed = offset * ROWS

    def seal_until(self, stop: threading.Event) -> None:
        for offset in count(2):
            self.seal(offset)
            if stop.is_set():
                return


def ids_by(reader: str, rows: Any) -> list[str]:
    """The ids that a block found."""
    if reader == "spark":
        return [row["prediction_id"] for row in rows.collect()]
    if reader == "duckdb":
        return rows["prediction_id"].to_pylist()
    return list(rows["prediction_id"])


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_sees_whole_commits_and_nothing_twice(
    request: pytest.FixtureRequest, tmp_path: Path, reader: str
) -> None:
    if reader == "spark":
        request.getfixturevalue("spark")
    assert FOLDER in BLOCKS[reader]
    code = BLOCKS[reader].replace(FOLDER, str(folder_of(tmp_path) / "predictions"))
    lake = lake_in(tmp_path)
    writer, stop = Writer(lake), threading.Event()
    writer.seal(1)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(writer.seal_until, stop)
        try:
            while seen(code, reader, writer) < ENOUGH:
                assert not writing.done(), writing.result()
        finally:
            stop.set()
        writing.result()
    assert len(lake.files(Table.PREDICTIONS)) < writer.sealed / ROWS


def seen(code: str, reader: str, writer: Writer) -> int:
    """How many rows the block of a reader finds: all that were sealed before it began."""
    before = writer.sealed
    scope: dict[str, Any] = {}
    exec(code, scope)
    found = ids_by(reader, scope["rows"])
    assert len(found) % ROWS == 0
    assert len(found) >= before
    assert len(set(found)) == len(found)
    return len(found)
