"""Expected numbers of windows without labels, and how far the realised ones may lie from them."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from tocsin.metrics.intervals import Z95, of_share

Floats = NDArray[np.float64]

NO_ROWS = "no predictions in this window"
NO_CALIBRATION = "the reference has no outcomes to calibrate the scores with"
# A number that is 0 or 1 for certain would have no interval at all.
_INSIDE = 1e-9


class Scale(StrEnum):
    """Where a number can lie: [0, 1], [-1, 1], or from 0 on."""

    SHARE = "share"
    SIGNED = "signed"
    POSITIVE = "positive"


@dataclass(frozen=True, eq=False)
class Expected:
    """A number as it is expected of each window, each part (...,).

    error: of the binning, as that of `Measured`. sampling: the variance of the realised number
    about the expected one, as each label is a coin. calibration: the variance that comes from the
    finite reference. n: rows that it rests on. reason: why there is none, None where there is one.
    """

    value: Floats
    error: Floats
    sampling: Floats
    calibration: Floats
    n: Floats
    reason: NDArray[np.object_]
    scale: Scale

    @property
    def variance(self) -> Floats:
        """(...,) of realised less expected, if scores mean what they meant in the reference."""
        return self.sampling + self.calibration


def expected(
    value: Floats,
    n: Floats,
    *undefined: tuple[NDArray[np.bool_], str],
    scale: Scale,
    sampling: Floats,
    calibration: Floats,
    error: Floats | None = None,
) -> Expected:
    """Gather the parts; the first condition of `undefined` that holds gives the reason."""
    value = np.asarray(value)
    reason = np.full(value.shape, None, dtype=object)
    reason[~np.isfinite(value)] = "the sums of this window are beyond the largest number"
    for condition, text in reversed(((n <= 0, NO_ROWS), *undefined)):
        reason[condition] = text
    error = np.zeros(value.shape) if error is None else error
    return Expected(value, error, sampling, calibration, n, reason, scale)


def interval(value: Floats, variance: Floats, scale: Scale) -> tuple[Floats, Floats]:
    """(...,) the 95 % interval of a realised number, inside the range that it can have.

    variance: of realised less expected, that between windows (tau squared) included.

    >>> low, high = interval(np.array([0.9]), np.array([0.0004]), Scale.SHARE)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.854], [0.933])
    """
    if scale is Scale.POSITIVE:
        safe = np.where(value > 0, value, 1.0)
        # Beyond this factor nothing is known.
        factor = np.exp(np.minimum(Z95 * np.sqrt(variance) / safe, 50))
        return value / factor, value * factor
    size, least = (2.0, -1.0) if scale is Scale.SIGNED else (1.0, 0.0)
    share = np.clip((value - least) / size, _INSIDE, 1 - _INSIDE)
    low, high = of_share(share, variance / size**2, share)
    return least + size * low, least + size * high
