"""The columns whose drift is watched, as statistics read them from profiles."""

import numpy as np
from numpy.typing import NDArray

from tocsin.drift import Moments, Pair, feature_pair, score_pair
from tocsin.profiles import BinaryOutput, MulticlassOutput, Profile, RegressionOutput
from tocsin.schema import Schema

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def pairs(reference: Profile, windows: Profile, schema: Schema) -> dict[str, Pair]:
    """Every feature, the output, and beside a score the predicted classes: known without labels.

    reference: one profile, or one for each window of the stack.
    """
    found = {
        bins.name: feature_pair(reference.feature(bins.name), windows.feature(bins.name))
        for bins in windows.plan.features
    }
    if reference.output_counts.sum() > 0:
        found[schema.watched_output] = _output(reference, windows)
        output = windows.plan.output
        if isinstance(output, BinaryOutput) and output.scored:
            before, now = (_classes(p, "predicted_positive", "n") for p in (reference, windows))
            found[schema.watched_classes] = Pair(before, now)
    return found


def label_pair(reference: Profile, windows: Profile) -> Pair | None:
    """The classes that came out; None of a regression, and where the reference has no labels."""
    if isinstance(windows.plan.output, RegressionOutput) or not reference.total("labelled").any():
        return None
    if isinstance(windows.plan.output, MulticlassOutput):
        # True classes of rows with a predicted one, as the others are in no cell.
        return Pair(reference.confusion.sum(-1), windows.confusion.sum(-1))
    before, now = (_classes(profile, "label", "labelled") for profile in (reference, windows))
    return Pair(before, now)


def label_moments(profile: Profile) -> Moments:
    """Of the labels of a regression; its sums are measured from the centre of the plan."""
    sums = (profile.total(f"label{part}") for part in ("", "_squared", "_cubed", "_fourth"))
    return Moments.of_sums(profile.total("labelled"), *sums)


def _classes(profile: Profile, ones: str, rows: str) -> Floats:
    """(..., 2) rows of class 0 and of class 1."""
    count = profile.total(ones)
    return np.stack([profile.total(rows) - count, count], axis=-1)


def _output(reference: Profile, windows: Profile) -> Pair:
    output = windows.plan.output
    if isinstance(output, RegressionOutput):
        return feature_pair(reference.predictions, windows.predictions, centre=output.centre)
    if isinstance(output, MulticlassOutput):
        return Pair(reference.predicted, windows.predicted)
    before, now = reference.scores, windows.scores
    counts = before.rows.reshape(-1, before.rows.shape[-1]).sum(0)
    cuts = _even_cuts(counts)
    parts = [
        np.add.reduceat(part, cuts, axis=-1)
        for part in (before.rows, before.sums, now.rows, now.sums)
    ]
    return score_pair(np.append(before.edges[cuts], before.edges[-1]), *parts)


def _even_cuts(counts: Floats, groups: int = 20) -> Ints:
    """Where to cut bins into about so many groups of equal counts.

    The score bins are too fine to tell a distance from noise in a window of some hundred rows.
    """
    below = (np.cumsum(counts) - counts) / counts.sum()
    cuts = np.searchsorted(below, np.arange(groups) / groups)
    return np.unique(np.minimum(cuts, len(counts) - 1))
