"""Measure many windows of one size at once, from profiles alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.drift import Divergence, divergence, false_discovery_rates
from tocsin.metrics import Measured, Metric
from tocsin.profiles import BinaryOutput, Profile
from tocsin.values import Measure

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Measurements:
    """Everything that follows from the profiles of some windows, before their history.

    measured: the same numbers as `measures`, metric by metric.
    """

    measured: Mapping[str, Measured]
    measures: tuple[Mapping[str, Measure], ...]
    divergences: tuple[Mapping[str, Divergence], ...]
    q_values: tuple[Mapping[str, float], ...]


def measure(
    reference: Profile, windows: Profile, metrics: Mapping[str, Metric], *, output: str
) -> Measurements:
    """All metrics and the divergences of all columns of a stack of windows."""
    measured = {name: metric.measure(windows) for name, metric in metrics.items()}
    apart = divergences(reference, windows, output=output)
    values = [metric.each() for metric in measured.values()]
    distances = [found.each() for found in apart.values()]
    rates = false_discovery_rates(np.stack([d.p_value for d in apart.values()], axis=-1))
    return Measurements(
        measured,
        tuple(dict(zip(measured, row, strict=True)) for row in zip(*values, strict=True)),
        tuple(dict(zip(apart, row, strict=True)) for row in zip(*distances, strict=True)),
        tuple(dict(zip(apart, row, strict=True)) for row in rates.tolist()),
    )


def divergences(reference: Profile, windows: Profile, *, output: str) -> dict[str, Divergence]:
    """The divergence of every feature, and of what the model gives under the name `output`."""
    found = {
        bins.name: divergence(reference.feature(bins.name).n, windows.feature(bins.name).n)
        for bins in reference.plan.features
    }
    before, now = reference.output_counts, windows.output_counts
    if before.sum() > 0 and output not in found:
        if isinstance(reference.plan.output, BinaryOutput):
            cuts = _even_cuts(before)
            before, now = np.add.reduceat(before, cuts), np.add.reduceat(now, cuts, axis=-1)
        found[output] = divergence(before, now)
    return found


def _even_cuts(counts: NDArray[np.float64], groups: int = 20) -> Ints:
    """Where to cut bins into about so many groups of equal counts.

    The score bins are too fine to tell a distance from noise in a window of some hundred rows.
    """
    below = (np.cumsum(counts) - counts) / counts.sum()
    cuts = np.searchsorted(below, np.arange(groups) / groups)
    return np.unique(np.minimum(cuts, len(counts) - 1))
