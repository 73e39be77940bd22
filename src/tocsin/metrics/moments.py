"""Moments of labels and residuals, up to the fourth: what intervals of variances need."""

from math import comb

import numpy as np
from numpy.typing import NDArray

from tocsin.profiles import Profile

Floats = NDArray[np.float64]

# Sums of squares that cancel to this share of themselves are rounding.
ROUNDING = 1e-12


def judged(profile: Profile) -> Floats:
    """(...,) labelled rows whose prediction was a number."""
    return np.asarray(profile.predictions.labelled.sum(-1))


class Moments:
    """Sums of products of d and e: labels about their mean, and residuals (about theirs or 0)."""

    def __init__(self, profile: Profile, *, centre_residuals: bool) -> None:
        total = profile.total
        self.n = judged(profile)
        self._raw = {
            (0, 0): self.n, (1, 0): total("label"), (0, 1): total("residual"),
            (2, 0): total("label_squared"), (0, 2): total("loss_squared"),
            (1, 1): total("label_score") - total("label_squared"),
            (3, 0): total("label_cubed"), (2, 1): total("label_squared_residual"),
            (1, 2): total("error_label"), (0, 3): total("residual_cubed"),
            (4, 0): total("label_fourth"), (3, 1): total("label_cubed_residual"),
            (2, 2): total("error_label_squared"), (1, 3): total("label_residual_cubed"),
            (0, 4): total("error_fourth"),
        }  # fmt: skip
        safe = np.maximum(self.n, 1)
        self._label = total("label") / safe
        self._residual = total("residual") / safe * centre_residuals
        # Labels that are equal but for rounding.
        self.is_flat = self(2, 0) <= ROUNDING * total("label_squared")

    def __call__(self, i: int, j: int) -> Floats:
        """(...,) the sum of d^i e^j."""
        found = np.zeros_like(self.n)
        for a in range(i + 1):
            for b in range(j + 1):
                shift = (-self._label) ** (i - a) * (-self._residual) ** (j - b)
                found = found + comb(i, a) * comb(j, b) * shift * self._raw[a, b]
        return np.maximum(found, 0) if i % 2 == j % 2 == 0 else found

    def variance(self, labels: Floats, shared: Floats, errors: Floats) -> Floats:
        """(...,) the sum of (labels d^2 + shared d e + errors e^2)^2."""
        found = (
            labels**2 * self(4, 0)
            + 2 * labels * shared * self(3, 1)
            + (shared**2 + 2 * labels * errors) * self(2, 2)
            + 2 * shared * errors * self(1, 3)
            + errors**2 * self(0, 4)
        )
        return np.maximum(found, 0)
