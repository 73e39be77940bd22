"""The same number measured on many windows at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.values import Bounded, Measure, Undefined

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measured:
    """One metric on a stack of windows; `at` gives the value of one of them.

    value, error, low, high, n: (...,) as in `Bounded`; meaningless where `reason` is not None.
    reason: (...,) why there is no number, None where there is one.
    """

    value: Floats
    error: Floats
    low: Floats
    high: Floats
    n: Floats
    reason: NDArray[np.object_]

    def at(self, index: int | tuple[int, ...] | None = None) -> Measure:
        """The number of one window; without an index that of a single profile."""
        key = () if index is None else index
        n = round(float(self.n[key]))
        if self.reason[key] is not None:
            return Undefined(str(self.reason[key]), n)
        value, error, low, high = (
            float(part[key]) for part in (self.value, self.error, self.low, self.high)
        )
        return Bounded(value, error, low, high, n)


def measured(
    value: Floats,
    n: Floats,
    *undefined: tuple[NDArray[np.bool_], str],
    error: Floats | None = None,
    low: Floats,
    high: Floats,
) -> Measured:
    """Gather the parts; the first condition of `undefined` that holds gives the reason."""
    shape = np.shape(value)
    reason = np.full(shape, None, dtype=object)
    for condition, text in reversed(undefined):
        reason[condition] = text
    return Measured(
        np.asarray(value),
        np.zeros(shape) if error is None else np.asarray(error),
        np.asarray(low),
        np.asarray(high),
        np.asarray(n),
        reason,
    )
