"""Rows as the kernel reads them: columns of NumPy arrays."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class NumericColumn:
    """Numbers of one feature.

    values: (n,) float64; what stands under a null does not matter.
    null: (n,) bool, True where there is no value.
    """

    values: NDArray[np.float64]
    null: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CategoryColumn:
    """Categories of one feature, dictionary-encoded.

    codes: (n,) int32 into `levels`, -1 for null.
    levels: the distinct categories as text.
    """

    codes: NDArray[np.int32]
    levels: tuple[str, ...]


Column = NumericColumn | CategoryColumn


@dataclass(frozen=True, eq=False)
class Rows:
    """Predictions of one model.

    scores: (n,) float64 in [0, 1], NaN where the model gave none.
    predicted: (n,) int8, 1 for the positive class, 0 for the negative, -1 where unknown.
    features: by name; every column has n rows.
    """

    scores: NDArray[np.float64]
    predicted: NDArray[np.int8]
    features: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.scores)
