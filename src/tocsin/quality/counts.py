"""What profiles show of the quality of their rows: counts by cell, for many windows at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.profiles import BinaryOutput, MulticlassOutput, Profile
from tocsin.quality.checks import MODEL_CHECKS, feature_counts

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Intake:
    """Rows that came in and that no profile tells of, each (...,).

    repeated, quarantined: that are in no profile; unknown: that are, with unknown fields.
    """

    repeated: Floats
    quarantined: Floats
    unknown: Floats


def counted(profile: Profile, intake: Intake | None = None) -> tuple[Floats, Floats]:
    """(..., c) what each cell counts, and of how many rows, in the order of `cells_of`.

    intake: of the same time; None of a reference, which has none.

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
    of_features = feature_counts([profile.feature(b.name) for b in profile.plan.features])
    rows, labelled = profile.total("n"), profile.total("labelled")
    of_all = [profile.total("missing_scores"), labelled - _compared(profile)]
    if intake is None:
        of_all += [np.zeros_like(rows)] * 3
    else:
        of_all += [intake.repeated, intake.quarantined, intake.unknown]
    assert len(of_all) == len(MODEL_CHECKS)
    # Labels that came in two folds may leave a rounding of nothing.
    counts = np.maximum(np.rint(np.concatenate([of_features, np.stack(of_all, -1)], -1)), 0)
    return counts, trials(counts, np.rint(rows), np.rint(labelled), known=intake is not None)


def trials(counts: Floats, rows: Floats, labelled: Floats, *, known: bool = True) -> Floats:
    """(..., c) of how many rows each cell counts.

    counts: (..., c); rows, labelled: (...,). known: whether it is known what else came in.
    """
    *_, repeated, quarantined, _ = np.moveaxis(counts[..., -len(MODEL_CHECKS) :], -1, 0)
    of_all = [rows, labelled, rows + repeated, rows + quarantined, rows]
    if not known:
        of_all[2:] = [np.zeros_like(rows)] * 3
    of_features = np.repeat(rows[..., None], counts.shape[-1] - len(of_all), axis=-1)
    return np.asarray(np.concatenate([of_features, np.stack(of_all, -1)], -1))


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
