"""How soon a change is found, beside a CUSUM that is told the truth about the time before."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tocsin.trends import Pace, detection, season_of
from tocsin.values import DAY

TITLE = """Delay until a change of the error rate is found, in rows, over windows of 250

The CUSUM (k .5) knows the error rate of before, ours learns it. False: streams that rang in the 200
windows before the change; missed: in the 250 after it. Compare rows whose `false` are alike."""
HEADER = ("error", "detector", "level", "false", "median rows", "90 % rows", "missed")

_BEFORE, _AFTER, _ROWS, _STREAMS = 200, 250, 250, 400
_WARM = 30


def rows(_: Sequence[str]) -> list[tuple[str, ...]]:
    """The table."""
    return [row for later in (0.12, 0.15, 0.20) for row in _rows(later)]


def _rows(later: float) -> list[tuple[str, ...]]:
    rng = np.random.default_rng(0)
    begin = _WARM + _BEFORE
    chance = np.where(np.arange(begin + _AFTER)[:, None] < begin, 0.10, later)
    values = rng.binomial(_ROWS, np.broadcast_to(chance, (len(chance), _STREAMS))) / _ROWS
    errors = np.sqrt(values * (1 - values) / _ROWS)
    season = season_of(DAY, 0)
    found = [_row(later, "CUSUM, told", top, _cusum(values, top), begin) for top in (5.0, 7.0)]
    for level in (100.0, 465.0, 10_000.0):
        seen = detection(values, errors, np.ones(_STREAMS), season, level=level)
        found.append(_row(later, "auto", level, seen.pace == Pace.CHANGED, begin))
    return found


def _cusum(values: NDArray[np.float64], top: float) -> NDArray[np.bool_]:
    """(t, s) where a CUSUM that knows the error rate of before rings; it starts anew then."""
    total, rings = np.zeros(values.shape[1]), np.zeros(values.shape, bool)
    for t in range(_WARM, len(values)):
        total = np.maximum(total + (values[t] - 0.10) / np.sqrt(0.09 / _ROWS) - 0.5, 0)
        rings[t] = total > top
        total[rings[t]] = 0
    return rings


def _row(
    later: float, name: str, level: float, rings: NDArray[np.bool_], begin: int
) -> tuple[str, ...]:
    early = rings[_WARM:begin].any(0).mean()
    after = rings[begin:]
    delay = np.where(after.any(0), np.argmax(after, axis=0) + 1.0, np.inf) * _ROWS
    median, most = (np.quantile(delay, q, method="higher") for q in (0.5, 0.9))
    return (
        f".10 to {later:.2f}"[:9], name, f"{level:,.0f}", f"{early:.3f}", f"{median:,.0f}",
        f"{most:,.0f}", f"{np.isinf(delay).mean():.3f}",
    )  # fmt: skip
