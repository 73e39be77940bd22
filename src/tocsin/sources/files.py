"""A file, or a folder of them that grows."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tocsin.errors import InvalidInputError
from tocsin.sources.base import Batch, Say, Wait, digest, parsed, written
from tocsin.sources.listing import SETTLED_S, Entry, Listing, check_read, listing
from tocsin.sources.readers import CSV, PARQUET, chunks, cut_line, tail

_WORDS = ("file", "rows", "size", "tail", "whole", "names", "seen")


class FileSource:
    """Parquet, CSV and JSON lines, in the order of their names.

    A position says the file, how many of its rows are read, and what the files were like. Text may
    grow at its end; any other change of what was read is an error.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        batch_rows: int,
        say: Say,
        wait: Wait,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        if not path.exists():
            raise InvalidInputError(f"there is no file or folder {path}")
        self.name = name
        self._path = path
        self._folder = path if path.is_dir() else path.parent
        self._batch_rows = batch_rows
        self._say = say
        self._clock_s = clock_s
        self._wait = wait

    def batches(self, position: str) -> Iterator[Batch]:
        """The rows of this file and those behind it. Raises: InvalidInputError."""
        listed = self._settled()
        at = parsed(position, self.name, *_WORDS) if position else None
        if at is not None:
            check_read(self._folder, listed, last=at["file"], names=at["names"], seen=at["seen"])
        left = self._left(listed, at)
        total = sum(entry.size for entry, _ in left)
        done = 0
        for entry, after in left:
            for batch in self._rows(entry, listed, after):
                yield Batch(
                    batch.rows, batch.ids, batch.position, done + batch.done, total, batch.text
                )
            done += entry.size

    def stored(self, position: str) -> None:
        """Files need not know."""

    def close(self) -> None:
        """Nothing is held."""

    def _settled(self) -> Listing:
        listed = listing(self._path, now_s=self._clock_s())
        if listed.young:
            # Mostly they were written just before the command that imports them.
            self._wait(SETTLED_S)
            listed = listing(self._path, now_s=self._clock_s())
        if listed.young:
            self._say(f"{listed.young} files are still being written; they are read next time")
        return listed

    def _left(self, listed: Listing, at: dict[str, Any] | None) -> list[tuple[Entry, int]]:
        """The files to read, and how many rows of each are read already."""
        if at is None:
            return [(entry, 0) for entry in listed.entries]
        behind = [(entry, 0) for entry in listed.entries if entry.name > at["file"]]
        current = next((e for e in listed.entries if e.name == at["file"]), None)
        path = self._folder / at["file"]
        if current is None and path.exists():
            return []  # being written to; what is behind it comes after it
        if current is None:
            if at["whole"]:
                return behind
            raise InvalidInputError(
                f"{path} is gone, of which only the first {at['rows']:,} rows were read; put it "
                "back, or go on without its other rows under another --name"
            )
        if self._changed(current, at):
            raise InvalidInputError(
                f"{path} has changed since its first {at['rows']:,} rows were read; what it is now "
                "can be imported under another --name, where rows with the same prediction_id "
                "count once"
            )
        if at["whole"] and current.size == at["size"]:
            return behind
        return [(current, at["rows"]), *behind]

    def _changed(self, entry: Entry, at: dict[str, Any]) -> bool:
        path = self._folder / entry.name
        if entry.size < at["size"] or tail(path, at["size"]) != at["tail"]:
            return True
        if entry.name.lower().endswith(PARQUET):
            return entry.size != int(at["size"])
        # Of JSON a line is read when it is whole.
        text = entry.name.lower().endswith(CSV)
        return text and bool(at["whole"]) and cut_line(path, at["size"])

    def _rows(self, entry: Entry, listed: Listing, after: int) -> Iterator[Batch]:
        path = self._folder / entry.name
        file_id = digest(self.name, entry.name)
        at = {
            "file": entry.name,
            "size": entry.size,
            "tail": tail(path, entry.size),
            "names": listed.names(entry.name),
            "seen": listed.newest,
        }
        text = entry.name.lower().endswith(CSV)
        found = chunks(
            path, after=after, size=entry.size, most_rows=self._batch_rows, say=self._say
        )
        chunk = next(found, None)
        while chunk is not None:
            following = next(found, None)
            last = chunk.first + len(chunk.rows)
            place = written({**at, "rows": last, "whole": following is None})
            ids = [f"{file_id}-{row}" for row in range(chunk.first, last)]
            yield Batch(chunk.rows, ids, place, chunk.read_bytes, entry.size, text)
            chunk = following
