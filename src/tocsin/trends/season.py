"""What is usual of a series at a time: the middle of earlier windows like it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.trends import kernel
from tocsin.values import DAY

Floats = NDArray[np.float64]

_DAYS_A_WEEK = 7
# So many windows of a day show what a weekday is like; before that all days are alike.
_WEEKS = 8


@dataclass(frozen=True)
class Season:
    """Which earlier windows are like one.

    period: how many windows lie between it and the one before that is like it.
    examples: how many of them are looked at; least: how few are enough.
    history: how many windows before it tell how much the series varies; warm_up: how few do.
    """

    period: int
    examples: int
    least: int
    history: int
    warm_up: int

    @property
    def reach(self) -> int:
        """How many windows before the first that is judged are of use."""
        return self.period * self.examples + self.history


def season_of(size: int, windows: int) -> Season:
    """The season of windows that follow each other without a gap.

    size: microseconds; windows: how many there are.
    Windows shorter than a day are like those of the same time on other days, days like the same
    day of other weeks once there are eight; longer ones are all alike.

    >>> season_of(DAY // 24, 2_000).period, season_of(DAY, 80).period, season_of(DAY, 20).period
    (24, 7, 1)
    """
    if size < DAY and DAY % size == 0:
        day = DAY // size
        return Season(period=day, examples=28, least=7, history=28 * day, warm_up=2 * day)
    if size == DAY and windows >= _WEEKS * _DAYS_A_WEEK:
        return Season(period=_DAYS_A_WEEK, examples=12, least=4, history=84, warm_up=14)
    return Season(period=1, examples=84, least=7, history=84, warm_up=14)


def usual(values: Floats, season: Season) -> tuple[Floats, Floats]:
    """The median of earlier windows like each, and from how many of them.

    values: (t, s) of s series at equal steps of time, NaN where unknown.
    Returns: (t, s) medians, NaN where there are fewer than `least`; (t, s) counts.
    """
    found = [
        kernel.medians(
            np.ascontiguousarray(values[:, i]), season.period, season.examples, season.least
        )
        for i in range(values.shape[1])
    ]
    middle, counts = (np.stack(part, axis=1) for part in zip(*found, strict=True))
    return middle, counts.astype(np.float64)
