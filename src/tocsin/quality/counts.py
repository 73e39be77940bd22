"""What profiles show of the quality of their rows: counts by cell, for many windows at once."""

import numpy as np
from numpy.typing import NDArray

from tocsin.profiles import BinaryOutput, MulticlassOutput, Profile
from tocsin.quality.checks import MODEL_CHECKS, feature_counts

Floats = NDArray[np.float64]


def counted(
    profile: Profile, repeated: Floats | None = None, quarantined: Floats | None = None
) -> tuple[Floats, Floats]:
    """(..., c) what each cell counts, and of how many rows, in the order of `cells_of`.

    repeated, quarantined: (...,) rows of the same time that are in no profile; of a reference,
    which has none of them, None.

    >>> from tocsin.profiles import NO_NULLS, Grouping, NumericColumn, Rows
    >>> from tocsin.profiles import fold_predictions, plan_from_reference
    >>> from tocsin.schema import Feature, Kind, Schema, Task
    >>> schema = Schema(Task.BINARY, (Feature("x", Kind.NUMERIC),), "p", None, "y")
    >>> def rows(*x):
    ...     columns = {"x": NumericColumn(np.array(x), NO_NULLS)}
    ...     return Rows(np.full((len(x), 1), 0.5), np.ones(len(x), np.int32), columns)
    >>> plan = plan_from_reference(schema, rows(0.0, 1.0, 2.0), np.array([0.0, 1.0, 1.0]))
    >>> now = fold_predictions(plan, rows(0.5, 3.0, np.inf), Grouping(np.zeros(3, np.int64), 1))
    >>> counts, n = counted(now[0][0])
    >>> counts[:3].tolist(), n[:3].tolist()
    ([0.0, 1.0, 1.0], [3.0, 3.0, 3.0])
    """
    rows, labelled = profile.total("n"), profile.total("labelled")
    none = np.zeros_like(rows)
    of_features = feature_counts([profile.feature(b.name) for b in profile.plan.features])
    again = none if repeated is None else repeated
    misfits = none if quarantined is None else quarantined
    of_all = {
        "missing_score_rate": (profile.total("missing_scores"), rows),
        "uncounted_label_rate": (labelled - _compared(profile), labelled),
        "duplicate_rate": (again, none if repeated is None else rows + again),
        "quarantine_rate": (misfits, none if quarantined is None else rows + misfits),
    }
    counts = np.stack([of_all[name][0] for name in MODEL_CHECKS], axis=-1)
    n = np.stack([of_all[name][1] for name in MODEL_CHECKS], axis=-1)
    every = np.broadcast_to(rows[..., None], of_features.shape)
    # Labels that came in two folds may leave a rounding of nothing.
    counts = np.maximum(np.rint(np.concatenate([of_features, counts], axis=-1)), 0)
    return counts, np.rint(np.concatenate([every, n], axis=-1))


def rates(counts: Floats, n: Floats, shares: NDArray[np.bool_]) -> Floats:
    """(..., c) the counts as shares, NaN of no rows; those that are no shares as they are.

    shares: (c,) which of them are.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(n > 0, counts / n, np.nan)
    return np.where(shares, share, counts)


def _compared(profile: Profile) -> Floats:
    """(...,) labelled rows whose outcome could be compared with what was predicted."""
    output = profile.plan.output
    if isinstance(output, BinaryOutput):
        scores = profile.scores
        return np.asarray((scores.negatives + scores.positives).sum(-1))
    if isinstance(output, MulticlassOutput):
        return np.asarray(profile.confusion.sum((-2, -1)))
    residuals = profile.residuals
    return np.asarray((residuals.under + residuals.over).sum(-1))
