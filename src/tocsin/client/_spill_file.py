"""One file of the disk queue: a body as it was posted, under a line that proves it whole."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast
from zlib import crc32

from tocsin.client._body import Body, Encoding

if TYPE_CHECKING:
    from tocsin.client._rows import Kind

_HEADER = re.compile(
    rb"(tocsin-spill-1 (predictions|outcomes) (\d{1,10}) (identity|gzip) )(\d{1,10})"
)
_NAME = re.compile(r"\d{12}-\d+-(predictions|outcomes)-(\d+)\.rows")


class CorruptSpillError(Exception):
    """A file that is not what was written."""


@dataclass(frozen=True)
class SpillFile:
    """Where a body lies; `own` says whether this client wrote it, and so counts its rows."""

    path: Path
    rows: int
    own: bool


def spill_name(age: int, number: int, body: Body) -> str:
    """A name that sorts by age, is unlike any of another number, and says how many rows it has."""
    return f"{age:012}-{number}-{body.kind}-{body.rows}.rows"


def spill_file(path: Path) -> SpillFile | None:
    """An earlier client's file; None for files of other kinds."""
    match = _NAME.fullmatch(path.name)
    return None if match is None else SpillFile(path, int(match[2]), own=False)


def file_content(body: Body) -> bytes:
    """The line that proves the body whole, and the body."""
    header = f"tocsin-spill-1 {body.kind} {body.rows} {body.encoding} ".encode()
    checksum = crc32(body.content, crc32(header))
    return b"%s%d\n%s" % (header, checksum, body.content)


def write(path: Path, content: bytes) -> None:
    """Write a file that is whole whenever it has this name. Raises: OSError."""
    unfinished = path.with_suffix(".tmp")
    # Not synced: the end of a process cannot tear the file, and what a power cut tears is found
    # by its checksum.
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def body_in(path: Path) -> Body:
    """The body that was written. Raises: CorruptSpillError, OSError."""
    header, _, content = path.read_bytes().partition(b"\n")
    match = _HEADER.fullmatch(header)
    if match is None:
        raise CorruptSpillError(f"{path} does not begin as a spill file")
    if crc32(content, crc32(match[1])) != int(match[5]):
        raise CorruptSpillError(f"{path} is not what was written: its checksum differs")
    kind, encoding = cast("Kind", match[2].decode()), cast("Encoding", match[4].decode())
    return Body(kind, int(match[3]), content, encoding)
