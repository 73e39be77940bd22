"""The wall clock, passed in so that tests and replays have their own."""

import time
from collections.abc import Callable

Clock = Callable[[], int]


def wall_clock() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000
