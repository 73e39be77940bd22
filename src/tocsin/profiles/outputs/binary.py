"""A binary classifier: confusion, and labels by score bin."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tocsin.profiles.bins import score_bins
from tocsin.profiles.calibration import isotonic
from tocsin.profiles.columns import Floats, Ints, Rows
from tocsin.profiles.layout import SCORE_FIELDS, Shape
from tocsin.profiles.outputs.added import Added, Deposit

SCORE_QUANTILES = 64

# The log of a score of exactly 0 or 1 has no end; scikit-learn clips at the same place.
CLIP = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class BinaryOutput:
    """The bins of a probability.

    edges: ascending from 0 to 1, every threshold among them.
    rates: of each bin the calibrated chance of the positive class in the reference.
    scored: False when the model gives classes only; they count as scores of 0 and 1.
    """

    threshold: float
    edges: tuple[float, ...]
    rates: tuple[float, ...]
    scored: bool = True

    task: ClassVar[str] = "binary"
    totals: ClassVar[tuple[str, ...]] = (
        "predicted_positive",
        "log_loss",
        "log_loss_squared",
        "true_negatives",
        "false_positives",
        "false_negatives",
        "true_positives",
    )

    def shapes(self) -> tuple[Shape, ...]:
        """The parts of the profile beside totals and features."""
        return (Shape("scores", len(self.edges) - 1, SCORE_FIELDS),)

    def unlabelled(self, rows: Rows) -> Added:
        """What predictions add."""
        raw = self._scores(rows)
        known = np.isfinite(raw)
        score = np.where(known, raw, 0.0)
        bins = score_bins(raw, np.array(self.edges))
        chance = np.array(self.rates)[bins]
        expected = np.where(known, chance * (1 - score) ** 2 + (1 - chance) * score**2, 0.0)
        return Added.by_predictions(
            known,
            score,
            expected,
            Deposit("scores", bins, amounts=(score,)),
            predicted_positive=(rows.predicted == 1).astype(float),
        )

    def labelled(self, rows: Rows, labels: Floats) -> Added:
        """What labels (0 or 1) add to rows that were folded before."""
        raw = self._scores(rows)
        known = np.isfinite(raw)
        score = np.where(known, raw, 0.0)
        loss = np.where(known, (score - labels) ** 2, 0.0)
        clipped = np.clip(score, CLIP, 1 - CLIP)
        log_loss = -np.where(labels == 1, np.log(clipped), np.log1p(-clipped))
        log_loss = np.where(known, log_loss, 0.0)
        judged = rows.predicted >= 0
        positive, said = labels == 1, rows.predicted == 1
        bins = score_bins(raw, np.array(self.edges))
        cells = {
            "true_negatives": ~positive & ~said,
            "false_positives": ~positive & said,
            "false_negatives": positive & ~said,
            "true_positives": positive & said,
        }
        return Added.by_labels(
            labels,
            loss,
            Deposit("scores", np.where(positive, -1, bins), field=2),
            Deposit("scores", np.where(positive, bins, -1), field=3),
            log_loss=log_loss,
            log_loss_squared=log_loss * log_loss,
            **{name: (judged & cell).astype(float) for name, cell in cells.items()},
        )

    def _scores(self, rows: Rows) -> Floats:
        if self.scored:
            scores = rows.scores[:, 0]
            # Infinity is no score, and so in no bin.
            return np.where(np.isfinite(scores), scores, np.nan)
        return classes_as_scores(rows)


def binary_output(
    rows: Rows, labels: Floats, *, threshold: float, thresholds: tuple[float, ...]
) -> BinaryOutput:
    """The bins that follow from a reference; labels: (n,) 0, 1 or NaN."""
    scores = rows.scores[:, 0]
    known = np.isfinite(scores)
    scored = bool(known.any()) or not bool((rows.predicted >= 0).any())
    if not scored:
        scores = classes_as_scores(rows)
        known = np.isfinite(scores)
    edges = score_edges(scores[known], (threshold, *thresholds))
    return BinaryOutput(
        threshold,
        tuple(edges.tolist()),
        tuple(calibrated_rates(scores, labels, edges).tolist()),
        scored,
    )


def classes_as_scores(rows: Rows) -> Floats:
    """(n,) the predicted classes as numbers, NaN where unknown."""
    return np.where(rows.predicted >= 0, rows.predicted, np.nan).astype(np.float64)


def score_edges(
    scores: Floats, thresholds: tuple[float, ...], most: int = SCORE_QUANTILES
) -> Floats:
    """Hybrid edges: quantiles of all scores, finer ones in the top tail, the thresholds exactly.

    The tail keeps ranking metrics sharp when positives are rare.
    most: how many quantiles, and how many in the tail.
    """
    body = np.linspace(0, 1, most + 1)
    tail = 1 - np.geomspace(1e-4, 0.1, most)
    quantiles = np.quantile(scores, np.concatenate([body, tail])) if len(scores) else np.empty(0)
    return np.unique(np.concatenate([[0.0, *thresholds, 1.0], quantiles]))


def calibrated_rates(scores: Floats, labels: Floats, edges: Floats) -> Floats:
    """(k,) the chance of label 1 by score bin, from the rows that have both."""
    usable = np.isfinite(scores) & np.isfinite(labels)
    bins: Ints = score_bins(scores[usable], edges)
    count = len(edges) - 1
    positives = np.bincount(bins, weights=labels[usable], minlength=count).astype(float)
    totals = np.bincount(bins, minlength=count).astype(float)
    return isotonic(positives, totals, prior=(edges[1:] + edges[:-1]) / 2)
