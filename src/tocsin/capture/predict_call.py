"""A call of `PyFuncModel.predict`: copies of what went in and what came out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.capture.answers import predictions_of
from tocsin.capture.exchange import Model, Rows, UnreadableError
from tocsin.capture.reading import rows_of

# From so many rows the size of all is told.
_SAMPLE = 64
_FLAT = str | bytes | int | float | bool | None


@dataclass(frozen=True, eq=False)
class PredictCall:
    """A call that gave a result. size: about how many bytes it holds."""

    model: Model
    data: Any
    result: Any
    ids: list[str]
    timestamps: Sequence[datetime | str]
    size: int

    def rows(self) -> Rows:
        """Its rows. Raises: UnreadableError."""
        inputs = rows_of(self.data, self.model.names)
        predictions = predictions_of(self.result)
        if not len(inputs) == len(predictions) == len(self.ids):
            raise UnreadableError(f"{len(predictions)} predictions for {len(inputs)} rows")
        return Rows(inputs, predictions, self.ids, self.timestamps)

    def frame(self) -> Any:
        """A data frame or an array as it was given, with its types; None for all else."""
        is_frame = hasattr(self.data, "iloc") and hasattr(self.data, "columns")
        is_array = hasattr(self.data, "ndim") and not self.model.names
        return self.data if is_frame or is_array else None


def row_count(data: Any) -> int:
    """How many rows something is that a model is asked with.

    >>> row_count([[1, 2], [3, 4]]), row_count({"a": [1, 2, 3]}), row_count({"a": 1})
    (2, 3, 1)
    """
    if isinstance(data, Mapping):
        first = next(iter(data.values()), ())
        return 1 if isinstance(first, _FLAT) else len(first)
    return 1 if isinstance(data, _FLAT) else len(data)


def copied(data: Any) -> Any:
    """What the caller may change later, out of its reach. Raises: UnreadableError."""
    if isinstance(data, _FLAT):
        return data
    if isinstance(data, Mapping):
        return {key: copied(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [copied(value) for value in data]
    if hasattr(data, "to_pylist"):  # of Arrow: it cannot be changed
        return data
    if hasattr(data, "tolist") or hasattr(data, "to_dict"):
        return data.copy() if hasattr(data, "copy") else data
    if hasattr(data, "isoformat"):
        return data
    raise UnreadableError(f"a {type(data).__name__} is not recorded")


def bytes_of(data: Any) -> int:
    """About how many bytes something takes, its texts included: from a sample of its rows."""
    if isinstance(data, str | bytes):
        return 60 + len(data)
    if isinstance(data, Mapping):
        return 100 + sum(map(bytes_of, data.values()))
    if isinstance(data, list | tuple):
        return 100 + _by_sample(data, lambda rows: sum(map(bytes_of, rows)))
    if hasattr(data, "memory_usage") and hasattr(data, "iloc"):
        return _by_sample(data.iloc, lambda rows: _memory_of(rows), len(data))
    if getattr(getattr(data, "dtype", None), "hasobject", False):
        flat = data.reshape(-1)
        return _by_sample(flat, lambda rows: sum(map(bytes_of, rows)))
    size = getattr(data, "nbytes", None)
    return size if isinstance(size, int) else 60


def _by_sample(rows: Any, size: Callable[[Any], int], length: int | None = None) -> int:
    n = len(rows) if length is None else length
    step = max(1, n // _SAMPLE)
    return size(rows[::step]) * n // max(1, -(-n // step))


def _memory_of(frame: Any) -> int:
    usage = frame.memory_usage(index=False, deep=True)
    return int(usage.sum() if hasattr(usage, "sum") else usage)


def parted(data: Any, most_bytes: int) -> list[Any]:
    """The same rows in parts of about so many bytes; whole where it is small, or has no rows.

    >>> parted([1, 2, 3], 100), parted([1, 2, 3], 10**6)
    ([[1], [2], [3]], [[1, 2, 3]])
    """
    size = bytes_of(data)
    if size <= most_bytes or (part := part_of(data, 0, 1)) is None:
        return [data]
    n = row_count(data)
    step = max(1, n * most_bytes // size)
    return [part if n == 1 else part_of(data, i, i + step) for i in range(0, n, step)]


def part_of(data: Any, begin: int, end: int) -> Any:
    """Some rows of a frame, an array, an Arrow table or a list; None of anything else."""
    if hasattr(data, "iloc"):
        return data.iloc[begin:end]
    if isinstance(data, list | tuple) or hasattr(data, "ndim"):
        return data[begin:end]
    if hasattr(data, "to_pylist") and hasattr(data, "slice"):
        return data.slice(begin, end - begin)
    return None
