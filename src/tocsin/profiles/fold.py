"""Rows in, one profile per bucket out: the only code that looks at rows."""

import numpy as np
from numpy.typing import NDArray

from tocsin.profiles import kernel
from tocsin.profiles.columns import CategoryColumn, Column, NumericColumn, Rows
from tocsin.profiles.layout import DELAY_EDGES, SCORE_FIELDS, TOTALS
from tocsin.profiles.plan import CategoryBins, FeatureBins, NumericBins, Plan
from tocsin.profiles.profile import Profile

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The log of a score of exactly 0 or 1 has no end; scikit-learn clips at the same place.
_CLIP = float(np.finfo(np.float64).eps)


def fold_predictions(plan: Plan, rows: Rows, bucket: Ints, buckets: int) -> Profile:
    """The profiles of unlabelled rows.

    bucket: (n,) which of the profiles each row belongs to, from 0 to `buckets` - 1.
    Returns: a stack of `buckets` profiles.
    """
    out = np.zeros((buckets, plan.layout.size))
    has_score = np.isfinite(rows.scores)
    score = np.where(has_score, rows.scores, 0.0)
    score_bin = _score_bins(plan, score)
    expected = np.where(has_score, _expected_loss(plan, score, score_bin), 0.0)

    def add(name: str, amount: Floats) -> None:
        out[:, TOTALS.index(name)] += np.bincount(bucket, weights=amount, minlength=buckets)

    add("n", np.ones(len(rows)))
    add("missing_scores", (~has_score).astype(float))
    add("predicted_positive", (rows.predicted == 1).astype(float))
    add("score", score)
    add("score_squared", score * score)
    add("expected_loss", expected)
    at = plan.layout.scores + score_bin[has_score] * len(SCORE_FIELDS)
    np.add.at(out, (bucket[has_score], at), 1.0)
    np.add.at(out, (bucket[has_score], at + 1), score[has_score])
    for bins in plan.features:
        column = rows.features[bins.name]
        base, _ = plan.layout.features[bins.name]
        index = _feature_bins(bins, column)
        kernel.add_feature(out, base, bucket, index, _finite(column), score, expected)
    return Profile(plan, out)


def fold_labels(
    plan: Plan, rows: Rows, labels: Floats, delays: Ints, bucket: Ints, buckets: int
) -> Profile:
    """The profiles of what the truth adds to rows that were folded before.

    labels: (n,) 0 or 1; delays: (n,) microseconds from prediction to outcome.
    Returns: a stack of `buckets` profiles; subtract it to retract the same labels.
    """
    out = np.zeros((buckets, plan.layout.size))
    has_score = np.isfinite(rows.scores)
    score = np.where(has_score, rows.scores, (rows.predicted == 1).astype(float))
    loss = (score - labels) ** 2
    clipped = np.clip(score, _CLIP, 1 - _CLIP)
    log_loss = -np.where(labels == 1, np.log(clipped), np.log1p(-clipped))
    known = rows.predicted >= 0
    positive, said = labels == 1, rows.predicted == 1

    def add(name: str, amount: Floats | NDArray[np.bool_]) -> None:
        weights = amount.astype(float)
        out[:, TOTALS.index(name)] += np.bincount(bucket, weights=weights, minlength=buckets)

    add("labelled", np.ones(len(rows)))
    add("label", labels)
    add("loss", loss)
    add("loss_squared", loss * loss)
    add("log_loss", log_loss)
    add("log_loss_squared", log_loss * log_loss)
    add("true_negatives", known & ~positive & ~said)
    add("false_positives", known & ~positive & said)
    add("false_negatives", known & positive & ~said)
    add("true_positives", known & positive & said)
    delay_bin = np.searchsorted(DELAY_EDGES, delays, side="left")
    np.add.at(out, (bucket, plan.layout.delays + delay_bin), 1.0)
    score_bin = _score_bins(plan, score)
    at = plan.layout.scores + score_bin * len(SCORE_FIELDS) + 2 + positive
    np.add.at(out, (bucket[has_score], at[has_score]), 1.0)
    for bins in plan.features:
        base, _ = plan.layout.features[bins.name]
        index = _feature_bins(bins, rows.features[bins.name])
        kernel.add_feature_labels(out, base, bucket, index, labels, loss)
    return Profile(plan, out)


def _score_bins(plan: Plan, score: Floats) -> Ints:
    edges = np.array(plan.score_edges)
    return np.clip(np.searchsorted(edges, score, side="right") - 1, 0, len(edges) - 2)


def _expected_loss(plan: Plan, score: Floats, score_bin: Ints) -> Floats:
    chance = np.array(plan.expected_rates)[score_bin]
    return chance * (1 - score) ** 2 + (1 - chance) * score**2


def _feature_bins(bins: FeatureBins, column: Column) -> NDArray[np.int32]:
    if isinstance(bins, NumericBins) and isinstance(column, NumericColumn):
        index: NDArray[np.int32] = kernel.numeric_bins(
            column.values, column.null, np.array(bins.edges)
        )
        return index
    if isinstance(bins, CategoryBins) and isinstance(column, CategoryColumn):
        return _category_bins(bins, column)
    raise TypeError(f"feature {bins.name!r}: {type(column).__name__} for {type(bins).__name__}")


def _category_bins(bins: CategoryBins, column: CategoryColumn) -> NDArray[np.int32]:
    other, unseen, null = range(bins.regular, bins.regular + 3)
    place = {level: i for i, level in enumerate(bins.levels)}
    place.update(dict.fromkeys(bins.others, other))
    unknown = unseen if bins.all_known else other
    # One look-up per distinct level, not per row; the last entry is where code -1 points.
    table = np.array([place.get(level, unknown) for level in column.levels] + [null], np.int32)
    binned: NDArray[np.int32] = table[column.codes]
    return binned


def _finite(column: Column) -> Floats:
    if isinstance(column, CategoryColumn):
        return np.zeros(len(column.codes))
    return np.where(column.null | ~np.isfinite(column.values), 0.0, column.values)
