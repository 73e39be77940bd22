"""Columns that are folded into the bins of a reference, as a profile has them."""

import numpy as np

from tocsin.drift import Pair, feature_pair
from tocsin.profiles import FeatureHistogram
from tocsin.profiles.bins import NUMERIC_QUANTILES, NumericBins, numeric_bins
from tocsin.profiles.columns import NO_NULLS, NumericColumn

Floats = np.ndarray


def histogram(bins: NumericBins, values: Floats) -> FeatureHistogram:
    """Values by bin, and their sums; all else is 0."""
    at, finite = bins.of(NumericColumn(np.asarray(values, float), NO_NULLS))
    k = len(bins.labels)
    counts = np.bincount(at, minlength=k).astype(float)
    sums = np.bincount(at, weights=finite, minlength=k)
    nothing = np.zeros(k)
    return FeatureHistogram(bins, counts, sums, *([nothing] * 6))


def numbers(reference: Floats, *windows: Floats) -> Pair:
    """Numbers in the bins of the reference; one window as a stack of one."""
    bins = numeric_bins("x", np.asarray(reference, float), NUMERIC_QUANTILES)
    found = [histogram(bins, window) for window in windows]
    stack = FeatureHistogram(
        bins,
        np.stack([each.n for each in found]),
        np.stack([each.value for each in found]),
        *([np.zeros((len(found), len(bins.labels)))] * 6),
    )
    return feature_pair(histogram(bins, reference), stack)


def categories(reference: list[float] | Floats, *windows: list[float] | Floats) -> Pair:
    """Counts by category."""
    return Pair(np.asarray(reference, float), np.asarray(windows, float))
