"""Whether a number is unlike what it was in earlier windows like this one.

The one place for the constants of it: findings of quality and causes judge by the same.
"""

import numpy as np
from numpy.typing import NDArray

from tocsin.drift import ENOUGH_HISTORY

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# How many deviations of the past a share has to be away from its median.
UNUSUAL = 5.0
# What a share has to exceed the largest of its past by; docs/decisions/0003-drift-beyond-history.md
_BEYOND = 1.25


def against(value: float, past: Floats, *, floor: float) -> tuple[float, float]:
    """The median of earlier values, and how many of their deviations `value` is from it.

    past: (h,); floor: the least deviation that is believed. Fewer than a week of like windows say
    nothing: then `value` itself and 0.

    >>> against(0.3, np.full(8, 0.1), floor=0.002)
    (0.1, 99.99999999999999)
    """
    if len(past) < ENOUGH_HISTORY:
        return value, 0.0
    median = float(np.median(past))
    spread = 1.4826 * float(np.median(np.abs(past - median)))
    return median, abs(value - median) / float(np.hypot(spread, floor))


def beyond(share: Floats | float, largest: Floats | float) -> Mask | bool:
    """Whether a share leaves the largest of its past behind: by a quarter, or half the way to 1.

    >>> beyond(0.2, 0.1), beyond(0.12, 0.1), beyond(1.0, 0.9)
    (np.True_, np.False_, np.True_)
    """
    limit = np.minimum(_BEYOND * np.asarray(largest), (1 + np.asarray(largest)) / 2)
    return np.greater(share, limit)


def below(value: float, smallest: float) -> bool:
    """Whether a number is under the smallest of its past, by a fifth of it."""
    return value * _BEYOND < smallest
