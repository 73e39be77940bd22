"""From scores to chances: isotonic regression on score bins."""

import numpy as np
from numpy.typing import NDArray


def isotonic(
    positives: NDArray[np.float64],
    totals: NDArray[np.float64],
    *,
    prior: NDArray[np.float64],
    prior_rows: float = 1.0,
) -> NDArray[np.float64]:
    """Chance of the positive class per bin, never falling from one bin to the next.

    positives, totals: (k,) labelled rows by ascending score bin.
    prior: (k,) the chance where nothing was labelled; in each bin it weighs as much as so many
    rows.
    Returns: (k,) chances in [0, 1].
    Source: pool adjacent violators, Ayer et al. (1955), doi:10.1214/aoms/1177728423.

    >>> isotonic(np.array([2.0, 0.0]), np.array([4.0, 4.0]), prior=np.array([0.5, 0.5]))
    array([0.3, 0.3])
    """
    chances: list[float] = []
    weights: list[float] = []
    widths: list[int] = []
    rates = (positives + prior * prior_rows) / (totals + prior_rows)
    for rate, weight in zip(rates.tolist(), (totals + prior_rows).tolist(), strict=True):
        chances.append(rate)
        weights.append(weight)
        widths.append(1)
        while len(chances) > 1 and chances[-2] >= chances[-1]:
            chance, weight_above, width = chances.pop(), weights.pop(), widths.pop()
            total = weights[-1] + weight_above
            chances[-1] = (chances[-1] * weights[-1] + chance * weight_above) / total
            weights[-1] = total
            widths[-1] += width
    return np.repeat(np.array(chances), widths)
