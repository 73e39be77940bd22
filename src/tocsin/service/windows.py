"""Which windows are to be evaluated."""

from collections.abc import Iterable

from tocsin.drift import LOOK_BACK
from tocsin.values import DAY, Window, WindowSpec


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
