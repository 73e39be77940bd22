"""How sure the chances are that scores are given: those of a reference of so many rows."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tocsin.profiles import ScoreHistogram
from tocsin.profiles.calibration import isotonic

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# What the prior weighs where bins are pooled: it decides only of bins without labels.
_EMPTY = 1e-6


@dataclass(frozen=True, eq=False)
class Calibration:
    """The chance of label 1 by score bin, and the variance of those chances.

    chances: (k,) by ascending score bin. starts: (g,) where runs of bins begin that share one
    chance, as isotonic regression pooled them. variances: (g,) of the chance of each run.
    labelled: (k,) rows of the reference that it rests on.
    """

    chances: Floats
    starts: Ints
    variances: Floats
    labelled: Floats

    def variance(self, slopes: Floats) -> Floats:
        """(...,) the variance of a number that moves by `slopes` (..., k) with the chances."""
        return np.asarray(np.vecdot(self.runs(slopes) ** 2, self.variances))

    def runs(self, values: Floats) -> Floats:
        """(..., g) the sums of values (..., k) over each run of bins."""
        # By running totals, because reduceat takes ten times as long.
        totals = np.cumsum(values, -1)[..., self._lasts]
        return np.diff(totals, axis=-1, prepend=0.0)

    def pooled(self, values: Floats) -> Floats:
        """(k,) for each bin the sum of values (k,) over its run."""
        widths = np.diff(np.append(self.starts, len(values)))
        return np.repeat(self.runs(values), widths)

    @cached_property
    def _lasts(self) -> Ints:
        return np.append(self.starts[1:], len(self.chances)) - 1


def calibration(reference: ScoreHistogram) -> Calibration:
    """The calibration of a reference: isotonic chances, with the variance of a binomial share.

    Unlike the chances that the plan keeps, which a row of prior in each of a hundred bins pulls
    towards the score, there is one such row in each run of pooled bins: with 1,000 rows of
    reference whose scores were too low, the mean chance was off by 0.0005 instead of 0.005. That it
    is chance which bins are pooled is left out: there the stated deviation was 5 % too small.

    >>> edges, rates = np.array([0, 0.4, 0.8, 1.0]), np.full(3, 0.5)
    >>> rows, positives = np.full(3, 10.0), np.array([3.0, 2.0, 8.0])
    >>> scores = ScoreHistogram(edges, rates, rows, rows, rows - positives, positives)
    >>> found = calibration(scores)
    >>> found.chances.round(3).tolist(), found.starts.tolist()
    ([0.257, 0.257, 0.809], [0, 2])
    """
    labelled = reference.positives + reference.negatives
    middles = (reference.edges[1:] + reference.edges[:-1]) / 2
    pooled = isotonic(reference.positives, labelled, prior=middles, prior_rows=_EMPTY)
    starts = np.flatnonzero(np.diff(pooled, prepend=-1.0) != 0)
    rows = np.add.reduceat(labelled, starts)
    widths = np.diff(np.append(starts, len(pooled)))
    prior = np.add.reduceat(middles, starts) / widths
    chances = (np.add.reduceat(reference.positives, starts) + prior) / (rows + 1)
    # The variance where the share is a little off from 0 and 1, where there is none.
    smooth = (chances * rows + 0.5) / (rows + 1)
    variances = smooth * (1 - smooth) / (rows + 1)
    return Calibration(np.repeat(chances, widths), starts, variances, labelled)
