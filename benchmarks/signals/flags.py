"""Whether the flags of estimates are up before an estimate would lead a rule astray."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.signals.estimates import NAMES, measured
from tocsin.estimation import Flag, Surprises, Track, expectations, judged, outside
from tocsin.metrics import METRICS, Measured
from tocsin.metrics.intervals import Z95

Floats = NDArray[np.float64]
# Windows by which labels come later.
DELAYS = (1, 7)
# Realised so much worse than the reference, while the estimate is not half so much worse.
WORSE = 0.05
HEADER = (
    "data", "metric", "delay", "misleading", "trusted then", "first", "first flag", "trusted",
    "error if trusted", "error",
)  # fmt: skip
TITLE = """Flags: which estimates rules may act on

misleading: windows whose realised number is worse than the reference by more than 0.05 while the
estimate is not half as much worse; trusted then: those of them that no flag speaks against, which
is what flags are there to prevent; first: the first misleading window, first flag: the first one
with a flag, counted from 1; trusted: share of all windows without a flag; error if trusted: mean
distance from the realised number in those, beside that of all."""


def rows(chosen: Sequence[str]) -> list[tuple[str, ...]]:
    """The table."""
    return [row for name in chosen for delay in DELAYS for row in _rows(name, delay)]


def _rows(name: str, delay: int) -> list[tuple[str, ...]]:
    stream, _, reference, windows = measured(name)
    expected = expectations(reference, windows, NAMES)
    truth: list[Measured] = [METRICS[metric].measure(windows) for metric in NAMES]
    was = [float(METRICS[metric].measure(reference).value) for metric in NAMES]
    drift = METRICS["concept_drift"].measure(windows)
    usual = float(METRICS["concept_drift"].measure(reference).value)
    where = outside(reference, windows, output="score", spared=())
    count = len(stream.windows)
    blank = np.full((count, len(NAMES)), np.nan)
    track = Track(
        ends=np.arange(1, count + 1),
        usable=np.ones(count, bool),
        value=np.stack([expected[metric].value for metric in NAMES], -1),
        variance=np.stack([expected[metric].variance for metric in NAMES], -1),
        low=blank,
        high=blank,
        realised=np.stack([each.value for each in truth], -1),
        surprises=Surprises(drift.value - usual, (drift.high - drift.low) / (2 * Z95), drift.n),
        outside=where.share,
        beyond=where.beyond,
    )
    found = judged(
        track,
        np.arange(count),
        references=was,
        scales=[expected[metric].scale for metric in NAMES],
        loss=float(reference.total("loss") / reference.total("labelled")),
        lag=delay,
        stride=1,
    )
    table = []
    for m, metric in enumerate(NAMES):
        sign = 1.0 if METRICS[metric].higher_is_better else -1.0
        fell = sign * (was[m] - track.realised[:, m])
        said = sign * (was[m] - track.value[:, m])
        misleading = (fell > WORSE) & (said < WORSE / 2)
        flagged = found.flags[:, m] != int(Flag(0))
        error = np.abs(track.value[:, m] - track.realised[:, m])
        trusted = f"{error[~flagged].mean():.4f}" if (~flagged).any() else "none"
        table.append(
            (
                stream.name,
                metric,
                str(delay),
                str(int(misleading.sum())),
                str(int((misleading & ~flagged).sum())),
                _first(misleading),
                _first(flagged),
                f"{(~flagged).mean():.0%}",
                trusted,
                f"{error.mean():.4f}",
            )
        )
    return table


def _first(these: NDArray[np.bool_]) -> str:
    return str(int(these.argmax()) + 1) if these.any() else "none"
