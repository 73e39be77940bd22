"""What a statistic says of windows: how far they are apart, and how much of that may be chance."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# How often chance alone may take a distance over its threshold where rows are just enough. A model
# of 20 columns and hourly windows is looked at 15,000 times a month.
TAIL = 1e-4
# Where fewer rows are expected in a bin, their number is far from normal.
EXPECTED = 5.0
# Fewer rows say nothing.
ENOUGH_ROWS = 20


@dataclass(frozen=True, eq=False)
class Apart:
    """How far windows are from the reference by one statistic; each entry (...,).

    value: less what sampling gives on average, where the statistic has that taken off; the value of
        the rows themselves lies in [value, value + error] of that of the bins.
    p_value: of no difference. n, reference_n: rows that were compared.
    noise, power: chance takes `value` over t in `TAIL` of clean windows where
        1 / reference_n + 1 / n is t**power / noise. Tests have no noise: they allow for it.
    least: fewer rows than that are never enough. reason: why there is no value, else None.
    """

    value: Floats
    error: Floats
    p_value: Floats
    n: Floats
    reference_n: Floats
    noise: Floats = field(default_factory=lambda: np.zeros(()))
    power: int = 1
    least: Floats = field(default_factory=lambda: np.full((), float(ENOUGH_ROWS)))
    reason: str | None = None

    def minimum_n(self, threshold: float) -> Floats:
        """(...,) rows from which a value over the threshold is no chance; infinite for a reference
        that is too small itself.
        """
        room = threshold**self.power - self.noise / np.maximum(self.reference_n, 1)
        with np.errstate(divide="ignore"):
            needed = np.where(room > 0, self.noise / np.where(room > 0, room, 1), np.inf)
        found: Floats = np.maximum(np.ceil(needed), self.least)
        return np.broadcast_to(found, self.value.shape)

    def surely_over(self, threshold: float) -> NDArray[np.bool_]:
        """(...,) whether a value is over the threshold by more than chance adds to it.

        That may show in far fewer rows than one just over the threshold needs. A test has no such
        value: its p allows for the rows.
        """
        h = 1 / np.maximum(self.reference_n, 1) + 1 / np.maximum(self.n, 1)
        chance = np.where(self.noise > 0, self.noise * h, np.inf)
        over = self.value**self.power > threshold**self.power + chance
        return np.asarray(over & (self.n >= ENOUGH_ROWS))


def without(reason: str, n: Floats, reference_n: Floats) -> Apart:
    """No value, and why."""
    nothing = np.zeros(np.shape(n))
    return Apart(nothing, nothing, nothing + 1, n, reference_n, reason=reason)
