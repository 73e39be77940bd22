"""Whether a model relies on other features on recent rows than it did on its reference."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.explain.importance import Importance

Floats = NDArray[np.float64]

# Below this the order is said to have changed: the habit of the field.
LEAST = 0.9
# Shares so many of their errors apart differ; of twenty that did not, one would do so in 20 times.
_ERRORS = 3.0
_DRAWS = 1_000


@dataclass(frozen=True)
class FeatureReliance:
    """The share of one feature in all importance, and its rank, on the reference and lately.

    error, error_now: standard errors of the shares, as if the sum were known. differs: the shares
    are further apart than chance explains.
    """

    feature: str
    share: float
    error: float
    rank: int
    share_now: float
    error_now: float
    rank_now: int

    @property
    def differs(self) -> bool:
        """Whether the shares are further apart than chance explains."""
        return abs(self.share_now - self.share) > _ERRORS * hypot(self.error, self.error_now)


@dataclass(frozen=True)
class AttributionShift:
    """Importance on recent rows against that of the reference, found in the same way.

    start, end: of the recent rows, microseconds.
    """

    then: Importance
    now: Importance
    start: int
    end: int

    @property
    def features(self) -> tuple[FeatureReliance, ...]:
        """All features, the most important of the reference first."""
        was, is_now = _shares(self.then), _shares(self.now)
        return tuple(
            FeatureReliance(name, *was[name], *is_now[name])
            for name in (f.feature for f in self.then.features)
        )

    @property
    def ndcg(self) -> float | None:
        """How much of the old importance comes first in the new order, (0, 1]; None without any.

        1 is the old order. Source: Jarvelin & Kekalainen (2002), doi:10.1145/582415.582418.
        """
        gains, recent = self._values()
        return float(_ndcg(gains, recent[None, :])[0]) if gains.any() else None

    @property
    def low(self) -> float | None:
        """The 5 % quantile of `ndcg` by the errors of both: chance in the order of near equals."""
        return self._quantile(0.05)

    @property
    def high(self) -> float | None:
        """The 95 % quantile of `ndcg` likewise."""
        return self._quantile(0.95)

    @property
    def worst(self) -> float | None:
        """What `ndcg` would be in the opposite order: with features alike it never gets small."""
        gains, _ = self._values()
        return float(_ndcg(gains, -gains[None, :])[0]) if gains.any() else None

    @property
    def changed(self) -> bool:
        """Whether the order changed, and not by chance."""
        return self.ndcg is not None and max(self.ndcg, self.high or 0.0) < LEAST

    @property
    def sentence(self) -> str:
        """What it comes to."""
        if self.ndcg is None or self.worst is None:
            return "No feature of the reference has any importance, so there is no order to compare"
        number = f"NDCG {self.ndcg:.3f} ({self.low:.3f} to {self.high:.3f})"
        most = max(self.features, key=lambda f: abs(f.share_now - f.share))
        moved = (
            f"`{most.feature}` has {most.share_now:.0%} of all importance on recent rows and "
            f"{most.share:.0%} on the reference"
        )
        if self.changed:
            return f"The model relies on other features than on its reference: {number}; {moved}"
        if self.ndcg < LEAST:
            return f"The rows are too few to tell whether the order of features changed: {number}"
        if most.differs:
            return f"The order of the features is much as on the reference, {number}, but {moved}"
        text = f"The model relies on its features as on its reference: {number}"
        if self.worst >= LEAST:
            text += f", which in no order of these would be under {self.worst:.2f}"
        return text

    def to_dict(self) -> dict[str, Any]:
        """The two as JSON types; `from_dict` reads them back."""
        return {
            "then": self.then.to_dict(),
            "now": self.now.to_dict(),
            "start": self.start,
            "end": self.end,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "AttributionShift":
        """What `to_dict` wrote."""
        then, now = (Importance.from_dict(document[name]) for name in ("then", "now"))
        return cls(then, now, document["start"], document["end"])

    def _values(self) -> tuple[Floats, Floats]:
        """(k,) importances by the order of the reference; below 0 is nothing."""
        recent = {f.feature: f.value for f in self.now.features}
        names = [f.feature for f in self.then.features]
        gains = np.maximum([f.value for f in self.then.features], 0.0)
        return gains, np.array([recent[name] for name in names])

    def _quantile(self, q: float) -> float | None:
        gains, recent = self._values()
        if not gains.any():
            return None
        errors = {f.feature: f.error for f in self.now.features}
        spread = np.array([hypot(f.error, errors[f.feature]) for f in self.then.features])
        chance = np.random.default_rng(0)
        drawn = recent + spread * chance.normal(size=(_DRAWS, len(recent)))
        return float(np.quantile(_ndcg(gains, drawn), q))


def _ndcg(gains: Floats, values: Floats) -> Floats:
    """(d,) for (k,) gains, in the order of each row of (d, k) values; ties in that of the gains."""
    discounts = 1 / np.log2(np.arange(len(gains)) + 2)
    order = np.lexsort((np.broadcast_to(-gains, values.shape), -values), axis=-1)
    best = np.sort(gains)[::-1] @ discounts
    return np.asarray(gains[order] @ discounts / best)


def _shares(found: Importance) -> dict[str, tuple[float, float, int]]:
    """By feature: share of all importance, its error, and rank from 1."""
    total = sum(max(f.value, 0.0) for f in found.features) or 1.0
    return {
        f.feature: (max(f.value, 0.0) / total, f.error / total, i + 1)
        for i, f in enumerate(found.features)
    }
