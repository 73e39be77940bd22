"""The same number measured on many windows at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.metrics.intervals import wilson
from tocsin.values import Bounded, Measure, Undefined

Floats = NDArray[np.float64]
# Where a number does not exist, and why.
Reason = tuple[NDArray[np.bool_], str]

NO_ROWS = "no predictions in this window"
NO_OUTCOMES = "no outcomes yet"
NO_SCORES = "no scores: the model gives labels only"
ONE_CLASS = "one class only: the outcomes so far are all the same"
NO_PREDICTIONS = "none of the labelled rows has a prediction"
TOO_LARGE = "the sums of this window are beyond the largest number"


@dataclass(frozen=True, eq=False)
class Measured:
    """One metric on a stack of windows; `at` gives the value of one of them.

    value, error, low, high, n: (...,) as in `Bounded`; meaningless where `reason` is not None.
    An end of the interval of which nothing is known is infinite.
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

    def each(self) -> list[Measure]:
        """The numbers of all windows of a flat stack, as `at` gives them one by one."""
        parts = (self.value, self.error, self.low, self.high, np.rint(self.n).astype(np.int64))
        return [
            Bounded(*numbers) if reason is None else Undefined(str(reason), numbers[-1])
            for reason, *numbers in zip(self.reason, *(p.tolist() for p in parts), strict=True)
        ]


def measured(
    value: Floats,
    n: Floats,
    *undefined: Reason,
    error: Floats | None = None,
    low: Floats,
    high: Floats,
) -> Measured:
    """Gather the parts; the first condition of `undefined` that holds gives the reason."""
    value = np.asarray(value)
    error = np.zeros(value.shape) if error is None else np.asarray(error)
    reason = np.full(value.shape, None, dtype=object)
    reason[~(np.isfinite(value) & np.isfinite(error))] = TOO_LARGE
    for condition, text in reversed(undefined):
        reason[condition] = text
    low, high = np.asarray(low), np.asarray(high)
    return Measured(
        value,
        error,
        # An interval contains its value, whatever rounding says.
        np.where(np.isnan(low), -np.inf, np.minimum(low, value)),
        np.where(np.isnan(high), np.inf, np.maximum(high, value)),
        np.asarray(n),
        reason,
    )


def proportion(successes: Floats, trials: Floats, *undefined: Reason) -> Measured:
    """A share of rows with Wilson's interval."""
    low, high = wilson(successes, trials)
    return measured(successes / np.maximum(trials, 1), trials, *undefined, low=low, high=high)
