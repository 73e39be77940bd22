"""What lies in a folder: names in order, and whether what was read is as it was."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tocsin.errors import InvalidInputError
from tocsin.sources.base import digest
from tocsin.sources.readers import GROWING, SUFFIXES

# A file of a folder is taken once it has been there unchanged for so long, unless whole lines can
# be told. What comes later is then newer than all that was seen, however coarse the clock of files.
SETTLED_S = 2.0


@dataclass(frozen=True)
class Entry:
    """A file: its name below the folder, and when its content and its directory entry changed."""

    name: str
    size: int
    modified_ns: int
    changed_ns: int

    @property
    def newest(self) -> int:
        """When either changed."""
        return max(self.modified_ns, self.changed_ns)


@dataclass(frozen=True)
class Listing:
    """The files that can be read, by name, and how many are too young."""

    entries: tuple[Entry, ...]
    young: int = 0

    @property
    def newest(self) -> int:
        """The newest change of any of them."""
        return max((entry.newest for entry in self.entries), default=0)

    def names(self, last: str) -> str:
        """A digest of the names up to one."""
        return digest(*(e.name for e in self.entries if e.name <= last))


def listing(path: Path, *, now_s: float) -> Listing:
    """A file itself, or the files of a folder and its folders.

    Raises: InvalidInputError when there is nothing such.
    """
    if path.is_file():
        if not path.name.lower().endswith(SUFFIXES):
            raise InvalidInputError(
                f"{path} is of an unknown kind; its name has to end in {', '.join(SUFFIXES)}"
            )
        return Listing((_entry(path, path.name),))
    if not path.is_dir():
        raise InvalidInputError(f"there is no file or folder {path}")
    found = [_entry(file, name) for file, name in _files(path, "")]
    settled = [
        entry
        for entry in found
        if entry.name.lower().endswith(GROWING) or entry.newest <= (now_s - SETTLED_S) * 1e9
    ]
    entries = tuple(sorted(settled, key=lambda entry: entry.name))
    return Listing(entries, len(found) - len(settled))


def check_read(path: Path, listed: Listing, *, last: str, names: str, seen: int) -> None:
    """What was read up to the file `last` is as it was.

    names: the digest of the names up to there; seen: the newest change when they were listed.
    Raises: InvalidInputError for a file that came or changed behind the import's back.
    """
    before = [entry for entry in listed.entries if entry.name < last]
    written = next((e for e in before if e.modified_ns > seen), None)
    if written is not None:
        raise InvalidInputError(
            f"{path / written.name} was written after the import had gone on to {last!r}; files "
            "are read in the order of their names: give new ones names that sort behind, and "
            f"move this one elsewhere and import it by itself with `tocsin ingest`"
        )
    if listed.names(last) == names:
        return
    # A file that was moved here keeps its time of writing; one that was removed does not matter.
    moved = next((e for e in before if e.changed_ns > seen), None)
    if moved is not None:
        raise InvalidInputError(
            f"{path / moved.name} was put there after the import had gone on to {last!r}; files "
            "are read in the order of their names: give new ones names that sort behind, and "
            f"move this one elsewhere and import it by itself with `tocsin ingest`"
        )


def _files(folder: Path, prefix: str) -> Iterator[tuple[Path, str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            # As Spark and others call what is not data, or not yet.
            if entry.name.startswith(("_", ".")):
                continue
            if entry.is_dir():
                yield from _files(Path(entry.path), f"{prefix}{entry.name}/")
            elif entry.name.lower().endswith(SUFFIXES):
                yield Path(entry.path), prefix + entry.name


def _entry(path: Path, name: str) -> Entry:
    found = path.stat()
    return Entry(name, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
