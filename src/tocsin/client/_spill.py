"""The queue on disk: a folder per client, locked while it lives, taken over when it is dead."""

import os
import sys
import time
from collections import deque
from pathlib import Path
from threading import RLock
from urllib.parse import quote

from tocsin.client._body import Body
from tocsin.client._spill_file import SpillFile, file_content, spill_file, spill_name, write
from tocsin.ids import uuid7

if sys.platform != "win32":
    import fcntl

LOCK = "lock"
SET_ASIDE = "corrupt"
# So often a client that fills the folder looks at what is there.
_LOOKS = 16
CAN_SPILL = sys.platform != "win32"


class SpillFullError(Exception):
    """The folder holds as much as it may."""


class Spill:
    """Files of bodies below a folder that several clients may share, oldest first.

    A client writes into a folder of its own, which it holds locked. The system releases the lock
    when the process ends, however it ends; then the next client that looks takes the folder over.
    How much there is is known from a walk, and from what this client wrote and removed since; it
    walks again when that is a sixteenth of what there may be. So clients that fill a folder at once
    may exceed its limit by a sixteenth each. All paths below `spill_dir/MODEL`, since another
    model's rows go elsewhere.
    """

    def __init__(self, spill_dir: Path, model: str, max_bytes: int) -> None:
        self._spill_dir = spill_dir
        self._home = spill_dir / quote(model, safe="")
        self._max_bytes = max_bytes
        self._own: Path | None = None
        self._locks: dict[Path, int] = {}
        self._files: deque[SpillFile] = deque()
        self._written = 0
        # Bytes in the folder, None before they were looked at, and how many were written since.
        self._held: int | None = None
        self._since = 0
        # The worker writes, and the thread that closes the client.
        self._lock = RLock()

    def write(self, body: Body, age: int) -> SpillFile:
        """Put a body on disk; an heir sends those of lower age first.

        Raises: OSError, SpillFullError.
        It is not in the line of `oldest` before it is added to it.
        """
        with self._lock:
            folder = self._own_folder()
            content = file_content(body)
            if not self._has_room_for(len(content)):
                raise SpillFullError(
                    f"{self._spill_dir} would hold more than max_spill_bytes {self._max_bytes}"
                )
            self._written += 1
            path = folder / spill_name(age, self._written, body)
            try:
                write(path, content)
            except FileNotFoundError:  # somebody removed the folder; the next write makes another
                os.close(self._locks.pop(folder))
                self._own = None
                raise
            self._count(len(content))
            return SpillFile(path, body.rows, own=True)

    def add(self, file: SpillFile) -> None:
        """Let a written file be sent when its turn comes."""
        with self._lock:
            self._files.append(file)

    def oldest(self) -> SpillFile | None:
        """The next file to be sent."""
        with self._lock:
            return self._files[0] if self._files else None

    def newest(self) -> SpillFile | None:
        """The file to be sent last."""
        with self._lock:
            return self._files[-1] if self._files else None

    def remove(self, file: SpillFile) -> None:
        """Delete a file whose rows are settled. Raises: OSError."""
        with self._lock:
            self._forget(file)
            size = _size(str(file.path))
            file.path.unlink(missing_ok=True)
            self._count(-size)
            self._leave(file.path.parent)

    def set_aside(self, file: SpillFile) -> None:
        """Move a file that cannot be sent to where nobody tries to send it. Raises: OSError."""
        with self._lock:
            self._forget(file)
            aside = self._home / SET_ASIDE
            aside.mkdir(mode=0o700, exist_ok=True)
            if file.path.exists():
                os.replace(file.path, aside / f"{file.path.parent.name}-{file.path.name}")
            self._leave(file.path.parent)

    def _forget(self, file: SpillFile) -> None:
        if file in self._files:
            self._files.remove(file)

    def _leave(self, folder: Path) -> None:
        """Release a dead client's folder with its last file."""
        more = any(folder == file.path.parent for file in self._files)
        if folder != self._own and folder in self._locks and not more:
            self._release(folder)

    def orphaned(self) -> bool:
        """Whether there is a folder that may be a dead client's; never raises."""
        try:
            return any(self._others())
        except OSError:
            return False

    def adopt(self) -> int:
        """Take over what dead clients left, to be sent first; how many rows.

        Raises: OSError for a folder that cannot be read, when the others have been.
        """
        with self._lock:
            found: list[SpillFile] = []
            unreadable: OSError | None = None
            for folder in sorted(self._others()):
                try:
                    found += self._files_in(folder) if self._locked(folder) else []
                except OSError as error:
                    unreadable = error
            self._files.extendleft(reversed(found))
            if unreadable is not None:
                raise unreadable
            return sum(file.rows for file in found)

    def release(self) -> None:
        """Leave what is left to other clients."""
        with self._lock:
            for folder in tuple(self._locks):
                self._release(folder)
            self._files.clear()
            self._own = None

    def abandon(self) -> None:
        """In a forked child: leave the folders to the parent, whose locks they are."""
        for descriptor in self._locks.values():
            os.close(descriptor)

    def _own_folder(self) -> Path:
        if self._own is None:
            # It is locked before it has a name that others look at.
            name = f"{time.time_ns():020}-{uuid7()[-12:]}"
            hidden = self._home / f".{name}"
            hidden.mkdir(mode=0o700, parents=True)
            self._locked(hidden)
            self._own = hidden.rename(self._home / name)
            self._locks[self._own] = self._locks.pop(hidden)
        return self._own

    def _others(self) -> list[Path]:
        if not self._home.is_dir():
            return []
        return [
            folder
            for folder in self._home.iterdir()
            if folder.name[:1] != "." and folder.name != SET_ASIDE and folder not in self._locks
        ]

    def _files_in(self, folder: Path) -> list[SpillFile]:
        """The files of a folder that is locked here; it is released if there are none."""
        found: list[SpillFile] = []
        try:
            for path in sorted(folder.iterdir()):
                if (file := spill_file(path)) is not None:
                    found.append(file)
                elif path.suffix == ".tmp":
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            pass  # another client emptied and removed it just before it was locked here
        finally:
            if not found:
                self._release(folder)
        return found

    def _locked(self, folder: Path) -> bool:
        try:
            descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (FileNotFoundError, NotADirectoryError):  # another client was faster
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._locks[folder] = descriptor
        return True

    def _release(self, folder: Path) -> None:
        """Unlock a folder, and remove it if it is empty."""
        descriptor = self._locks.pop(folder)
        try:
            if [path.name for path in folder.iterdir()] == [LOCK]:
                (folder / LOCK).unlink()
                folder.rmdir()
        except OSError:
            pass  # it is the next client's to remove
        finally:
            os.close(descriptor)

    def _has_room_for(self, size: int) -> bool:
        """Whether so many bytes fit; looks again before it says that they do not."""
        lately = self._held is not None and self._since < self._max_bytes // _LOOKS
        if self._held is None or not lately or self._held + size > self._max_bytes:
            self._held, self._since = self._held_bytes(), 0
        return self._held + size <= self._max_bytes

    def _count(self, size: int) -> None:
        if self._held is not None:
            self._held += size
        self._since += max(0, size)

    def _held_bytes(self) -> int:
        return sum(
            _size(os.path.join(folder, name))
            for folder, _, names in os.walk(self._spill_dir)
            for name in names
        )


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:  # sent by another client meanwhile
        return 0
