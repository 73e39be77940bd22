"""The loops over rows, compiled; they hold no Python object and release the GIL."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bins = NDArray[np.int32]

# Larger numbers are in no sum: the fourth power of an error, and a sum of such, has to be finite.
# Here, because what is compiled is kept until this file changes.
LARGEST = 1e70


@njit(nogil=True, cache=True)
def searched(values: Floats, padded: Floats) -> Bins:
    """(n,) how many of the edges are at most each value; 0 for NaN.

    padded: ascending edges, filled up with infinity to a power of two.
    """
    bins = np.empty(values.size, np.int32)
    if padded.size == 32:
        # Unrolled and without a branch: three times as fast as the loop.
        for i in range(values.size):
            x = values[i]
            j = 16 * (x >= padded[15])
            j += 8 * (x >= padded[j + 7])
            j += 4 * (x >= padded[j + 3])
            j += 2 * (x >= padded[j + 1])
            j += 1 * (x >= padded[j])
            bins[i] = j
        return bins
    if padded.size == 256:
        for i in range(values.size):
            x = values[i]
            j = 128 * (x >= padded[127])
            j += 64 * (x >= padded[j + 63])
            j += 32 * (x >= padded[j + 31])
            j += 16 * (x >= padded[j + 15])
            j += 8 * (x >= padded[j + 7])
            j += 4 * (x >= padded[j + 3])
            j += 2 * (x >= padded[j + 1])
            j += 1 * (x >= padded[j])
            bins[i] = j
        return bins
    for i in range(values.size):
        x = values[i]
        j = 0
        step = padded.size >> 1
        while step:
            j += step * (x >= padded[j + step - 1])
            step >>= 1
        bins[i] = j
    return bins


@njit(nogil=True, cache=True)
def numeric_bins(
    values: Floats, null: NDArray[np.bool_], padded: Floats, edges: int, finite: Floats
) -> Bins:
    """(n,) bin of each value: regular bins, then below, above, non-finite, null.

    edges: how many of `padded` are edges; finite: (n,) takes the values, 0 where there is none, or
        none that can be summed up.
    """
    regular = edges - 1
    last = padded[regular]
    bins: Bins = searched(values, padded)
    has_nulls = null.size > 0
    for i in range(values.size):
        x = values[i]
        j = bins[i] - 1
        finite[i] = x
        if j < 0:
            j = regular
        elif j >= regular:
            # The last bin is closed.
            j = regular - 1 if x == last else regular + 1
        if not np.isfinite(x):
            j = regular + 2
        if not abs(x) <= LARGEST:
            finite[i] = 0.0
        if has_nulls and null[i]:
            j = regular + 3
            finite[i] = 0.0
        bins[i] = j
    return bins


@njit(nogil=True, cache=True)
def looked_up(codes: Bins, table: Bins) -> Bins:
    """(n,) `table[code]`; the last entry of the table is for code -1."""
    bins = np.empty(codes.size, np.int32)
    last = table.size - 1
    for i in range(codes.size):
        code = codes[i]
        bins[i] = table[code if code >= 0 else last]
    return bins


@njit(nogil=True, cache=True)
def count(out: Floats, start: int, stride: int, group: Ints, bins: Bins) -> None:
    """Add one to each row's bin of `out` (groups, size); bin -1 is none."""
    for i in range(bins.size):
        if bins[i] >= 0:
            out[group[i], start + bins[i] * stride] += 1.0


@njit(nogil=True, cache=True)
def deposit(
    out: Floats, start: int, stride: int, group: Ints, bins: Bins,
    first: Floats, second: Floats, third: Floats,
) -> None:  # fmt: skip
    """Add one and three amounts to four neighbouring fields of each row's bin; -1 is none."""
    for i in range(bins.size):
        if bins[i] < 0:
            continue
        row = out[group[i]]
        at = start + bins[i] * stride
        row[at] += 1.0
        row[at + 1] += first[i]
        row[at + 2] += second[i]
        row[at + 3] += third[i]


@njit(nogil=True, cache=True)
def count_and_add(
    out: Floats, start: int, stride: int, group: Ints, bins: Bins, amount: Floats
) -> None:
    """Add one and an amount to two neighbouring fields of each row's bin; bin -1 is none."""
    for i in range(bins.size):
        if bins[i] >= 0:
            at = start + bins[i] * stride
            out[group[i], at] += 1.0
            out[group[i], at + 1] += amount[i]


@njit(nogil=True, cache=True)
def add(out: Floats, at: Ints, group: Ints, amounts: Floats) -> None:
    """Add amounts (m, n) to places `at` (m,) of each row's profile."""
    for i in range(group.size):
        row = out[group[i]]
        for j in range(at.size):
            row[at[j]] += amounts[j, i]
