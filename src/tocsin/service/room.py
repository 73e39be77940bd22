"""Whether there is room for more rows, so that nothing is acknowledged that cannot be kept."""

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tocsin.errors import UnavailableError
from tocsin.records import Records, changes, inbox, models
from tocsin.service.trouble import Trouble

# What folding needs to make room again: lake files, and the write-ahead log of the records.
LEAST_FREE = 64 * 2**20
# How often to look; in between, a few bodies more cannot fill what is left.
_EVERY_S = 0.5
# The work that empties the inbox, and what has to be done before.
_BEFORE_FOLDED = ("fold", "rebuild")
# More than the pages that a full database may have left.
_TRIAL = 2**20


class _TakenBackError(Exception):
    """Undoes a transaction on purpose."""


def free_bytes(folder: Path) -> int:
    """What is left on the disk of a folder, or on that where it would come to be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class Lack:
    """What there is too little of. only: whose rows alone are refused for it; None for all."""

    reason: str
    only: str | None = None


class Room:
    """Looks at the inbox and the disks, at most twice a second. Any thread may ask.

    folders: of the data, and of a lake on this machine; they may lie on different disks. trouble:
    why a model may not be folded.
    """

    def __init__(
        self,
        records: Records,
        folders: Sequence[Path],
        trouble: Trouble,
        *,
        most_bytes: int,
        free: Callable[[Path], int] = free_bytes,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._folders = folders
        self._trouble = trouble
        self._most_bytes = most_bytes
        self._free = free
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._lack: Lack | None = None

    def check(self, model: str | None = None) -> None:
        """Raises: UnavailableError when there is no room now, for any rows or for those of one."""
        with self._lock:
            now = self._monotonic()
            if self._looked is None or now - self._looked >= _EVERY_S:
                self._lack = self.lack()
                self._looked = now
            if self._lack is not None and self._lack.only in {None, model}:
                raise UnavailableError(self._lack.reason)

    def try_to_store(self) -> None:
        """Write as much as a request may have, and take it back.

        Raises: UnavailableError when rows could not be stored now.
        """
        with suppress(_TakenBackError), self._records.write() as connection:
            changes.announce(connection, "x" * _TRIAL, now=0)
            raise _TakenBackError

    def lack(self) -> Lack | None:
        """What there is too little of, looked at now; None when there is room."""
        for folder in self._folders:
            free = self._free(folder)
            if free < LEAST_FREE:
                return Lack(
                    f"the disk of {folder} has {free // 2**20} MB left; free some, and senders "
                    "will go on by themselves"
                )
        with self._records.read() as connection:
            sizes, number = inbox.sizes(connection), models.number(connection)
        waiting = sum(sizes.values())
        if waiting < self._most_bytes:
            return None
        most = max(sizes, key=lambda name: sizes[name])
        # One that cannot be folded must not end all others, who have half as much again.
        alone = sizes[most] > self._most_bytes / 2 and waiting < self._most_bytes * 3 / 2
        return Lack(
            f"{waiting // 2**20} MB wait in the inbox to be folded, {sizes[most] // 2**20} MB of "
            f"them of model {most!r}{self._why(most)}, and its limit is "
            f"{self._most_bytes // 2**20} MB "
            "(TOCSIN_INBOX_MB); senders will go on by themselves",
            only=most if alone and number > 1 else None,
        )

    def _why(self, model: str) -> str:
        """What keeps a model from being folded, as far as it is known."""
        told = (t for t in self._trouble.failing() if t.model == model and t.work in _BEFORE_FOLDED)
        return "".join(f", whose {t.work} fails: {t.error:.200}" for t in told)
