"""A classifier of several classes: confusion, ranks, and one-vs-rest labels by score bin."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tocsin.profiles.bins import score_bins
from tocsin.profiles.columns import Floats, Mask, Rows
from tocsin.profiles.layout import SCORE_FIELDS, Shape
from tocsin.profiles.outputs.added import Added, Deposit
from tocsin.profiles.outputs.binary import CLIP, calibrated_rates, score_edges

# Of all classes together; each has at least `_LEAST_QUANTILES`.
_QUANTILES = 640
_LEAST_QUANTILES = 8
# Top-k accuracy is known for k up to this; the last bin of ranks is open.
MOST_RANKS = 10


@dataclass(frozen=True)
class MulticlassOutput:
    """The bins of the probabilities of several classes.

    edges, rates: of each class, as those of a binary classifier that tells it from the rest.
    scored: False when the model gives classes only; they count as scores of 0 and 1.
    chances: whether the calibrated chance of the predicted class is summed up, as in plans since
        format 4.
    """

    classes: tuple[str, ...]
    edges: tuple[tuple[float, ...], ...]
    rates: tuple[tuple[float, ...], ...]
    scored: bool = True
    chances: bool = True

    task: ClassVar[str] = "multiclass"
    totals: ClassVar[tuple[str, ...]] = ("log_loss", "log_loss_squared")

    def shapes(self) -> tuple[Shape, ...]:
        """The parts of the profile beside totals and features."""
        k = len(self.classes)
        return (
            Shape("predicted", k, ("n", "chance") if self.chances else ("n",)),
            Shape("confusion", k * k),
            Shape("ranks", min(k, MOST_RANKS) + 1),
            *(Shape(f"scores/{i}", len(e) - 1, SCORE_FIELDS) for i, e in enumerate(self.edges)),
        )

    def unlabelled(self, rows: Rows) -> Added:
        """What predictions add; the score of a row is that of its predicted class.

        Beside the predicted class, its calibrated chance: that the prediction is right.
        """
        scores, known = self.scores_of(rows)
        predicted = rows.predicted
        safe = np.maximum(predicted, 0)
        score = np.where(known & (predicted >= 0), scores[np.arange(len(rows)), safe], 0.0)
        expected = np.zeros(len(rows))
        deposits, own_chance, every_chance = [], np.zeros(len(rows)), np.zeros(len(rows))
        for i, (edges, rates) in enumerate(zip(self.edges, self.rates, strict=True)):
            own = np.where(known, scores[:, i], np.nan)
            bins = score_bins(own, np.array(edges))
            chance, filled = np.array(rates)[bins], np.where(known, own, 0.0)
            expected += chance * (1 - filled) ** 2 + (1 - chance) * filled**2
            own_chance += np.where(predicted == i, chance, 0.0)
            every_chance += chance
            deposits.append(Deposit(f"scores/{i}", bins, amounts=(filled,)))
        expected = np.where(known, expected, 0.0)
        right = np.where(known, own_chance / np.maximum(every_chance, CLIP), 0.0)
        said = Deposit("predicted", predicted, amounts=(right,) if self.chances else ())
        return Added.by_predictions(known, score, expected, said, *deposits)

    def labelled(self, rows: Rows, labels: Floats) -> Added:
        """What labels (numbers of classes) add; `label` counts the right predictions."""
        scores, known = self.scores_of(rows)
        truth = labels.astype(np.int32)
        k = len(self.classes)
        at = np.arange(len(rows))
        filled = np.where(known[:, None], scores, 0.0)
        own = filled[at, truth]
        loss = np.where(known, (filled**2).sum(1) - 2 * own + 1, 0.0)
        share = np.clip(own, CLIP, 1.0)
        log_loss = np.where(known, -np.log(share), 0.0)
        right = (rows.predicted == truth).astype(float)
        # Equal scores rank by the number of the class, the higher first, as scikit-learn has it.
        above = (filled > own[:, None]) | (
            (filled == own[:, None]) & (np.arange(k)[None, :] > truth[:, None])
        )
        rank = np.minimum(above.sum(1), min(k, MOST_RANKS))
        judged = np.where(rows.predicted >= 0, truth * k + rows.predicted, -1)
        deposits = [
            Deposit("confusion", judged),
            Deposit("ranks", np.where(known, rank, -1)),
        ]
        for i, edges in enumerate(self.edges):
            bins = score_bins(np.where(known, scores[:, i], np.nan), np.array(edges))
            deposits.append(Deposit(f"scores/{i}", np.where(truth == i, -1, bins), field=2))
            deposits.append(Deposit(f"scores/{i}", np.where(truth == i, bins, -1), field=3))
        return Added.by_labels(
            right, loss, *deposits, log_loss=log_loss, log_loss_squared=log_loss * log_loss
        )

    def scores_of(self, rows: Rows) -> tuple[Floats, Mask]:
        """(n, k) scores and (n,) which rows have them all."""
        if self.scored:
            return rows.scores, np.asarray(np.isfinite(rows.scores).all(1))
        one_hot = (rows.predicted[:, None] == np.arange(len(self.classes))[None, :]).astype(float)
        return one_hot, rows.predicted >= 0


def multiclass_output(rows: Rows, labels: Floats, classes: tuple[str, ...]) -> MulticlassOutput:
    """The bins that follow from a reference; labels: (n,) numbers of classes, or NaN."""
    k = len(classes)
    scored = rows.scores.shape[1] == k and bool(np.isfinite(rows.scores).all(1).any())
    blank = MulticlassOutput(classes, (), (), scored)
    scores, known = blank.scores_of(rows)
    most = int(np.clip(_QUANTILES // k, _LEAST_QUANTILES, 64))
    edges = [score_edges(scores[known, i], (), most) for i in range(k)]
    rates = [
        calibrated_rates(
            np.where(known, scores[:, i], np.nan),
            np.where(np.isnan(labels), np.nan, labels == i),
            edges[i],
        )
        for i in range(k)
    ]
    return MulticlassOutput(
        classes,
        tuple(tuple(e.tolist()) for e in edges),
        tuple(tuple(r.tolist()) for r in rates),
        scored,
    )
