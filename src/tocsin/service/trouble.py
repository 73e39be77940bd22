"""What keeps failing: of which model, why, and when it is tried again."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True)
class Failing:
    """Work that failed when it was last tried.

    model: None for work that is not a model's. failures: in a row. again_s: until the next try.
    """

    work: str
    model: str | None
    error: str
    failures: int
    again_s: float


@dataclass(frozen=True)
class _Entry:
    error: str
    failures: int
    again_at_s: float


class Trouble:
    """Remembers failures, and gives each a pause that doubles. Any thread may ask."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, str | None], _Entry] = {}

    def failed(
        self, work: str, model: str | None, error: BaseException, *, pause_s: float | None = None
    ) -> float:
        """Remember a failure; for how many seconds the work rests, which doubles unless given."""
        with self._lock:
            before = self._entries.get((work, model))
            failures = 1 if before is None else before.failures + 1
            # The exponent is bounded, as a float of a model that fails for a year is not.
            if pause_s is None:
                pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16))
            again_at_s = self._monotonic() + pause_s
            self._entries[work, model] = _Entry(_told(error), failures, again_at_s)
            return pause_s

    def passed(self, work: str, model: str | None) -> None:
        """Forget it: the work went well."""
        with self._lock:
            self._entries.pop((work, model), None)

    def forget(self, model: str, *, but: str) -> None:
        """Forget all work of a model but one: there is none of the name any more."""
        with self._lock:
            for key in [key for key in self._entries if key[1] == model and key[0] != but]:
                del self._entries[key]

    def rest_no_more(self) -> None:
        """Let all be tried again now."""
        with self._lock:
            for key, entry in self._entries.items():
                self._entries[key] = replace(entry, again_at_s=self._monotonic())

    def rests(self, work: str, model: str) -> bool:
        """Whether it failed so lately that it is not to be tried now."""
        with self._lock:
            entry = self._entries.get((work, model))
            return entry is not None and self._monotonic() < entry.again_at_s

    def failing(self) -> list[Failing]:
        """All that failed, by work and model."""
        with self._lock:
            now_s, entries = self._monotonic(), dict(self._entries)
        return [
            Failing(work, model, entry.error, entry.failures, max(0.0, entry.again_at_s - now_s))
            for (work, model), entry in sorted(
                entries.items(), key=lambda e: (e[0][0], e[0][1] or "")
            )
        ]


def _told(error: BaseException) -> str:
    """An error in one line."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told(part) for part in error.exceptions)
    notes = "".join(f"{note}: " for note in getattr(error, "__notes__", ()))
    return f"{notes}{type(error).__name__}: {error}"
