"""The walk of a detector over one series, a window at a time, compiled."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

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

UNKNOWN, LEARNING, USUAL, CHANGED = 0, 1, 2, 3


@njit(nogil=True, cache=True)
def followed(
    residual: Floats, error: Floats, side: float, history: int, warm_up: int, level: float
) -> tuple[NDArray[np.int8], Floats, Floats, Floats, NDArray[np.int64]]:
    """One series, from its first window to its last.

    residual: (t,) of what is usual, NaN where unknown; error: (t,) standard errors. side: 1 where a
    rise is looked for, -1 a fall. history, warm_up: most and fewest windows to calibrate on.
    Returns: (t,) pace, spread, z, evidence and onset, see `Detection`.
    """
    steps = residual.size
    pace, onsets = np.zeros(steps, np.int8), np.zeros(steps, np.int64)
    spreads, zs, evidences = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    bets, price = np.zeros(BETS.size), BETS**2 / 2
    peaks, highest, peak = np.zeros(history), 0.0, 0.0
    spread, memory, cusum, before, onset, calm = 0.0, 0.0, 0.0, np.nan, 0, 0
    resting = 0.0
    ready, changed = False, False
    # A day of hours, or a week of days, changes little of what is usual.
    every = max(history // 28, 1)
    for t in range(steps):
        if t % every == 0:
            first = max(0, t - history)
            ready, spread, memory, price = _calibrated(
                residual[first:t], error[first:t], side, warm_up
            )
            resting = _resting(price)
        z = _scaled(residual[t], error[t], spread)
        new = min(max(side * _whitened(z, before, memory), -_MOST), _MOST)
        before = z
        zs[t] = z
        ended = 0.0
        if ready and not np.isnan(z):
            if cusum == 0 and not changed:
                calm = t
            cusum = min(max(cusum + new - _CUSUM_SLACK, 0.0), _CUSUM_TOP)
            for b in range(BETS.size):
                earned = (1 + bets[b]) * np.exp(BETS[b] * new - price[b])
                bets[b] = min(earned, _EVIDENCE_TOP)
            strength = np.log1p(bets.mean())
            peak = max(peak, strength)
            # As long as evidence grows, it also tells better when that began.
            if not changed or strength == peak:
                onset = _begun(zs, calm, t, side)
            changed = changed or strength >= max(level, _BEYOND * highest)
            if cusum == 0 and peak >= level:
                ended, peak, changed = peak, 0.0, False
                bets[:] = 0.0
        # An episode is remembered for as long as the history it was in.
        forgotten = peaks[t % history]
        peaks[t % history] = ended
        if ended >= highest:
            highest = ended
        elif forgotten == highest:
            highest = peaks.max()
        if not np.isnan(z):
            pace[t] = LEARNING if not ready else CHANGED if changed else USUAL
        spreads[t], onsets[t] = spread, onset
        if not np.isnan(z):
            needed = max(level, _BEYOND * highest)
            evidences[t] = _evidence(np.log1p(bets.mean()), resting, needed)
        elif t > 0:
            evidences[t] = evidences[t - 1]
    return pace, spreads, zs, evidences, onsets


@njit(nogil=True, cache=True)
def _begun(z: Floats, first: int, last: int, side: float) -> int:
    """The window from first to last with which a change of unknown size most likely began.

    Source: Hinkley (1970), doi:10.1093/biomet/57.1.1. Where CUSUM left 0 is too early: it may have
    been on its way by chance.
    """
    total, count, most, begun = 0.0, 0, 0.0, first
    for t in range(last, first - 1, -1):
        if not np.isnan(z[t]):
            total += side * z[t]
            count += 1
            if total > 0 and total * total >= most * count:
                most, begun = total * total / count, t
    return begun


@njit(nogil=True, cache=True)
def _resting(price: Floats) -> float:
    """The strength to which bets come by themselves while nothing happens."""
    stays = np.exp(-price)
    return float(np.log1p((stays / (1 - stays)).mean()))


@njit(nogil=True, cache=True)
def _evidence(strength: float, resting: float, needed: float) -> float:
    """0 where the strength is what nothing at all has, 1 where it is an alarm."""
    if needed <= resting:
        return strength / needed
    return max((strength - resting) / (needed - resting), 0.0)


@njit(nogil=True, cache=True)
def medians(
    values: Floats, period: int, examples: int, least: int
) -> tuple[Floats, NDArray[np.int64]]:
    """(t,) the median of earlier windows like each, and from how many; NaN where from too few.

    values: (t,), NaN where unknown. Like are those `period` apart, at most `examples` of them.
    """
    steps = values.size
    middle, counts = np.full(steps, np.nan), np.zeros(steps, np.int64)
    ordered = np.empty(examples)
    for phase in range(min(period, steps)):
        # The known values of the window that moves along, in order.
        n = 0
        for t in range(phase, steps, period):
            counts[t] = n
            if n >= least:
                middle[t] = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
            leaving = t - examples * period
            if leaving >= 0 and not np.isnan(values[leaving]):
                at = 0
                while ordered[at] < values[leaving]:
                    at += 1
                for i in range(at, n - 1):
                    ordered[i] = ordered[i + 1]
                n -= 1
            if not np.isnan(values[t]):
                at = n
                while at > 0 and ordered[at - 1] > values[t]:
                    ordered[at] = ordered[at - 1]
                    at -= 1
                ordered[at] = values[t]
                n += 1
    return middle, counts


@njit(nogil=True, cache=True)
def _calibrated(
    residual: Floats, error: Floats, side: float, least: int
) -> tuple[bool, float, float, Floats]:
    """Whether there is enough, the spread beyond sampling, the memory, and what bets cost."""
    fair = BETS**2 / 2
    known = residual[~np.isnan(residual)]
    if known.size < least:
        return False, 0.0, 0.0, fair
    # By the median, so that the faults of the past do not hide the next.
    scale = 1.4826 * np.median(np.abs(known))
    sampling = np.median(error[~np.isnan(residual)])
    spread = np.sqrt(max(scale**2 - sampling**2, 0.0))
    z = np.empty(residual.size)
    for t in range(residual.size):
        z[t] = _scaled(residual[t], error[t], spread)
    together, alone = 0.0, 0.0
    for t in range(1, z.size):
        if not np.isnan(z[t]) and not np.isnan(z[t - 1]):
            together += z[t] * z[t - 1]
            alone += z[t - 1] * z[t - 1]
    memory = 0.0 if alone == 0 else min(max(together / alone, 0.0), _STRONGEST_MEMORY)
    earned, count = np.zeros(BETS.size), 0
    for t in range(1, z.size):
        if not np.isnan(z[t]):
            new = min(max(side * _whitened(z[t], z[t - 1], memory), -_MOST), _MOST)
            earned += np.exp(BETS * new)
            count += 1
    # Where the past has had storms, betting on them is dear: they are no sign of a change.
    price = fair if count == 0 else np.maximum(np.log(earned / count), fair)
    return True, spread, memory, price


@njit(nogil=True, cache=True)
def _scaled(residual: float, error: float, spread: float) -> float:
    if np.isnan(residual) or residual == 0:
        return residual
    scale = np.sqrt(error * error + spread * spread)
    # A series that never moved has no scale: any move of it is as large as can be.
    if scale == 0:
        return _MOST if residual > 0 else -_MOST
    z: float = min(max(residual / scale, -_MOST), _MOST)
    return z


@njit(nogil=True, cache=True)
def _whitened(z: float, before: float, memory: float) -> float:
    """What is new in z after the window before it; all of it where that is unknown."""
    if np.isnan(before):
        return z
    new: float = (z - memory * before) / np.sqrt(1 - memory * memory)
    return new
