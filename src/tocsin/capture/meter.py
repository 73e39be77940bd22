"""Counts of a serving process, cut into summaries at every tenth second."""

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from tocsin.ids import uuid7
from tocsin.operations import Summary, latency_bin
from tocsin.values import SECOND

EVERY = 10 * SECOND
_CLIENT_ERRORS, _SERVER_ERRORS = 400, 500


class Meter:
    """Adds up what requests cost, by version of the model; safe to call from any thread.

    clock: event time. cpu_s: processor time of the process so far. rss_bytes: its memory now.
    elapsed_s: a clock that nobody sets, by which spans are measured.
    """

    def __init__(
        self,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
        cpu_s: Callable[[], float] = time.process_time,
        rss_bytes: Callable[[], int] | None = None,
        elapsed_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._cpu_s = cpu_s
        self._rss_bytes = rss_bytes or resident_bytes
        self._lock = threading.Lock()
        self._process = uuid7()
        self._sequence = 0
        self._elapsed_s = elapsed_s
        self._start, self._started_s = clock(), elapsed_s()
        self._cpu_at = cpu_s()
        self._counts: dict[str, Counter[str]] = {}
        self._latencies: dict[str, Counter[int]] = {}
        self._serving = ""

    def serve(self, version: str) -> None:
        """Say which version answers from now on, so that an idle process is heard of too."""
        with self._lock:
            self._serving = version

    def answered(self, version: str, status: int, seconds: float) -> None:
        """Count one request by the status of its answer."""
        kind = _kind(status)
        with self._lock:
            counts = self._counts.setdefault(version, Counter())
            counts["requests"] += 1
            if kind is not None:
                counts[kind] += 1
            self._latencies.setdefault(version, Counter())[latency_bin(seconds)] += 1

    def count(self, version: str, **amounts: int) -> None:
        """Add to counts by name."""
        with self._lock:
            self._counts.setdefault(version, Counter()).update(amounts)

    def summaries(self, *, at_once: bool = False) -> list[Summary]:
        """What was counted since the last cut, if a new tenth second has begun; else nothing.

        at_once: cut here, as the process ends.
        """
        with self._lock:
            elapsed_s, now = self._elapsed_s(), self._clock()
            end = self._start + max(1, int((elapsed_s - self._started_s) * SECOND))
            if not at_once and end // EVERY == self._start // EVERY:
                return []
            cut = self._cut(end)
            # The clock was set, or the machine slept: the next span begins where it is now.
            self._start = end if abs(now - end) < EVERY else now
            self._started_s = elapsed_s
            return cut

    def _cut(self, end: int) -> list[Summary]:
        cpu = self._cpu_s()
        used_us, self._cpu_at = int((cpu - self._cpu_at) * SECOND), cpu
        serving = self._serving or next(iter(self._counts), "")
        if not serving:
            return []
        spent = self._counts.setdefault(serving, Counter())
        # What a process costs is that of the version which it serves now.
        spent.update(cpu_us=max(0, used_us), serving_us=end - self._start)
        rss = self._rss_bytes()
        found = []
        for version, counts in self._counts.items():
            latencies = self._latencies.get(version, Counter())
            found.append(
                Summary(
                    self._process,
                    self._sequence,
                    self._start,
                    end,
                    version,
                    dict(counts),
                    dict(latencies),
                    rss,
                )
            )
            self._sequence += 1
        self._counts, self._latencies = {}, {}
        return found


def resident_bytes() -> int:
    """The memory of this process; where the system does not say, the most it has had."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def _kind(status: int) -> str | None:
    if status < _CLIENT_ERRORS:
        return None
    if status == HTTPStatus.GATEWAY_TIMEOUT:
        return "timeouts"
    return "client_errors" if status < _SERVER_ERRORS else "server_errors"
