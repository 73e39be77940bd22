"""A change of the mean loss, split by one feature into mix, rate and their interaction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.profiles.profile import FeatureHistogram

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Decomposition:
    """The parts of a change; they add up to it.

    mix: what the changed shares of the bins explain, at the losses of the reference.
    rate: what changed losses inside the bins explain, at the shares of the reference; None without
        labels. interaction: what is left; None without labels.
    """

    mix: float
    rate: float | None
    interaction: float | None


def decomposition(reference: FeatureHistogram, current: FeatureHistogram) -> Decomposition:
    """The threefold decomposition of current less reference mean loss along one feature.

    Features are alternative cuts of the same change: never add across features. Without current
    labels only the mix is known, over all rows; with them all parts are over labelled rows.
    Bins that the reference never saw count at its mean loss.
    Source: Kitagawa (1955), doi:10.1080/01621459.1955.10501299.
    """
    overall = reference.loss.sum() / max(reference.labelled.sum(), 1)
    before = _means(reference.loss, reference.labelled, overall)
    labelled = bool(current.labelled.sum() > 0)
    if not labelled:
        p, q = _shares(reference.n), _shares(current.n)
        return Decomposition(float((q - p) @ before), None, None)
    p, q = _shares(reference.labelled), _shares(current.labelled)
    after = np.where(current.labelled > 0, _means(current.loss, current.labelled, 0.0), before)
    return Decomposition(
        mix=float((q - p) @ before),
        rate=float(p @ (after - before)),
        interaction=float((q - p) @ (after - before)),
    )


def _means(total: Floats, n: Floats, default: float) -> Floats:
    return np.where(n > 0, total / np.maximum(n, 1), default)


def _shares(n: Floats) -> Floats:
    return np.asarray(n / max(float(n.sum()), 1.0))
