"""Whether all columns together have moved: can a classifier tell the rows of a window?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import rankdata

from tocsin.profiles import CategoryColumn, Column, NumericColumn

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS = 5
# With fewer rows a side there is nothing to learn and to test on.
LEAST_ROWS = 100
# What the classifier of scikit-learn takes at most, less one for all others.
_MOST_LEVELS = 254
_TREES = 60
_LEAVES = 15
_Z = 1.96


@dataclass(frozen=True, eq=False)
class Told:
    """How well the rows of a window are told from those of the reference.

    auc: mean over folds of what a classifier reaches on rows it has not seen; 0.5 tells nothing.
    low, high: 95 % interval. p_value: of rows that are all of one kind. importances: how much of
    the auc is lost when a column is shuffled, the largest first.
    reference, current: (n,), (m,) the out-of-fold chance to be of the window, for weighting rows.
    """

    auc: float
    low: float
    high: float
    p_value: float
    importances: Mapping[str, float]
    reference: Floats
    current: Floats


def told_apart(before: Mapping[str, Column], now: Mapping[str, Column], *, seed: int = 0) -> Told:
    """Cross-fit a classifier of the rows of two samples; the same for the same seed.

    Each fold is scored by trees that learned from the others, so a fold's test is valid whatever
    they learned; twice the median over folds is, whatever they share.
    Source: Lopez-Paz & Oquab (2017), arXiv:1610.06545; DiCiccio, DiCiccio & Romano (2020),
        doi:10.1016/j.spl.2020.108865; DeLong et al. (1988), doi:10.2307/2531595.
    """
    table, categorical = _encoded(before, now)
    sizes = [_length(columns) for columns in (before, now)]
    is_now = np.repeat([0, 1], sizes)
    chance = np.random.default_rng(seed)
    # Each fold has its part of both sides.
    fold = np.concatenate([chance.permutation(np.arange(size) % FOLDS) for size in sizes])
    member = np.empty(len(table))
    lost = np.zeros(len(before))
    found: list[tuple[float, float, float]] = []
    for k in range(FOLDS):
        held = fold == k
        trees = _fitted(table[~held], is_now[~held], categorical, seed)
        member[held] = _chances(trees, table[held])
        found.append(_auc(member[held], is_now[held]))
        for i in range(table.shape[1]):
            mixed = table[held]
            mixed[:, i] = chance.permutation(mixed[:, i])
            shuffled = _auc(_chances(trees, mixed), is_now[held])
            lost[i] += (found[k][0] - shuffled[0]) / FOLDS
    aucs, variances, p_values = np.array(found).T
    auc, error = float(aucs.mean()), float(np.sqrt(variances.sum()) / FOLDS)
    order = np.argsort(-lost, kind="stable")
    names = list(before)
    return Told(
        auc=auc,
        low=max(auc - _Z * error, 0.0),
        high=min(auc + _Z * error, 1.0),
        p_value=min(1.0, 2 * float(np.median(p_values))),
        importances={names[i]: float(lost[i]) for i in order},
        reference=member[is_now == 0],
        current=member[is_now == 1],
    )


def _fitted(table: Floats, is_now: Ints, categorical: list[bool], seed: int) -> Any:
    # It is part of the server, but takes a second to import.
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees = HistGradientBoostingClassifier(
        max_iter=_TREES,
        max_leaf_nodes=_LEAVES,
        categorical_features=categorical,
        early_stopping=False,
        random_state=seed,
    )
    # Scikit-learn finds no bins for a column without any value.
    table = np.where(np.isnan(table).all(axis=0), 0.0, table)
    with _one_thread():
        return trees.fit(table, is_now)


def _chances(trees: Any, table: Floats) -> Floats:
    with _one_thread():
        return np.asarray(trees.predict_proba(table)[:, 1])


def _one_thread() -> Any:
    # Threads of OpenMP wait for each other by spinning: where the machine has other work, two of
    # them took 50 s for what one does in 0.2 s.
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="openmp")


def _auc(scores: Floats, is_now: Ints) -> tuple[float, float, float]:
    """The AUC, its variance by DeLong, and p of no more than 0.5 by Mann and Whitney."""
    positive, negative = scores[is_now == 1], scores[is_now == 0]
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    wins = (ranks[:m] - rankdata(positive)) / n
    losses = 1 - (ranks[m:] - rankdata(negative)) / m
    auc = float(wins.mean())
    variance = float(wins.var(ddof=1) / m + losses.var(ddof=1) / n)
    # Equal scores are half wins for sure, and so make chance smaller.
    _, ties = np.unique(ranks, return_counts=True)
    total = m + n
    tied = float((ties.astype(float) ** 3 - ties).sum()) / (total * (total - 1))
    spread = np.sqrt((total + 1 - tied) / (12 * m * n))
    z = (auc - 0.5) / spread if spread > 0 else 0.0
    return auc, variance, float(ndtr(-z))


def _encoded(before: Mapping[str, Column], now: Mapping[str, Column]) -> tuple[Floats, list[bool]]:
    """(n + m, c) values, NaN for none, and which columns are categories by number."""
    columns, categorical = [], []
    for name, column in before.items():
        other = now[name]
        if isinstance(column, NumericColumn):
            assert isinstance(other, NumericColumn)
            found = np.concatenate([column.known, other.known])
            columns.append(np.where(np.isfinite(found), found, np.nan))
        else:
            assert isinstance(other, CategoryColumn)
            columns.append(_levels(column, other))
        categorical.append(isinstance(column, CategoryColumn))
    return np.column_stack(columns), categorical


def _levels(before: CategoryColumn, now: CategoryColumn) -> Floats:
    """(n + m,) the frequent levels of both by number, then one for all others, NaN for null."""
    texts: list[NDArray[np.object_]] = []
    for column in (before, now):
        used, at = np.unique(column.codes, return_inverse=True)
        known = np.array(
            [None if code < 0 else column.levels.texts(np.array([code]))[0] for code in used],
            dtype=object,
        )
        texts.append(known[at])
    both = np.concatenate(texts)
    present = both[both != None]  # noqa: E711
    levels, counts = np.unique(present.astype(str), return_counts=True)
    frequent = levels[np.argsort(-counts, kind="stable")][:_MOST_LEVELS]
    number = {text: float(i) for i, text in enumerate(frequent)}
    rest = float(len(frequent))
    return np.array([np.nan if text is None else number.get(text, rest) for text in both])


def _length(columns: Mapping[str, Column]) -> int:
    column = next(iter(columns.values()))
    return len(column.values if isinstance(column, NumericColumn) else column.codes)
