"""Which windows are to be evaluated."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.declared import Monitor
from tocsin.drift import LOOK_BACK
from tocsin.errors import InvalidInputError
from tocsin.values import DAY, Window, WindowSpec, format_duration

# A window is revised when that much of the time since it closed has passed since the last time:
# each label of a busy model would else be a revision of every window that it is in.
_REVISE_SHARE = 0.1


@dataclass(frozen=True)
class Due:
    """The windows to be evaluated now.

    later: changed buckets of windows whose revision has to wait; again: when the first of those is
    due, as wall time.
    """

    due: tuple[Window, ...]
    later: frozenset[int]
    again: int | None


def due_windows(
    spec: WindowSpec,
    *,
    buckets: Iterable[int],
    changed: Iterable[int],
    evaluated_until: int | None,
    watermark: int,
) -> list[Window]:
    """The windows that closed since, and the closed ones that late rows or labels changed.

    buckets: starts of those with rows that newly closed windows may contain; windows without rows
    are not evaluated. Returns: in order of their ends.
    """
    since = evaluated_until if evaluated_until is not None else -1
    ends = {
        end for bucket in buckets for end in spec.ends_touching(bucket) if since < end <= watermark
    }
    ends.update(end for bucket in changed for end in spec.ends_touching(bucket) if end <= watermark)
    return [Window(end - spec.size, end) for end in sorted(ends)]


def like_ends(spec: WindowSpec, end: int) -> list[int]:
    """Ends of earlier windows like the one that ends at `end`, the oldest first.

    Like means the same time of day; windows longer than a day do not overlap.
    """
    lag = max(DAY, spec.size)
    return [end - k * lag for k in range(LOOK_BACK, 0, -1)]


def example_ends(monitor: Monitor, spec: WindowSpec, end: int) -> list[int]:
    """Those of them that were not in maintenance."""
    ends = like_ends(spec, end)
    if not monitor.maintenance:
        return ends
    return [end for end in ends if not monitor.is_paused(Window(end - spec.size, end))]


def all_like_ends(spec: WindowSpec, ends: Sequence[int]) -> NDArray[np.int64]:
    """(w, 64) the same of many windows at once."""
    lags = max(DAY, spec.size) * np.arange(LOOK_BACK, 0, -1, dtype=np.int64)
    return np.asarray(np.array(ends, np.int64)[:, None] - lags)


def due_now(
    windows: Sequence[Window],
    spec: WindowSpec,
    revised: Mapping[int, tuple[int, int]],
    *,
    changed: Iterable[int],
    now: int,
    least: int,
) -> Due:
    """Those of some windows that are not revised too often.

    revised: when each was first and last evaluated, by its end; least: how long a revision stands
    at least. All wall times in microseconds.

    >>> spec, both = WindowSpec(10, 10), [Window(0, 10), Window(10, 20)]
    >>> found = due_now(both, spec, {10: (100, 1_000)}, changed=[5], now=1_050, least=1)
    >>> found.due, sorted(found.later), found.again
    ((Window(start=10, end=20),), [5], 1095)
    """
    waits: dict[int, int] = {}
    for window in windows:
        if window.end in revised:
            first, last = revised[window.end]
            due = last + max(least, round(_REVISE_SHARE * (now - first)))
            if due > now:
                waits[window.end] = due
    later = {b for b in changed if any(end in waits for end in spec.ends_touching(b))}
    return Due(
        tuple(window for window in windows if window.end not in waits),
        frozenset(later),
        min(waits.values(), default=None),
    )


def by_column(windows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """The distances of each column in windows that were usual."""
    columns: dict[str, list[float]] = {}
    for window in windows:
        for name, distance in window.items():
            columns.setdefault(name, []).append(distance)
    return columns


def spec_of(monitor: Monitor, window: int | None) -> WindowSpec:
    """The windows of a size; of a day, or the longest, when None.

    Raises: InvalidInputError for a size that the monitor does not have.
    """
    if window is None:
        return next((s for s in monitor.windows if s.size == DAY), monitor.windows[-1])
    for spec in monitor.windows:
        if spec.size == window:
            return spec
    sizes = ", ".join(spec.name for spec in monitor.windows)
    raise InvalidInputError(f"window {format_duration(window)} is not one of {sizes}")
