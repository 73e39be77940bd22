"""Numbers of a confusion matrix, their intervals by the delta method.

A matrix is (..., k, k), rows by true and by predicted class. The variance of a number f is the sum
over the cells of C (df/dC)^2: that of a Poisson bootstrap of the rows, to first order. All
gradients here are row_i + column_j, and diagonal_i more where i = j: none of them is k x k.
Source: Efron (1982), The Jackknife, the Bootstrap and Other Resampling Plans, 6,
doi:10.1137/1.9781611970319.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.metrics.intervals import of_share

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sloped:
    """A number (...,) and its gradient over the cells, each part (..., k)."""

    value: Floats
    row: Floats
    column: Floats
    diagonal: Floats


@dataclass(frozen=True, eq=False)
class Margins:
    """All that the numbers below need of a matrix, each part (..., k) rows by class.

    true: by true class; said: by predicted class; right: predicted right.
    """

    true: Floats
    said: Floats
    right: Floats


Number = Callable[[Floats | Margins], Sloped]


def accuracy(of: Floats | Margins) -> Sloped:
    """Share of the rows predicted right."""
    true, _, right = _margins(of)
    n = _safe(true.sum(-1))
    value = right.sum(-1) / n
    flat = np.zeros_like(true)
    return Sloped(value, flat - (value / n)[..., None], flat, flat + (1 / n)[..., None])


def recall_of(number: int, of: Floats | Margins) -> Sloped:
    """Recall of one class; 0 without true ones."""
    true, _, right = _margins(of)
    only = np.arange(true.shape[-1]) == number
    share, slope = right / _safe(true), only / _safe(true)
    return Sloped(share[..., number], -slope * share, 0 * true, slope)


def precision_of(number: int, of: Floats | Margins) -> Sloped:
    """Precision of one class; 0 without predicted ones."""
    _, said, right = _margins(of)
    only = np.arange(said.shape[-1]) == number
    share, slope = right / _safe(said), only / _safe(said)
    return Sloped(share[..., number], 0 * said, -slope * share, slope)


def f1_of(number: int, of: Floats | Margins) -> Sloped:
    """Harmonic mean of precision and recall of one class; 0 without either."""
    true, said, right = _margins(of)
    only = np.arange(true.shape[-1]) == number
    share, slope = 2 * right / _safe(true + said), only / _safe(true + said)
    return Sloped(share[..., number], -slope * share, -slope * share, 2 * slope)


def balanced_accuracy(of: Floats | Margins) -> Sloped:
    """Mean of the recalls of the classes that are true of a row."""
    true, _, right = _margins(of)
    present = true > 0
    return _recall(true, right, present)


def recall_macro(of: Floats | Margins) -> Sloped:
    """Mean recall of the classes that are true or predicted of a row; 0 without true ones."""
    true, said, right = _margins(of)
    return _recall(true, right, true + said > 0)


def precision_macro(of: Floats | Margins) -> Sloped:
    """Mean precision of the classes true or predicted of a row; 0 without predicted ones."""
    true, said, right = _margins(of)
    present = true + said > 0
    weight = present / np.maximum(present.sum(-1), 1)[..., None]
    share, slope = right / _safe(said), weight / _safe(said)
    return Sloped((weight * share).sum(-1), 0 * true, -slope * share, slope)


def precision_weighted(of: Floats | Margins) -> Sloped:
    """Mean of the precisions of the classes, weighted by their true rows."""
    true, said, right = _margins(of)
    n = _safe(true.sum(-1, keepdims=True))
    share, slope = right / _safe(said), true / _safe(said) / n
    value = (true * share).sum(-1, keepdims=True) / n
    return Sloped(value[..., 0], (share - value) / n, -slope * share, slope)


def f1_macro(of: Floats | Margins) -> Sloped:
    """Mean of the F1 of the classes that are true or predicted of a row."""
    true, said, right = _margins(of)
    present = true + said > 0
    weight = present / np.maximum(present.sum(-1), 1)[..., None]
    share, slope = 2 * right / _safe(true + said), weight / _safe(true + said)
    return Sloped((weight * share).sum(-1), -slope * share, -slope * share, 2 * slope)


def f1_weighted(of: Floats | Margins) -> Sloped:
    """Mean of the F1 of the classes, weighted by their true rows."""
    true, said, right = _margins(of)
    n = _safe(true.sum(-1, keepdims=True))
    share, slope = 2 * right / _safe(true + said), true / _safe(true + said) / n
    value = (true * share).sum(-1, keepdims=True) / n
    return Sloped(value[..., 0], (share - value) / n - slope * share, -slope * share, 2 * slope)


def matthews(of: Floats | Margins) -> Sloped:
    """Correlation of true and predicted class.

    Source: Gorodkin (2004), doi:10.1016/j.compbiolchem.2004.09.006.
    """
    true, said, right = _margins(of)
    n, hits, chance = _totals(true, said, right)
    spread_said = _safe(n**2 - (said**2).sum(-1, keepdims=True))
    spread_true = _safe(n**2 - (true**2).sum(-1, keepdims=True))
    root = np.sqrt(spread_said) * np.sqrt(spread_true)
    value = (hits * n - chance) / root
    row = (hits - said) / root - value * (n - true) / spread_true
    column = -true / root - value * (n - said) / spread_said
    return Sloped(value[..., 0], row, column, n / root + 0 * true)


def kappa(of: Floats | Margins) -> Sloped:
    """Agreement of true and predicted class beyond chance.

    Source: Cohen (1960), doi:10.1177/001316446002000104.
    """
    true, said, right = _margins(of)
    n, hits, chance = _totals(true, said, right)
    rest = _safe(n**2 - chance)
    value = (hits * n - chance) / rest
    # d(n hits - chance) - kappa d(n^2 - chance), over the rest.
    row = (hits - said - value * (2 * n - said)) / rest
    column = (value - 1) * true / rest
    return Sloped(value[..., 0], row, column, n / rest + 0 * true)


def variance(confusion: Floats, number: Sloped) -> Floats:
    """(...,) of a number of these cells."""
    true, said, right = _margins(confusion)
    row, column, diagonal = number.row, number.column, number.diagonal
    # matmul, because einsum does not use BLAS for stacks.
    crossed = (row * (confusion @ column[..., None])[..., 0]).sum(-1)
    plain = (true * row**2 + said * column**2).sum(-1) + 2 * crossed
    more = (right * diagonal * (2 * (row + column) + diagonal)).sum(-1)
    return np.asarray(np.maximum(plain + more, 0))


def interval(
    confusion: Floats, number: Number, value: Floats, *, least: float = 0
) -> tuple[Floats, Floats]:
    """Wilson's interval of a number in [least, 1], for as many trials as its variance is worth.

    The variance is that of cells to which every true class adds one row, half of it predicted
    right: classes of which all rows were right are not certain.
    """
    smooth = confusion + _pseudo_rows(confusion)
    there = number(smooth)
    size = 1 - least
    low, high = of_share(
        np.clip((value - least) / size, 0, 1),
        variance(smooth, there) / size**2,
        np.clip((there.value - least) / size, 0, 1),
    )
    return least + size * low, least + size * high


def _pseudo_rows(confusion: Floats) -> Floats:
    """(..., k, k) one row for each true class: half right, half the other classes there."""
    true, said, _ = _margins(confusion)
    there = true + said > 0
    others = np.maximum(there.sum(-1) - 1, 1)[..., None, None]
    wrong = there[..., None, :] / (2 * others)
    pseudo = np.where(np.eye(confusion.shape[-1], dtype=bool), 0.5, wrong)
    return np.asarray(np.where((true > 0)[..., None], pseudo, 0.0))


def _margins(of: Floats | Margins) -> tuple[Floats, Floats, Floats]:
    """(..., k) rows by true class, by predicted class, and predicted right."""
    if isinstance(of, Margins):
        return of.true, of.said, of.right
    return of.sum(-1), of.sum(-2), np.diagonal(of, axis1=-2, axis2=-1)


def _totals(true: Floats, said: Floats, right: Floats) -> tuple[Floats, Floats, Floats]:
    """(..., 1) rows, right ones, and n^2 times those that chance gets right."""
    return (
        true.sum(-1, keepdims=True),
        right.sum(-1, keepdims=True),
        (true * said).sum(-1, keepdims=True),
    )


def _recall(true: Floats, right: Floats, present: NDArray[np.bool_]) -> Sloped:
    weight = present / np.maximum(present.sum(-1), 1)[..., None]
    share, slope = right / _safe(true), weight / _safe(true)
    return Sloped((weight * share).sum(-1), -slope * share, 0 * true, slope)


def _safe(counts: Floats) -> Floats:
    return np.where(counts > 0, counts, 1.0)
