"""One file, from any row on: Parquet, CSV, or a JSON record a line; the last two also gzipped."""

import csv
import gzip
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.errors import InvalidInputError
from tocsin.sources.base import Say

PARQUET = (".parquet", ".pq")
CSV = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
# Of these a reader knows which lines are whole, while others append to them.
GROWING = (".ndjson", ".jsonl", ".json")
JSON_LINES = (*GROWING, ".ndjson.gz", ".jsonl.gz", ".json.gz")
SUFFIXES = PARQUET + CSV + JSON_LINES
_DELIMITERS = ",;\t|"
_BOM = b"\xef\xbb\xbf"
# What `surrogateescape` adds to a byte.
_ESCAPED = 0xDC00


@dataclass(frozen=True, eq=False)
class Chunk:
    """Rows of a file: the number of the first, and how many bytes of the file are read."""

    rows: pa.Table | Sequence[Any]
    first: int
    read_bytes: int


def chunks(path: Path, *, after: int, size: int, most_rows: int, say: Say) -> Iterator[Chunk]:
    """The rows of the first `size` bytes of a file, after so many of them.

    Raises: InvalidInputError when it cannot be read.
    """
    name = path.name.lower()
    try:
        if name.endswith(PARQUET):
            yield from _parquet(path, after=after, size=size, most_rows=most_rows)
        else:
            yield from _text(path, after=after, size=size, most_rows=most_rows, say=say)
    except EOFError as error:
        raise InvalidInputError(
            f"{path} ends in the middle of its compressed data; if it is still being written, "
            "repeat this when it is whole"
        ) from error
    except (pa.ArrowException, OSError, csv.Error) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from error


def _parquet(path: Path, *, after: int, size: int, most_rows: int) -> Iterator[Chunk]:
    with pq.ParquetFile(path) as file:
        total = file.metadata.num_rows
        groups: list[int] = []
        first = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if groups or first + rows > after:
                groups.append(group)
            else:
                first += rows
        for batch in file.iter_batches(most_rows, row_groups=groups):
            skipped = min(max(after - first, 0), batch.num_rows)
            first += batch.num_rows
            if skipped < batch.num_rows:
                table = pa.Table.from_batches([batch.slice(skipped)])
                yield Chunk(table, first - table.num_rows, size * first // max(total, 1))


def _text(path: Path, *, after: int, size: int, most_rows: int, say: Say) -> Iterator[Chunk]:
    with path.open("rb") as file:
        begun = _Beginning(file, size)
        name = path.name.lower()
        raw: IO[bytes] = io.BufferedReader(begun, 2**20)
        if name.endswith(".gz"):
            raw = cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
        rows = _csv_rows(raw, path) if name.endswith(CSV) else _json_rows(raw, path, say)
        first = after
        following = islice(rows, after, None)
        while part := list(islice(following, most_rows)):
            yield Chunk(part, first, begun.tell())
            first += len(part)


def _csv_rows(raw: IO[bytes], path: Path) -> Iterator[Any]:
    """Records of text by column; a row that does not fit the header is its text.

    Raises: InvalidInputError with the place for what is no UTF-8.
    """
    # Bytes that are no UTF-8 are let through as surrogates, so that their place can be told.
    text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
    header_line = text.readline()
    delimiter = max(_DELIMITERS, key=header_line.count)
    header = next(csv.reader([header_line], delimiter=delimiter), [])
    _check_text(header, header, path, 1)
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InvalidInputError(f"{path} has two columns {twice!r}; rename or drop one")
    reader = csv.reader(text, delimiter=delimiter)
    for row in reader:
        _check_text(row, header, path, reader.line_num + 1)
        if len(row) == len(header):
            yield {name: value or None for name, value in zip(header, row, strict=True)}
        elif row:
            yield delimiter.join(row)


def _check_text(row: Sequence[str], header: Sequence[str], path: Path, line: int) -> None:
    """Raises: InvalidInputError for a byte that is no UTF-8, with its line and column."""
    # Whole, as there may be many columns, and few rows are not ASCII.
    if "".join(row).isascii():
        return
    for number, value in enumerate(row):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            byte = ord(value[error.start]) - _ESCAPED
            name = repr(header[number]) if line > 1 and number < len(header) else f"{number + 1}"
            raise InvalidInputError(
                f"{path} is not UTF-8: line {line}, column {name} has the byte 0x{byte:02x}; "
                "convert the file, such as with `iconv -f latin1 -t utf-8`, and give it another "
                "--name if rows of it were read"
            ) from None


def _json_rows(raw: IO[bytes], path: Path, say: Say) -> Iterator[Any]:
    """What each line is in JSON; one that is not is its text."""
    for number, line in enumerate(raw):
        line = line.removeprefix(_BOM) if number == 0 else line
        if number == 0 and line.lstrip().startswith(b"["):
            raise InvalidInputError(
                f"{path} begins with [: it has to have one JSON record a line, as "
                "`jq -c .[]` writes them"
            )
        if not line.strip():
            continue
        record = decoded(line)
        if isinstance(record, str) and not line.endswith(b"\n"):
            say(f"{path} ends in the middle of a line, which is left for the next time")
            return
        yield record


def decoded(line: bytes) -> Any:
    """What JSON says, or its text where it is none."""
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return line.decode("utf-8", "backslashreplace").rstrip("\r\n")


class _Beginning(io.RawIOBase):
    """The first bytes of a file, even if it grows meanwhile."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size
        self._size = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._file.read(min(len(buffer), self._left))
        buffer[: len(part)] = part
        self._left -= len(part)
        return len(part)

    def tell(self) -> int:
        return self._size - self._left


def tail(path: Path, size: int) -> str:
    """A digest of the last bytes before a size: another where the file was written anew."""
    with path.open("rb") as file:
        file.seek(max(size - 4096, 0))
        return hashlib.blake2b(file.read(min(size, 4096)), digest_size=8).hexdigest()


def cut_line(path: Path, size: int) -> bool:
    """Whether a file grew within the line that was its last at a size."""
    if path.name.lower().endswith(".gz") or size == 0 or os.path.getsize(path) == size:
        return False
    with path.open("rb") as file:
        file.seek(size - 1)
        before, after = file.read(1), file.read(1)
    return before != b"\n" and after not in (b"\n", b"\r")
