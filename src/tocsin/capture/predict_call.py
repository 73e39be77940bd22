"""A call of `PyFuncModel.predict`: copies of what went in and what came out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.capture.answers import predictions_of
from tocsin.capture.exchange import Model, Rows, UnreadableError
from tocsin.capture.reading import rows_of

_FLAT = str | bytes | int | float | bool | None


@dataclass(frozen=True, eq=False)
class PredictCall:
    """A call that gave a result."""

    model: Model
    data: Any
    result: Any
    ids: list[str]
    timestamps: Sequence[datetime | str]

    @property
    def size(self) -> int:
        """About how many bytes it holds, where a row of a list takes some hundred."""
        return _bytes_of(self.data) + _bytes_of(self.result) + 1000

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


def _bytes_of(data: Any) -> int:
    if isinstance(data, Mapping):
        return sum(map(_bytes_of, data.values()))
    if isinstance(data, list):
        return 200 * len(data)
    size = getattr(data, "nbytes", None)
    if isinstance(size, int):
        return size
    if hasattr(data, "memory_usage"):
        usage = data.memory_usage()
        return int(usage if isinstance(usage, int) else usage.sum())
    return 100
