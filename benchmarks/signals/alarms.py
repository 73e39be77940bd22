"""How often rules that learn what is usual ring for nothing, against the budget they were given."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.signals.streams import flights_by
from tocsin.metrics import METRICS
from tocsin.trends import Pace, alarm_level, detection, season_of
from tocsin.values import DAY, HOUR

Floats = NDArray[np.float64]

TITLE = """False alarms of `value: auto`, against the budget

Made-up series: 90 days of hours, a daily rhythm, neighbours that correlate by .5, none of which
ever changes. Flights: the model of the demo, May to December 2013, its metrics by hour and by day,
bad sides only; what rings there may be real, and metrics ring together: episodes are counted once a
model. z > 3: each window by itself against the same history, as a rule of thumb has it."""
HEADER = ("series", "level", "windows", "allowed", "rang", "ratio", "z > 3 rang")

_BAD = {"accuracy_score": -1.0, "roc_auc": -1.0, "brier_score": 1.0, "log_loss": 1.0}
_HOURS_A_MONTH = 720


def rows(chosen: Sequence[str]) -> list[tuple[str, ...]]:
    """The table."""
    found = [_made(spread, noise) for spread, noise in ((1.0, 0.3), (1.0, 1.0), (0.0, 1.0))]
    if "flights" in chosen:
        found += [_natural(HOUR), _natural(DAY)]
    return found


def _made(spread: float, noise: float) -> tuple[str, ...]:
    rng = np.random.default_rng(0)
    steps, series = 24 * 90, 400
    values = 2 * np.sin(np.arange(steps) / 24 * 2 * np.pi)[:, None] + noise * rng.normal(
        size=(steps, series)
    )
    state = rng.normal(size=series)
    for t in range(steps):
        state = 0.5 * state + np.sqrt(0.75) * rng.normal(size=series)
        values[t] += spread * state
    level = alarm_level(1, _HOURS_A_MONTH, 10)
    errors, sides = np.full_like(values, noise), np.ones(series)
    found = detection(values, errors, sides, season_of(HOUR, steps), level=level)
    judged = int((found.pace >= Pace.USUAL).sum())
    name = f"made up, varies by {spread:g}, sampling {noise:g}"
    return _row(name, level, judged, _begins(found.pace).sum(), _beyond(found.pace, found.z))


def _natural(size: int) -> tuple[str, ...]:
    stack = flights_by(size)
    rows = stack.total("labelled")
    columns, errors = [], []
    for name in _BAD:
        measured = METRICS[name].measure(stack)
        known = np.array([reason is None for reason in measured.reason]) & (rows >= 20)
        wide = (measured.high - measured.low) / (2 * 1.96)
        columns.append(np.where(known, measured.value, np.nan))
        errors.append(np.where(known & np.isfinite(wide), wide, 0.0))
    values, sides = np.stack(columns, axis=1), np.array(list(_BAD.values()))
    level = alarm_level(1, 30 * DAY / size, len(_BAD))
    season = season_of(size, len(values))
    found = detection(values, np.stack(errors, axis=1), sides, season, level=level)
    # Of a whole model: four metrics, one budget; a month counts once.
    judged = int((found.pace >= Pace.USUAL).sum())
    begun = _begins(found.pace)
    near = max(DAY // size, 3)
    episodes = _episodes(np.flatnonzero(begun.any(1)), near)
    crude = _beyond(found.pace, np.where(sides > 0, found.z, -found.z))
    return _row(f"flights by {'hour' if size == HOUR else 'day'}", level, judged, episodes, crude)


def _row(name: str, level: float, judged: int, rang: int, crude: int) -> tuple[str, ...]:
    allowed = judged / level
    return (
        name, f"{level:,.0f}", f"{judged:,}", f"{allowed:.1f}", f"{rang}", f"{rang / allowed:.2f}",
        f"{crude:,}",
    )  # fmt: skip


def _begins(pace: NDArray[np.int8]) -> NDArray[np.bool_]:
    """(t, s) where an alarm begins; a window of which nothing is known ends none."""
    changed = np.zeros(pace.shape[1], bool)
    begins = np.zeros(pace.shape, bool)
    for t, now in enumerate(pace):
        rings = np.where(now == Pace.UNKNOWN, changed, now == Pace.CHANGED)
        begins[t], changed = rings & ~changed, rings
    return begins


def _beyond(pace: NDArray[np.int8], z: Floats) -> int:
    """How many alarms a rule has that looks at one window after the other."""
    rings = (pace >= Pace.USUAL) & (z > 3)
    return int((rings & ~np.vstack([np.zeros_like(rings[:1]), rings[:-1]])).sum())


def _episodes(begins: NDArray[np.int64], near: int) -> int:
    """How many groups of alarms there are that begin no further apart than `near`."""
    return int((np.diff(begins, prepend=-(10**9)) > near).sum())
