"""Rows as the kernel reads them: columns of NumPy arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Mask = NDArray[np.bool_]

# The mask of a column that has no nulls: the kernel does not look at it.
NO_NULLS: Mask = np.empty(0, np.bool_)


class Levels(Protocol):
    """The distinct categories of a column; there may be millions."""

    def __len__(self) -> int: ...

    def places(self, known: Sequence[str]) -> Codes:
        """(l,) where each level stands among `known`, -1 for those that do not."""
        ...

    def texts(self, which: Ints) -> list[str]:
        """Some of the levels as text."""
        ...


@dataclass(frozen=True)
class TextLevels:
    """Levels that are few enough to be Python text."""

    values: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)

    def places(self, known: Sequence[str]) -> Codes:
        """(l,) where each level stands among `known`, -1 for those that do not."""
        at = {text: i for i, text in enumerate(known)}
        return np.array([at.get(text, -1) for text in self.values], np.int32)

    def texts(self, which: Ints) -> list[str]:
        """Some of the levels as text."""
        return [self.values[i] for i in which]


@dataclass(frozen=True, eq=False)
class RememberedLevels:
    """Levels that look the same texts up only once."""

    levels: Levels
    found: dict[tuple[str, ...], Codes] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.levels)

    def places(self, known: Sequence[str]) -> Codes:
        """(l,) where each level stands among `known`, -1 for those that do not."""
        wanted = tuple(known)
        if wanted not in self.found:
            self.found[wanted] = self.levels.places(wanted)
        return self.found[wanted]

    def texts(self, which: Ints) -> list[str]:
        """Some of the levels as text."""
        return self.levels.texts(which)


@dataclass(frozen=True, eq=False)
class NumericColumn:
    """Numbers of one feature.

    values: (n,) float64; what stands under a null does not matter.
    null: (n,) bool, True where there is no value; of size 0 when there are no nulls.
    """

    values: Floats
    null: Mask

    def __getitem__(self, part: slice) -> "NumericColumn":
        return NumericColumn(self.values[part], self.null[part] if self.null.size else NO_NULLS)

    @property
    def known(self) -> Floats:
        """(n,) the values, NaN for null."""
        return np.where(self.null, np.nan, self.values) if self.null.size else self.values


@dataclass(frozen=True, eq=False)
class CategoryColumn:
    """Categories of one feature, dictionary-encoded.

    codes: (n,) int32 into `levels`, -1 for null.
    """

    codes: Codes
    levels: Levels

    def __getitem__(self, part: slice) -> "CategoryColumn":
        return CategoryColumn(self.codes[part], self.levels)


Column = NumericColumn | CategoryColumn


@dataclass(frozen=True, eq=False)
class Rows:
    """Predictions of one model.

    scores: (n, c) float64, NaN where the model gave none. Binary: c = 1, the probability of the
        positive class. Multiclass: of each class. Regression: c = 1, the predicted number.
    predicted: (n,) int32, the predicted class, -1 where unknown; of a regression not looked at.
    features: by name; every column has n rows.
    """

    scores: Floats
    predicted: Codes
    features: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, part: slice) -> "Rows":
        features = {name: column[part] for name, column in self.features.items()}
        return Rows(self.scores[part], self.predicted[part], features)
