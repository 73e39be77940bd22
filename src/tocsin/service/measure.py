"""Measure many windows of one size at once, from profiles alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.drift import Divergence, divergence, false_discovery_rates
from tocsin.metrics import METRICS
from tocsin.profiles import Profile
from tocsin.values import Measure

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Measurements:
    """Everything that follows from the profiles of some windows, before their history."""

    measures: tuple[Mapping[str, Measure], ...]
    divergences: tuple[Mapping[str, Divergence], ...]
    q_values: tuple[Mapping[str, float], ...]


def measure(reference: Profile, windows: Profile, *, score_name: str) -> Measurements:
    """All metrics and the divergences of all columns of a stack of windows."""
    count = windows.vector.shape[0]
    measured = {name: metric.measure(windows) for name, metric in METRICS.items()}
    apart = divergences(reference, windows, score_name=score_name)
    rates = false_discovery_rates(np.stack([d.p_value for d in apart.values()], axis=-1))
    return Measurements(
        tuple({name: m.at(i) for name, m in measured.items()} for i in range(count)),
        tuple({name: _at(d, i) for name, d in apart.items()} for i in range(count)),
        tuple(dict(zip(apart, row, strict=True)) for row in rates.tolist()),
    )


def divergences(reference: Profile, windows: Profile, *, score_name: str) -> dict[str, Divergence]:
    """The divergence of every feature, and of the score under `score_name`."""
    found = {
        bins.name: divergence(reference.feature(bins.name).n, windows.feature(bins.name).n)
        for bins in reference.plan.features
    }
    if reference.scores.rows.sum() > 0 and score_name not in found:
        cuts = _even_cuts(reference.scores.rows)
        found[score_name] = divergence(
            np.add.reduceat(reference.scores.rows, cuts),
            np.add.reduceat(windows.scores.rows, cuts, axis=-1),
        )
    return found


def _even_cuts(counts: NDArray[np.float64], groups: int = 20) -> Ints:
    """Where to cut bins into about so many groups of equal counts.

    The score bins are too fine to tell a distance from noise in a window of some hundred rows.
    """
    below = (np.cumsum(counts) - counts) / counts.sum()
    cuts = np.searchsorted(below, np.arange(groups) / groups)
    return np.unique(np.minimum(cuts, len(counts) - 1))


def _at(divergence: Divergence, index: int) -> Divergence:
    return Divergence(
        *(
            part[index]
            for part in (
                divergence.js_distance,
                divergence.js_floor,
                divergence.psi,
                divergence.p_value,
                divergence.n,
                divergence.minimum_n,
            )
        )
    )
