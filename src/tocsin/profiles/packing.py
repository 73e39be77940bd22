"""Sums as bytes: short, and so quick that a month of hours is read in a few milliseconds."""

import numpy as np
from numpy.typing import NDArray

_SIZE = np.dtype("<u4")
_COUNT = np.dtype("<i4")
_SUM = np.dtype("<f8")
_LARGEST_COUNT = 2**31


def packed(sums: NDArray[np.float64]) -> bytes:
    """Sums of which most are zeros or counts, as bytes.

    How many there are; a bit each, whether it is not 0; a bit each for those, whether it is a
    whole number of 32 bits; those; the others.
    """
    filled = sums != 0
    values = sums[filled]
    counts = (np.abs(values) < _LARGEST_COUNT) & (values == np.rint(values))
    return b"".join(
        (
            _SIZE.type(len(sums)).tobytes(),
            np.packbits(filled).tobytes(),
            np.packbits(counts).tobytes(),
            values[counts].astype(_COUNT).tobytes(),
            values[~counts].astype(_SUM).tobytes(),
        )
    )


def unpacked(data: bytes) -> NDArray[np.float64]:
    """The sums that `packed` packed. Raises: ValueError for bytes that are not of it."""
    if len(data) < _SIZE.itemsize:
        raise ValueError(f"{len(data)} bytes are no packed sums")
    size = int(np.frombuffer(data, _SIZE, 1)[0])
    filled, at = _bits(data, _SIZE.itemsize, size)
    counts, at = _bits(data, at, int(filled.sum()))
    whole = int(counts.sum())
    others = at + whole * _COUNT.itemsize
    end = others + (len(counts) - whole) * _SUM.itemsize
    if len(data) != end:
        raise ValueError(f"{size} packed sums have {len(data)} bytes, not {end}")
    values = np.empty(len(counts))
    values[counts] = np.frombuffer(data[at:others], _COUNT)
    values[~counts] = np.frombuffer(data[others:], _SUM)
    sums = np.zeros(size)
    sums[filled] = values
    return sums


def _bits(data: bytes, at: int, count: int) -> tuple[NDArray[np.bool_], int]:
    """So many bits from a place on, and the place after them."""
    length = -(-count // 8)
    if len(data) < at + length:
        raise ValueError(f"packed sums end at byte {len(data)}, before the {count} bits at {at}")
    bits = np.unpackbits(np.frombuffer(data, np.uint8, length, at), count=count)
    return bits.astype(np.bool_), at + length
