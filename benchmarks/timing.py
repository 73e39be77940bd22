"""Seconds, such that what is compared meets the same machine."""

import statistics
import time
from collections.abc import Callable

# A first pass is cold and may meet a busy machine. With a limit of 5 s such a pass would stand
# alone, against a median of warm ones on the other side of the ratio.
BRIEF_S = 15.0
REPEATS = 3


def seconds(*works: Callable[[], object]) -> list[float]:
    """How long each takes: once if that is long, else the median of three.

    The repeats take turns, so that a noisy minute does not meet one of them alone.
    """
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(REPEATS):
        for work, times in zip(works, taken, strict=True):
            if not times or times[0] < BRIEF_S:
                begin = time.perf_counter()
                work()
                times.append(time.perf_counter() - begin)
    return [statistics.median(times) for times in taken]
