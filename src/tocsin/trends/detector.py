"""Whether a series has left what is usual for it, at a rate of false alarms that is chosen.

Each window is compared with earlier ones like it, in units of what the series varies by, and less
what the window before already said. Evidence for a lasting change adds up by a mixture of
Shiryaev-Roberts detectors; a CUSUM beside them says when the change began and when it is over.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from tocsin.trends.season import Season, usual

Floats = NDArray[np.float64]

# Sizes of change that are bet on, in standard deviations.
BETS = np.array([0.5, 1.0, 1.5, 2.5])
# One window says at most so much: a storm is not a new climate.
_MOST = 4.0
_CUSUM_SLACK, _CUSUM_TOP = 0.5, 5.0
_STRONGEST_MEMORY = 0.9
# How far beyond its own past evidence has to be, as the log; decision 27.
_BEYOND = 1.25
# What a float can hold.
_EVIDENCE_TOP = 1e250
# How often the variation is measured anew, in windows.
_CALIBRATE_EVERY = 7


class Pace(IntEnum):
    """How a series goes in one window."""

    UNKNOWN = 0
    LEARNING = 1
    USUAL = 2
    CHANGED = 3


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
    steps, series = values.shape
    state = _State(series, season.history, level)
    calibration = _Calibration.none(series)
    out = Detection(
        pace=np.zeros((steps, series), np.int8),
        usual=middle,
        spread=np.zeros((steps, series)),
        z=np.zeros((steps, series)),
        evidence=np.zeros((steps, series)),
        onset=np.zeros((steps, series), np.int64),
    )
    for t in range(steps):
        if t % _CALIBRATE_EVERY == 0:
            past = slice(max(0, t - season.history), t)
            calibration = _calibrated(residual[past], errors[past], sides, season.warm_up)
        z, surprise = calibration.of(residual[t], errors[t], state.z, sides)
        state.step(t, z, surprise, calibration.price)
        known = np.isfinite(values[t])
        out.pace[t] = np.select(
            [~known, ~np.isfinite(surprise), state.changed],
            [Pace.UNKNOWN, Pace.LEARNING, Pace.CHANGED],
            Pace.USUAL,
        )
        out.spread[t] = calibration.spread
        out.z[t] = z
        out.evidence[t] = state.evidence
        out.onset[t] = state.onset
    return out


@dataclass(frozen=True, eq=False)
class _Calibration:
    """How s series vary, each (s,): beyond sampling, from window to window, and what a bet costs.

    price: (s, b) the log of what each bet earned on average in the past.
    """

    ready: NDArray[np.bool_]
    spread: Floats
    memory: Floats
    price: Floats

    @classmethod
    def none(cls, series: int) -> "_Calibration":
        return cls(np.zeros(series, bool), np.zeros(series), np.zeros(series), _fair_price(series))

    def of(
        self, residual: Floats, error: Floats, before: Floats, sides: Floats
    ) -> tuple[Floats, Floats]:
        """A window's z, and what of it the window before did not say, towards the side; (s,)."""
        z = _scaled(residual, error, self.spread)
        surprise = np.clip(sides * _whitened(z, before, self.memory), -_MOST, _MOST)
        return z, np.where(self.ready, surprise, np.nan)


def _fair_price(series: int) -> Floats:
    """What bets on independent normal numbers earn on average."""
    return np.tile(BETS**2 / 2, (series, 1))


