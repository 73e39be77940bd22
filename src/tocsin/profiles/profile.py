"""A profile: the vector of sums and counts that stands for rows."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import IncompatibleProfilesError
from tocsin.profiles.layout import DELAY_EDGES, FEATURE_FIELDS, SCORE_FIELDS, TOTALS
from tocsin.profiles.plan import FeatureBins, Plan

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoreHistogram:
    """Counts of rows by score bin and label.

    edges: (k + 1,) ascending scores; bin i is [edges[i], edges[i + 1]), the last closed.
    rows: (..., k) rows, labelled or not; sums: (..., k) sums of their scores.
    negatives, positives: (..., k) rows labelled 0 and 1.
    """

    edges: Array
    rows: Array
    sums: Array
    negatives: Array
    positives: Array


@dataclass(frozen=True, eq=False)
class FeatureHistogram:
    """Sums of one feature's bins, each (..., k); the explicit bins come last.

    value: of the feature (0 for categories); score: of the scores; expected_loss: of the loss that
    the calibration expects. labelled, label, loss, loss_squared: over labelled rows.
    """

    bins: FeatureBins
    n: Array
    value: Array
    score: Array
    expected_loss: Array
    labelled: Array
    label: Array
    loss: Array
    loss_squared: Array

    @property
    def shares(self) -> Array:
        """(..., k) the share of the rows in each bin; all 0 when there are none."""
        return np.asarray(self.n / np.maximum(self.n.sum(-1, keepdims=True), 1))


@dataclass(frozen=True, eq=False)
class Profile:
    """What is known of some rows; `+` merges, `-` retracts, `zero` changes nothing.

    vector: (size,) float64, or (..., size) for a stack of profiles of one plan.
    Raises: IncompatibleProfilesError when profiles of different plans meet.
    """

    plan: Plan
    vector: Array

    @classmethod
    def zero(cls, plan: Plan) -> "Profile":
        """The profile of no rows."""
        return cls(plan, np.zeros(plan.layout.size))

    def __add__(self, other: "Profile") -> "Profile":
        return Profile(self.plan, self.vector + self._compatible(other))

    def __sub__(self, other: "Profile") -> "Profile":
        return Profile(self.plan, self.vector - self._compatible(other))

    def __neg__(self) -> "Profile":
        return Profile(self.plan, -self.vector)

    def _compatible(self, other: "Profile") -> Array:
        if self.plan is not other.plan and self.plan.digest != other.plan.digest:
            raise IncompatibleProfilesError(
                f"a profile of plan {other.plan.digest} cannot be added to one of plan "
                f"{self.plan.digest}; rebuild the model's profiles with one plan"
            )
        return other.vector

    def to_bytes(self) -> bytes:
        """The vector, compressed: mostly zeros in a short bucket."""
        return zlib.compress(self.vector.astype("<f8").tobytes(), level=1)

    @classmethod
    def from_bytes(cls, plan: Plan, data: bytes) -> "Profile":
        """The profile that `to_bytes` wrote.

        Raises: IncompatibleProfilesError when its size is not that of the plan.
        """
        vector = np.frombuffer(zlib.decompress(data), dtype="<f8").astype(np.float64)
        if vector.size != plan.layout.size:
            raise IncompatibleProfilesError(
                f"stored profile has {vector.size} sums, but plan {plan.digest} has "
                f"{plan.layout.size}; rebuild the model's profiles"
            )
        return cls(plan, vector)

    def total(self, name: str) -> Array:
        """One of the totals over all rows: (...,)."""
        return np.asarray(self.vector[..., TOTALS.index(name)])

    @property
    def delays(self) -> Array:
        """(..., d) labelled rows by label delay; see `DELAY_EDGES`."""
        start = self.plan.layout.delays
        return self.vector[..., start : start + len(DELAY_EDGES) + 1]

    @property
    def scores(self) -> ScoreHistogram:
        """The score bins."""
        layout = self.plan.layout
        fields = self._fields(layout.scores, layout.score_bins, len(SCORE_FIELDS))
        return ScoreHistogram(np.array(self.plan.score_edges), *fields)

    def feature(self, name: str) -> FeatureHistogram:
        """The bins of one feature."""
        start, bins = self.plan.layout.features[name]
        described = next(f for f in self.plan.features if f.name == name)
        return FeatureHistogram(described, *self._fields(start, bins, len(FEATURE_FIELDS)))

    def _fields(self, start: int, bins: int, fields: int) -> list[Array]:
        part = self.vector[..., start : start + bins * fields]
        part = part.reshape(*part.shape[:-1], bins, fields)
        return [part[..., i] for i in range(fields)]
