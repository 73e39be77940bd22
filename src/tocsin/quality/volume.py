"""Whether a window has as many rows as windows like it have."""

import numpy as np
from numpy.typing import NDArray

from tocsin.drift import ENOUGH_HISTORY, HISTORY
from tocsin.quality.checks import VOLUME
from tocsin.quality.expectations import Volume
from tocsin.quality.usual import UNUSUAL
from tocsin.quality.verdict import Finding, QualityVerdict

Floats = NDArray[np.float64]

# So many times fewer, or more, than nearly all windows like it.
_TIMES = 2.0


def volume_findings(rows: Floats, past: Floats, declared: Volume) -> list[Finding | None]:
    """What is found of the number of rows of each window.

    rows: (w,). past: (w, h) those of earlier windows like each, the oldest first, NaN where there
    was none. The second smallest and largest count, so that one bad window does not hide the next.
    """
    # Two more, so that there is a second smallest.
    newest = np.pad(_newest(past), ((0, 0), (0, 2)), constant_values=np.nan)
    known = np.sum(~np.isnan(newest), axis=-1) >= ENOUGH_HISTORY
    ordered = np.sort(newest, axis=-1)
    found: list[Finding | None] = [None] * len(rows)
    if declared.min is not None or declared.max is not None:
        known = np.zeros_like(known)
        for i, n in enumerate(rows.tolist()):
            found[i] = _against_declared(round(n), declared)
    counted = np.sum(~np.isnan(ordered), axis=-1)
    low = ordered[:, 1]
    high = np.take_along_axis(ordered, np.maximum(counted - 2, 0)[:, None], -1)[:, 0]
    with np.errstate(invalid="ignore"):
        odd = known & ((rows * _TIMES < low) | (rows > _TIMES * high))
    for i in np.flatnonzero(odd).tolist():
        found[i] = _against_past(float(rows[i]), ordered[i, : counted[i]], low[i], high[i])
    return found


def _newest(past: Floats) -> Floats:
    """The newest that are there, at most `HISTORY`."""
    there = ~np.isnan(past)
    rank = np.cumsum(there[:, ::-1], axis=-1)[:, ::-1]
    return np.where(there & (rank <= HISTORY), past, np.nan)


def _against_past(rows: float, past: Floats, low: float, high: float) -> Finding | None:
    median = float(np.median(past))
    spread = 1.4826 * float(np.median(np.abs(past - median)))
    # Rows that come independently of each other deviate by the root of their number.
    if abs(rows - median) <= UNUSUAL * float(np.hypot(spread, np.sqrt(max(median, 1.0)))):
        return None
    few = rows < median
    limit, word = (low, "only ") if few else (high, "")
    reason = (
        f"{word}{rows:,.0f} rows; windows like this have about {median:,.0f}, and "
        f"{'at least' if few else 'at most'} {limit:,.0f} but for one"
    )
    return Finding(
        "", VOLUME, QualityVerdict.VIOLATED, rows, round(rows), float(limit), median, reason
    )


def _against_declared(rows: int, declared: Volume) -> Finding | None:
    for limit, wrong, word in (
        (declared.min, declared.min is not None and rows < declared.min, "at least"),
        (declared.max, declared.max is not None and rows > declared.max, "at most"),
    ):
        if wrong and limit is not None:
            reason = f"{rows:,} rows; {word} {limit:,} are declared"
            violated = QualityVerdict.VIOLATED
            return Finding("", VOLUME, violated, float(rows), rows, float(limit), None, reason)
    return None
