"""Files that a server follows: applied when it starts, and whenever they change."""

import logging
from collections.abc import Sequence
from pathlib import Path

from tocsin.errors import TocsinError
from tocsin.service.configuration_files import files_of, load
from tocsin.service.configure import Configure, Outcome

_log = logging.getLogger(__name__)
_ACTOR = "files"
_Seen = tuple[tuple[str, int, int], ...]


class FollowFiles:
    """Applies files when one of them is another than it was; while they are faulty, all stays."""

    def __init__(self, configure: Configure, paths: Sequence[Path]) -> None:
        self._configure = configure
        self._paths = paths
        self._references: tuple[Path, ...] = ()
        self._seen: _Seen | None = None
        self._refused: TocsinError | None = None

    def look(self) -> bool:
        """Apply the files if they changed; whether something was applied.

        Raises: TocsinError why they cannot be, again at each look until they change.
        """
        seen = self._state()
        if seen == self._seen:
            if self._refused is not None:
                raise self._refused
            return False
        try:
            outcome = self._apply()
        except TocsinError as error:
            # What another program or a network is in the way of may be there at the next look.
            self._seen, self._refused = self._state(), error
            raise
        self._seen, self._refused = self._state(), None
        if outcome.number is not None:
            _log.info("applied %s as number %s", _spoken(self._paths), outcome.number)
        return outcome.number is not None

    def _apply(self) -> Outcome:
        loaded = load(self._paths, new=True)
        self._references = loaded.references
        return self._configure.apply(loaded.checked, list(loaded.tables.values()), actor=_ACTOR)

    def _state(self) -> _Seen:
        """All files with their times and sizes; one that is not there has none."""
        try:
            files = files_of(self._paths)
        except TocsinError:
            files = list(self._paths)
        return tuple(_stamp(file) for file in (*files, *self._references))


def _stamp(file: Path) -> tuple[str, int, int]:
    try:
        found = file.stat()
    except OSError:
        return str(file), 0, 0
    return str(file), found.st_mtime_ns, found.st_size


def _spoken(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))
