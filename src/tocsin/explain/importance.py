"""The importance of each feature for one version of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Values within so many of their errors from 0 are taken for 0.
_ERRORS = 2.0


class Method(StrEnum):
    """How importance was found."""

    PERMUTATION = "permutation"
    SHAP = "shap"


class Measured(StrEnum):
    """What an importance is a mean of: rises of the loss, or moves of what the model gives."""

    LOSS = "loss"
    OUTPUT = "output"


@dataclass(frozen=True)
class FeatureImportance:
    """value: a mean over rows, in the unit of the loss or the output; error: its standard error."""

    feature: str
    value: float
    error: float

    @classmethod
    def mean_of(cls, feature: str, values: NDArray[np.float64]) -> "FeatureImportance":
        """values: (n,) one for each row.

        >>> FeatureImportance.mean_of("age", np.array([1.0, 3.0]))
        FeatureImportance(feature='age', value=2.0, error=1.0)
        """
        n = len(values)
        error = float(values.std(ddof=1)) / sqrt(n) if n > 1 else 0.0
        return cls(feature, float(values.mean()), error)


@dataclass(frozen=True)
class Importance:
    """What a model relies on, found on rows of its reference.

    rows: how many were looked at. features: all of the model's, the most important first.
    """

    method: Method
    measured: Measured
    rows: int
    repeats: int
    seed: int
    features: tuple[FeatureImportance, ...]

    @property
    def reliance(self) -> dict[str, float]:
        """Each feature against the most important one, [0, 1]; 0 for what is not told from nothing.

        >>> found = [FeatureImportance("age", 0.2, 0.01), FeatureImportance("noise", 0.01, 0.01)]
        >>> Importance.of(Method.PERMUTATION, Measured.LOSS, 100, 5, 0, found).reliance
        {'age': 1.0, 'noise': 0.0}
        """
        most = max((f.value for f in self.features), default=0.0)
        return {
            f.feature: f.value / most if f.value > _ERRORS * f.error and most > 0 else 0.0
            for f in self.features
        }

    def to_dict(self) -> dict[str, Any]:
        """The importance as JSON types; `from_dict` reads it back."""
        return {
            "method": str(self.method),
            "measured": str(self.measured),
            "rows": self.rows,
            "repeats": self.repeats,
            "seed": self.seed,
            "features": [
                {"feature": f.feature, "value": f.value, "error": f.error} for f in self.features
            ],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Importance":
        """The importance that `to_dict` wrote."""
        return cls.of(
            Method(document["method"]),
            Measured(document["measured"]),
            document["rows"],
            document["repeats"],
            document["seed"],
            [FeatureImportance(**each) for each in document["features"]],
        )

    @classmethod
    def of(
        cls,
        method: Method,
        measured: Measured,
        rows: int,
        repeats: int,
        seed: int,
        features: Sequence[FeatureImportance],
    ) -> "Importance":
        """With the features in order."""
        ordered = sorted(features, key=lambda f: (-f.value, f.feature))
        return cls(method, measured, rows, repeats, seed, tuple(ordered))


def described(importance: Importance) -> str:
    """What the values are, and how they were found.

    >>> described(Importance(Method.PERMUTATION, Measured.LOSS, 2000, 5, 0, ()))
    'mean rise of the loss when a feature is shuffled, over 2,000 rows, 5 times'
    """
    rows = f"over {importance.rows:,} rows"
    if importance.method is Method.SHAP:
        return f"mean absolute SHAP value {rows}"
    what = "rise of the loss" if importance.measured is Measured.LOSS else "move of the output"
    return f"mean {what} when a feature is shuffled, {rows}, {importance.repeats} times"
