"""How much memory this process and all it started take at most."""

import threading
from types import TracebackType
from typing import Self

import psutil

_EVERY_S = 0.5


class PeakMemory:
    """Samples the resident memory of the process tree while a `with` block lasts."""

    def __init__(self) -> None:
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    @property
    def peak_mb(self) -> int:
        """The largest sum of resident set sizes, in MiB; what processes share counts in each."""
        return round(self._peak / 2**20)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        here = psutil.Process()
        while not self._ended.wait(_EVERY_S):
            self._peak = max(
                self._peak, sum(map(_resident, [here, *here.children(recursive=True)]))
            )


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        # It ended between the listing and the question.
        return 0
