"""A column in the reference and in windows, as statistics read it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.profiles import FeatureHistogram, NumericBins

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Line:
    """The bins of a number in their order: below the first edge, between edges, above the last.

    edges: (b + 1,) ascending. reference: (..., b + 2) counts, current: likewise; reference_sums,
    current_sums: of the values in each bin. Rows without a finite value are in none.
    """

    edges: Floats
    reference: Floats
    reference_sums: Floats
    current: Floats
    current_sums: Floats


@dataclass(frozen=True, eq=False)
class Pair:
    """Counts by bin, explicit bins included.

    reference: (k,), or (..., k) where each window has its own; current: (..., k).
    line: where the bins lie on the line of numbers; None for categories.
    """

    reference: Floats
    current: Floats
    line: Line | None = None


def feature_pair(before: FeatureHistogram, now: FeatureHistogram, *, centre: float = 0.0) -> Pair:
    """A feature in the reference and in windows.

    centre: what the sums of values are measured from, as those of a regression's predictions are.
    """
    if not isinstance(now.bins, NumericBins):
        return Pair(before.n, now.n)
    edges = np.array(now.bins.edges)
    line = Line(
        edges,
        _in_order(before.n),
        _in_order(before.value + centre * before.n),
        _in_order(now.n),
        _in_order(now.value + centre * now.n),
    )
    return Pair(before.n, now.n, line)


def score_pair(
    edges: Floats, before: Floats, before_sums: Floats, now: Floats, sums: Floats
) -> Pair:
    """Scores in the reference and in windows: between edges, and nowhere else.

    before, now: (b,), (..., b) counts; before_sums, sums: of the scores.
    """
    return Pair(
        before,
        now,
        Line(edges, _between(before), _between(before_sums), _between(now), _between(sums)),
    )


def _in_order(parts: Floats) -> Floats:
    """Bins of a number as profiles have them (regular, below, above, non-finite, null) in order."""
    return np.concatenate([parts[..., -4:-3], parts[..., :-4], parts[..., -3:-2]], axis=-1)


def _between(parts: Floats) -> Floats:
    nothing = np.zeros((*parts.shape[:-1], 1))
    return np.concatenate([nothing, parts, nothing], axis=-1)