def _calibrated(residual: Floats, error: Floats, sides: Floats, least: int) -> _Calibration:
    """How the series varied in some windows; residual, error: (w, s)."""
    known = np.isfinite(residual)
    ready = known.sum(0) >= least
    if not ready.any():
        return _Calibration.none(residual.shape[1])
    # By the median, so that the faults of the past do not hide the next.
    scale = 1.4826 * _median(np.abs(residual))
    sampling = _median(np.where(known, error, np.nan))
    spread = np.sqrt(np.maximum(scale**2 - sampling**2, 0))
    z = _scaled(residual, error, spread)
    before, now = z[:-1], z[1:]
    both = np.isfinite(before) & np.isfinite(now)
    together = np.where(both, before * now, 0.0).sum(0)
    alone = np.where(both, before * before, 0.0).sum(0)
    memory = np.clip(together / np.maximum(alone, 1e-12), 0, _STRONGEST_MEMORY)
    surprise = np.clip(sides * _whitened(now, before, memory), -_MOST, _MOST)
    earned = np.where(np.isfinite(surprise)[..., None], np.exp(surprise[..., None] * BETS), 0.0)
    count = np.maximum(np.isfinite(surprise).sum(0), 1)[:, None]
    # Where the past has had storms, betting on them is dear: they are no sign of a change.
    price = np.maximum(np.log(np.maximum(earned.sum(0) / count, 1e-12)), BETS**2 / 2)
    return _Calibration(ready, spread, memory, price)


def _scaled(residual: Floats, error: Floats, spread: Floats) -> Floats:
    scale = np.sqrt(error**2 + spread**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(scale > 0, residual / scale, np.sign(residual) * np.inf)
    # A series that never moved has no scale: any move of it is as large as can be.
    return np.clip(np.where(residual == 0, 0.0, z), -_MOST, _MOST)


def _whitened(z: Floats, before: Floats, memory: Floats) -> Floats:
    """What is new in z after the window before it; all of it where that is unknown."""
    new = (z - memory * before) / np.sqrt(1 - memory**2)
    return np.where(np.isfinite(before), new, z)


def _median(values: Floats) -> Floats:
    """(s,) medians over the first axis, of what is known; 0 of nothing."""
    ordered = np.sort(values, axis=0)
    counts = np.isfinite(values).sum(0)
    picked = [
        np.take_along_axis(ordered, np.maximum(at, 0)[None], axis=0)[0]
        for at in ((counts - 1) // 2, np.minimum(counts // 2, len(values) - 1))
    ]
    return np.where(counts > 0, (picked[0] + picked[1]) / 2, 0.0)


class _State:
    """The detectors of s series between two windows.

    peaks: (h, s) of how strong the episodes were that ended in the last h windows, as the log of
    their evidence; a ring.
    """

    def __init__(self, series: int, history: int, level: float) -> None:
        self.z = np.full(series, np.nan)
        self.bets = np.zeros((series, len(BETS)))
        self.cusum = np.zeros(series)
        self.onset = np.zeros(series, np.int64)
        self.changed = np.zeros(series, bool)
        self._peak = np.zeros(series)
        self._peaks = np.zeros((history, series))
        self._level = np.log(level)

    @property
    def evidence(self) -> Floats:
        """(s,) how far each is on its way to an alarm; from 1 on it is one."""
        return np.asarray(np.log1p(self.bets.mean(-1)) / self._limit, np.float64)

    @property
    def _limit(self) -> Floats:
        """(s,) the log of the evidence that is an alarm: unlike any episode of before."""
        return np.asarray(np.maximum(self._level, _BEYOND * self._peaks.max(0)))

    def step(self, t: int, z: Floats, surprise: Floats, price: Floats) -> None:
        """Take one window; where nothing is known everything stays."""
        self.z = z
        known = np.isfinite(surprise)
        new = np.where(known, surprise, 0.0)
        earned = (1 + self.bets) * np.exp(BETS * new[:, None] - price)
        self.bets = np.where(known[:, None], np.minimum(earned, _EVIDENCE_TOP), self.bets)
        self.onset = np.where(known & (self.cusum == 0), t, self.onset)
        cusum = np.clip(self.cusum + new - _CUSUM_SLACK, 0, _CUSUM_TOP)
        self.cusum = np.where(known, cusum, self.cusum)
        strength = np.log1p(self.bets.mean(-1))
        self._peak = np.maximum(self._peak, strength)
        self.changed |= known & (strength >= self._limit)
        over = known & (self.cusum == 0) & (self._peak >= self._level)
        self._peaks[t % len(self._peaks)] = np.where(over, self._peak, 0.0)
        self._peak[over] = 0.0
        self.bets[over] = 0.0
        self.changed &= ~over
