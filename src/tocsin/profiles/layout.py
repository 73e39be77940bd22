"""Where each sum of a profile lies in its vector."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tocsin.values import DAY, HOUR, MINUTE

# Sums over rows. Those after `expected_loss` are over labelled rows.
TOTALS = (
    "n",
    "missing_scores",
    "predicted_positive",
    "score",
    "score_squared",
    "expected_loss",
    "labelled",
    "label",
    "loss",
    "loss_squared",
    "log_loss",
    "log_loss_squared",
    "true_negatives",
    "false_positives",
    "false_negatives",
    "true_positives",
)
# Of each score bin; rows without a score are in none.
SCORE_FIELDS = ("n", "score", "negatives", "positives")
# Of each feature bin.
FEATURE_FIELDS = (
    "n", "value", "score", "expected_loss", "labelled", "label", "loss", "loss_squared",
)  # fmt: skip
# Upper ends of the label-delay bins; the last bin is open.
DELAY_EDGES = np.array(
    [m * MINUTE for m in (0, 1, 5, 15, 30)]
    + [h * HOUR for h in (1, 2, 3, 4, 6, 8, 12, 18)]
    + [d * DAY for d in (1, 2, 3, 5, 7, 14, 21, 30, 60, 90)],
    dtype=np.int64,
)


@dataclass(frozen=True)
class Layout:
    """Offsets into a profile's vector: totals, label delays, score bins, feature bins.

    features: for each feature where its bins begin, and how many they are.
    """

    delays: int
    scores: int
    score_bins: int
    features: Mapping[str, tuple[int, int]]
    size: int

    @classmethod
    def of(cls, score_bins: int, features: Mapping[str, int]) -> "Layout":
        """The layout for so many score bins and so many bins of each feature."""
        delays = len(TOTALS)
        scores = delays + len(DELAY_EDGES) + 1
        offset = scores + score_bins * len(SCORE_FIELDS)
        placed: dict[str, tuple[int, int]] = {}
        for name, bins in features.items():
            placed[name] = (offset, bins)
            offset += bins * len(FEATURE_FIELDS)
        return cls(delays, scores, score_bins, placed, offset)
