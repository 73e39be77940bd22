"""A number by which the rows of a reference are known again, however they were stored meanwhile."""

from collections.abc import Iterator
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def reference_digest(table: pa.Table) -> str:
    """The SHA-256 of the columns by name, their types and values; chunks and encodings aside.

    >>> reference_digest(pa.table({"a": [1, 2]}))[:8]
    '1f1ea1e4'
    """
    digest = sha256()
    for name in sorted(table.column_names):
        values = _plain(table[name])
        # Parquet calls what is in a list otherwise than Arrow.
        kind = "nested" if pa.types.is_nested(values.type) else str(values.type)
        digest.update(f"{len(name.encode())} {name} {kind} {len(values)}\n".encode())
        for part in _bytes(values):
            digest.update(part)
    return digest.hexdigest()


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece, without an encoding; text of either width is the same."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        kind = pa.large_string()
    if pa.types.is_binary(kind) or pa.types.is_binary_view(kind):
        kind = pa.large_binary()
    whole = column.cast(kind).combine_chunks()
    return whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole


def _bytes(values: pa.Array) -> Iterator[bytes]:
    """Which values are missing, and those that are not."""
    there = values.drop_null()
    yield np.packbits(pc.is_valid(values).to_numpy(zero_copy_only=False)).tobytes()
    if pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type):
        yield pc.binary_length(there).to_numpy(zero_copy_only=False).astype(np.int64).tobytes()
        yield b"".join(there.cast(pa.large_binary()).to_pylist())
    elif pa.types.is_boolean(values.type):
        yield np.packbits(there.to_numpy(zero_copy_only=False)).tobytes()
    elif pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        yield np.ascontiguousarray(there.to_numpy(zero_copy_only=False)).tobytes()
    elif pa.types.is_temporal(values.type):
        width = pa.int32() if values.type.bit_width == 32 else pa.int64()
        yield np.ascontiguousarray(there.cast(width).to_numpy(zero_copy_only=False)).tobytes()
    else:
        yield repr(there.to_pylist()).encode()
