"""Rows that the reference says nothing about: outside its bins, or at scores it hardly had."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.estimation.calibration import calibration
from tocsin.metrics.intervals import wilson
from tocsin.profiles import BinaryOutput, MulticlassOutput, Profile

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Rows outside a bin of the reference may all be predicted wrong: a share of them moves accuracy by
# no more than itself. Below this, that is less than what people set thresholds for.
MOST_OUTSIDE = 0.02
# One-sided. With 20 features of long tails and 1,000 rows of reference, under one in a hundred
# clean windows of 20 to 5,000 rows is called outside.
_Z = 3.0
# Bins with so few labelled rows of the reference say next to nothing, those they are pooled with
# included.
_LEAST_LABELLED = 5.0
_OUTSIDE = ("below", "above", "unseen")


@dataclass(frozen=True, eq=False)
class Outside:
    """The column of which most rows of a window are outside, each part (...,).

    column: into `names`. share: of the rows; beyond: whether that is more than `MOST_OUTSIDE`, and
    not by chance.
    """

    names: tuple[str, ...]
    column: Ints
    share: Floats
    beyond: NDArray[np.bool_]


def outside(
    reference: Profile, windows: Profile, *, output: str, spared: Collection[str]
) -> Outside:
    """How much of each window the reference says nothing about.

    output: what scores are called. spared: features that are elsewhere by their nature, as times.
    """
    names = [bins.name for bins in reference.plan.features if bins.name not in spared]
    counts = [_explicit(windows, name) for name in names]
    totals = [windows.total("n")] * len(counts)
    rare = _rare_scores(reference, windows)
    if rare is not None:
        names.append(output)
        counts.append(rare)
        totals.append(windows.total("n") - windows.total("missing_scores"))
    if not names:
        none = np.zeros(windows.vector.shape[:-1])
        return Outside((output,), none.astype(np.int64), none, none > 0)
    count, n = np.stack(counts, -1), np.stack(totals, -1)
    share = count / np.maximum(n, 1)
    least, _ = wilson(count, n, _Z)
    column = least.argmax(-1)

    def chosen(part: Floats) -> Floats:
        return np.take_along_axis(part, column[..., None], -1)[..., 0]

    return Outside(tuple(names), column, chosen(share), chosen(least) > MOST_OUTSIDE)


def _explicit(windows: Profile, name: str) -> Floats:
    found = windows.feature(name)
    at = [
        i
        for i, label in enumerate(found.bins.labels)
        if i >= found.bins.regular and label in _OUTSIDE
    ]
    return np.asarray(found.n[..., at].sum(-1))


def _rare_scores(reference: Profile, windows: Profile) -> Floats | None:
    """(...,) rows in bins of the output of which the reference has next to no labelled rows."""
    output = reference.plan.output
    if isinstance(output, MulticlassOutput):
        return None
    if isinstance(output, BinaryOutput):
        # Bins alone are too fine: those of the top tail have a row in a thousand each.
        known = calibration(reference.scores)
        labelled = known.pooled(known.labelled)
        rows = windows.scores.rows
    else:
        # The last two bins hold what is no number.
        labelled, rows = reference.predictions.labelled[:-2], windows.predictions.n[..., :-2]
    if not labelled.any():
        return None
    total = float(reference.total("labelled"))
    return np.asarray(rows[..., labelled < min(_LEAST_LABELLED, total / 100)].sum(-1))
