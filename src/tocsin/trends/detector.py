"""Whether a series has left what is usual for it, at a rate of false alarms that is chosen.

Each window is compared with earlier ones like it, in units of what the series varies by, and less
what the window before already said. Evidence for a lasting change adds up by a mixture of
Shiryaev-Roberts detectors; a CUSUM beside them says when the change began and when it is over.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from tocsin.trends import kernel
from tocsin.trends.season import Season, usual

Floats = NDArray[np.float64]


class Pace(IntEnum):
    """How a series goes in one window."""

    UNKNOWN = kernel.UNKNOWN
    LEARNING = kernel.LEARNING
    USUAL = kernel.USUAL
    CHANGED = kernel.CHANGED


@dataclass(frozen=True, eq=False)
class Detection:
    """What a detector says of s series in t windows, each (t, s).

    pace: a `Pace`. usual: the middle of windows like it; spread: by how much the series varies.
    z: how many of those it is away. evidence: for a change, on a log scale where 1 is an alarm.
    onset: the index of the window with which the change began, meaningless unless changed.
    """

    pace: NDArray[np.int8]
    usual: Floats
    spread: Floats
    z: Floats
    evidence: Floats
    onset: NDArray[np.int64]


def alarm_level(false_alarms: float, windows: float, series: int) -> float:
    """The evidence at which `series` detectors together alarm by chance so often.

    false_alarms: in a time in which each series has so many `windows`.
    The mean time to a false alarm of a Shiryaev-Roberts detector is at least its level.
    Source: Pollak (1985), doi:10.1214/aos/1176346587.

    >>> alarm_level(1, 720, 10)
    7200.0
    """
    return max(windows * series / false_alarms, 2.0)


def detection(
    values: Floats, errors: Floats, sides: Floats, season: Season, *, level: float
) -> Detection:
    """Look for lasting changes of series.

    values: (t, s) at equal steps of time, NaN where unknown. errors: (t, s) their standard errors,
    0 where none is known. sides: (s,) 1 where a rise is looked for, -1 a fall.
    level: the evidence that is an alarm, see `alarm_level`.
    Source: Shin, Ramdas & Rinaldo (2023), doi:10.51387/23-NEJSDS51; Page (1954),
        doi:10.1093/biomet/41.1-2.100. Decision 27 says why bets are priced by history.
    """
    middle, counts = usual(values, season)
    # The middle of few windows is uncertain itself.
    errors = np.where(np.isfinite(errors), errors, 0.0)
    residual = (values - middle) / np.sqrt(1 + np.pi / 2 / np.maximum(counts, 1))
    walks = [
        kernel.followed(
            np.ascontiguousarray(residual[:, s]),
            np.ascontiguousarray(errors[:, s]),
            float(sides[s]),
            season.history,
            season.warm_up,
            float(np.log(level)),
        )
        for s in range(values.shape[1])
    ]
    pace, spread, z, evidence, onset = (np.stack(part, axis=1) for part in zip(*walks, strict=True))
    return Detection(pace, middle, spread, z, evidence, onset)
