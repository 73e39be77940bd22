"""What two classes that were predicted are worth: numbers of a 2 x 2 confusion matrix."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import InvalidInputError
from tocsin.metrics import confusion as cells
from tocsin.metrics.intervals import wilson
from tocsin.metrics.measured import (
    NO_OUTCOMES,
    NO_PREDICTIONS,
    NO_SCORES,
    ONE_CLASS,
    Measured,
    Reason,
    measured,
    proportion,
)
from tocsin.profiles import BinaryOutput, Profile

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Decisions:
    """Labelled rows by true and predicted class.

    confusion: (..., 2, 2). undefined: what leaves nothing to be measured at all.
    """

    confusion: Floats
    undefined: tuple[Reason, ...]

    @property
    def true(self) -> Floats:
        """(..., 2) rows by true class."""
        return np.asarray(self.confusion.sum(-1))

    @property
    def said(self) -> Floats:
        """(..., 2) rows by predicted class."""
        return np.asarray(self.confusion.sum(-2))

    @property
    def n(self) -> Floats:
        """(...,) rows."""
        return np.asarray(self.confusion.sum((-2, -1)))


def as_predicted(profile: Profile) -> Decisions:
    """The classes that the model predicted."""
    confusion = profile.confusion
    nothing = profile.total("labelled") == 0
    judged = confusion.sum((-2, -1))
    return Decisions(confusion, ((nothing, NO_OUTCOMES), (judged == 0, NO_PREDICTIONS)))


def at_threshold(profile: Profile, threshold: float) -> Decisions:
    """The classes that scores from a threshold on would predict. Exact.

    Raises: InvalidInputError when the threshold lies inside a bin.
    """
    scores = profile.scores
    at = threshold_edge(profile, threshold)
    below = np.stack([scores.negatives[..., :at].sum(-1), scores.positives[..., :at].sum(-1)], -1)
    above = np.stack([scores.negatives[..., at:].sum(-1), scores.positives[..., at:].sum(-1)], -1)
    confusion = np.stack([below, above], -1)
    nothing = profile.total("labelled") == 0
    judged = confusion.sum((-2, -1))
    return Decisions(confusion, ((nothing, NO_OUTCOMES), (judged == 0, NO_SCORES)))


def threshold_edge(profile: Profile, threshold: float) -> int:
    """The first score bin from a threshold on.

    Raises: InvalidInputError when the threshold lies inside a bin.
    """
    output = profile.plan.output
    assert isinstance(output, BinaryOutput)
    if threshold not in output.edges:
        raise InvalidInputError(
            f"threshold {threshold} lies inside a bin of the scores; add it to `thresholds` of the "
            "schema, and add the model again"
        )
    return output.edges.index(threshold)


def accuracy(of: Decisions) -> Measured:
    """Share of labelled rows whose predicted class was right. Range [0, 1]; exact."""
    right = of.confusion[..., 0, 0] + of.confusion[..., 1, 1]
    return proportion(right, of.n, *of.undefined)


def precision(of: Decisions) -> Measured:
    """Share of positive predictions that were right. Range [0, 1]; exact."""
    said = of.said[..., 1]
    why = (said == 0, "no positive predictions among the labelled rows")
    return proportion(of.confusion[..., 1, 1], said, *of.undefined, why)


def recall(of: Decisions) -> Measured:
    """Share of positives that were predicted so. Range [0, 1]; exact."""
    positives = of.true[..., 1]
    why = (positives == 0, "no positives among the labelled rows")
    return proportion(of.confusion[..., 1, 1], positives, *of.undefined, why)


def specificity(of: Decisions) -> Measured:
    """Share of negatives that were predicted so. Range [0, 1]; exact."""
    negatives = of.true[..., 0]
    why = (negatives == 0, "no negatives among the labelled rows")
    return proportion(of.confusion[..., 0, 0], negatives, *of.undefined, why)


def false_positive_rate(of: Decisions) -> Measured:
    """Share of negatives that were predicted positive. Range [0, 1]; exact."""
    negatives = of.true[..., 0]
    why = (negatives == 0, "no negatives among the labelled rows")
    return proportion(of.confusion[..., 0, 1], negatives, *of.undefined, why)


def f1(of: Decisions) -> Measured:
    """Harmonic mean of precision and recall. Range [0, 1]; exact.

    The interval is that of J = TP / (TP + FP + FN), a proportion, through F1 = 2 J / (1 + J).
    """
    hits = of.confusion[..., 1, 1]
    rows = hits + of.confusion[..., 0, 1] + of.confusion[..., 1, 0]
    low, high = wilson(hits, rows)
    return measured(
        2 * hits / np.maximum(rows + hits, 1),
        of.n,
        *of.undefined,
        (rows == 0, "no positives, neither predicted nor true"),
        low=2 * low / (1 + low),
        high=2 * high / (1 + high),
    )


def balanced_accuracy(of: Decisions) -> Measured:
    """Mean of the shares of positives and of negatives predicted right. Range [0, 1]; exact."""
    value = cells.balanced_accuracy(of.confusion).value
    low, high = cells.interval(of.confusion, cells.balanced_accuracy, value)
    why = (of.true.min(-1) == 0, ONE_CLASS)
    return measured(value, of.n, *of.undefined, why, low=low, high=high)


def matthews(of: Decisions) -> Measured:
    """Correlation of true and predicted class. Range [-1, 1]; exact.

    Source: Matthews (1975), doi:10.1016/0005-2795(75)90109-9.
    """
    value = cells.matthews(of.confusion).value
    low, high = cells.interval(of.confusion, cells.matthews, value, least=-1)
    return measured(
        value,
        of.n,
        *of.undefined,
        (of.true.min(-1) == 0, ONE_CLASS),
        (of.said.min(-1) == 0, "the predicted classes of the labelled rows are all the same"),
        low=low,
        high=high,
    )


Decided = Callable[[Decisions], Measured]
