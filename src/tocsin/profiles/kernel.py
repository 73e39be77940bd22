"""The loops over rows, compiled; they hold no Python object and release the GIL."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(nogil=True, cache=True)
def numeric_bins(values: Floats, null: NDArray[np.bool_], edges: Floats) -> NDArray[np.int32]:
    """(n,) bin of each value: regular bins, then below, above, non-finite, null."""
    regular = edges.size - 1
    bins = np.empty(values.size, np.int32)
    for i in range(values.size):
        x = values[i]
        if null[i]:
            bins[i] = regular + 3
        elif not np.isfinite(x):
            bins[i] = regular + 2
        elif x < edges[0]:
            bins[i] = regular
        elif x > edges[regular]:
            bins[i] = regular + 1
        else:
            low, high = 0, regular
            while low + 1 < high:
                middle = (low + high) // 2
                if x >= edges[middle]:
                    low = middle
                else:
                    high = middle
            bins[i] = low
    return bins


@njit(nogil=True, cache=True)
def add_feature(
    out: Floats, base: int, bucket: Ints, bins: NDArray[np.int32], values: Floats,
    score: Floats, expected_loss: Floats,
) -> None:  # fmt: skip
    """Add unlabelled rows to one feature's bins in `out` (buckets, size)."""
    for i in range(bins.size):
        at = base + bins[i] * 8
        row = bucket[i]
        out[row, at] += 1.0
        out[row, at + 1] += values[i]
        out[row, at + 2] += score[i]
        out[row, at + 3] += expected_loss[i]


@njit(nogil=True, cache=True)
def add_feature_labels(
    out: Floats, base: int, bucket: Ints, bins: NDArray[np.int32], label: Floats, loss: Floats
) -> None:
    """Add labelled rows to one feature's bins in `out` (buckets, size)."""
    for i in range(bins.size):
        at = base + bins[i] * 8 + 4
        row = bucket[i]
        out[row, at] += 1.0
        out[row, at + 1] += label[i]
        out[row, at + 2] += loss[i]
        out[row, at + 3] += loss[i] * loss[i]
