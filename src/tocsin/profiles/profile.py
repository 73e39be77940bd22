"""A profile: the vector of sums and counts that stands for rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import IncompatibleProfilesError
from tocsin.profiles.bins import FeatureBins
from tocsin.profiles.layout import DELAYS, FEATURE_FIELDS, RATIO_FIELDS
from tocsin.profiles.outputs import BinaryOutput, MulticlassOutput, RegressionOutput
from tocsin.profiles.packing import packed, unpacked
from tocsin.profiles.plan import Plan

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoreHistogram:
    """Counts of rows by score bin and label.

    edges: (k + 1,) ascending scores; bin i is [edges[i], edges[i + 1]), the last closed.
    rates: (k,) the chance of label 1 in the reference.
    rows: (..., k) rows, labelled or not; sums: (..., k) sums of their scores.
    negatives, positives: (..., k) rows labelled 0 and 1.
    """

    edges: Array
    rates: Array
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
class ResidualHistogram:
    """Labelled rows by absolute error.

    edges: (k,) ascending from 0; bin i is [edges[i], edges[i + 1]), the last one open.
    under, over: (..., k) rows whose prediction was too low (or right), and too high.
    """

    edges: Array
    under: Array
    over: Array


@dataclass(frozen=True, eq=False)
class RatioSums:
    """Sums of a declared ratio over the rows on which it is known, each (...,)."""

    n: Array
    sum: Array
    per: Array
    sum_squared: Array
    per_squared: Array
    product: Array


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

    def __getitem__(self, index: int) -> "Profile":
        """One of a stack."""
        return Profile(self.plan, self.vector[index])

    def _compatible(self, other: "Profile") -> Array:
        if self.plan is not other.plan and self.plan.digest != other.plan.digest:
            raise IncompatibleProfilesError(
                f"a profile of plan {other.plan.digest} cannot be added to one of plan "
                f"{self.plan.digest}; rebuild the model's profiles with one plan"
            )
        return other.vector

    def to_bytes(self) -> bytes:
        """The vector, packed: mostly zeros in a short bucket."""
        return packed(self.vector)

    @classmethod
    def from_bytes(cls, plan: Plan, data: bytes) -> "Profile":
        """The profile that `to_bytes` wrote.

        Raises: IncompatibleProfilesError when its size is not that of the plan.
        """
        vector = unpacked(data)
        if vector.size != plan.layout.size:
            raise IncompatibleProfilesError(
                f"stored profile has {vector.size} sums, but plan {plan.digest} has "
                f"{plan.layout.size}; rebuild the model's profiles"
            )
        return cls(plan, vector)

    def total(self, name: str) -> Array:
        """One of the totals over all rows: (...,)."""
        return np.asarray(self.vector[..., self.plan.totals.index(name)])

    @property
    def delays(self) -> Array:
        """(..., d) labelled rows by label delay; see `DELAY_EDGES`."""
        return self._block(DELAYS)[..., 0]

    @property
    def scores(self) -> ScoreHistogram:
        """The score bins of a binary classifier."""
        output = self.plan.output
        assert isinstance(output, BinaryOutput)
        return self._scores("scores", output.edges, output.rates)

    def class_scores(self, number: int) -> ScoreHistogram:
        """The score bins of one class of several, where the others are label 0."""
        output = self.plan.output
        assert isinstance(output, MulticlassOutput)
        return self._scores(f"scores/{number}", output.edges[number], output.rates[number])

    @property
    def confusion(self) -> Array:
        """(..., k, k) labelled rows by true and by predicted class."""
        output = self.plan.output
        if isinstance(output, BinaryOutput):
            cells = ("true_negatives", "false_positives", "false_negatives", "true_positives")
            flat, k = np.stack([self.total(cell) for cell in cells], axis=-1), 2
        else:
            assert isinstance(output, MulticlassOutput)
            flat, k = self._block("confusion")[..., 0], len(output.classes)
        return flat.reshape(*flat.shape[:-1], k, k)

    @property
    def predicted(self) -> Array:
        """(..., k) rows by predicted class, of several."""
        return self._block("predicted")[..., 0]

    @property
    def expected_right(self) -> Array:
        """(..., k) the sum of the calibrated chances of rows to be of the class they are given.

        0 where the plan does not have them summed up.
        """
        block = self._block("predicted")
        return block[..., 1] if block.shape[-1] > 1 else np.zeros_like(block[..., 0])

    @property
    def ranks(self) -> Array:
        """(..., r) labelled rows by the rank of the true class's score; the last is open."""
        return self._block("ranks")[..., 0]

    @property
    def residuals(self) -> ResidualHistogram:
        """The absolute errors of a regression."""
        output = self.plan.output
        assert isinstance(output, RegressionOutput)
        block = self._block("residuals")
        return ResidualHistogram(np.array(output.residual_edges), block[..., 0], block[..., 1])

    @property
    def predictions(self) -> FeatureHistogram:
        """The predictions of a regression, binned like a feature; values less the centre."""
        output = self.plan.output
        assert isinstance(output, RegressionOutput)
        return self._features("prediction", output.bins)

    @property
    def output_counts(self) -> Array:
        """(..., k) rows by bin of the output: score bins, predicted classes, or prediction bins."""
        output = self.plan.output
        if isinstance(output, BinaryOutput):
            return self.scores.rows
        return self.predicted if isinstance(output, MulticlassOutput) else self.predictions.n

    def feature(self, name: str) -> FeatureHistogram:
        """The bins of one feature."""
        return self._features(f"feature/{name}", self.plan.bins(name))

    def ratio(self, name: str) -> RatioSums:
        """The sums of a declared ratio."""
        block = self._block(f"ratio/{name}")[..., 0, :]
        return RatioSums(*(block[..., i] for i in range(len(RATIO_FIELDS))))

    def _scores(
        self, name: str, edges: tuple[float, ...], rates: tuple[float, ...]
    ) -> ScoreHistogram:
        block = self._block(name)
        return ScoreHistogram(np.array(edges), np.array(rates), *(block[..., i] for i in range(4)))

    def _features(self, name: str, bins: FeatureBins) -> FeatureHistogram:
        block = self._block(name)
        return FeatureHistogram(bins, *(block[..., i] for i in range(len(FEATURE_FIELDS))))

    def _block(self, name: str) -> Array:
        """(..., bins, fields)."""
        block = self.plan.layout.blocks[name]
        part = self.vector[..., block.start : block.stop]
        return part.reshape(*part.shape[:-1], block.bins, len(block.fields))
