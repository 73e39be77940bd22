"""Which bins a model is profiled with: frozen from its reference, named by a digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import SchemaError
from tocsin.profiles.calibration import isotonic
from tocsin.profiles.columns import CategoryColumn, Column, NumericColumn
from tocsin.profiles.layout import Layout

NUMERIC_QUANTILES = 20
TOP_LEVELS = 50
KNOWN_LEVELS = 1_000
SCORE_QUANTILES = 64
TAIL_QUANTILES = 64
FORMAT = 1


@dataclass(frozen=True)
class NumericBins:
    """Bins of a number: [e0, e1), [e1, e2), ..., the last one closed; then the explicit ones.

    edges: ascending, at least two; a constant reference has both the same.
    """

    name: str
    edges: tuple[float, ...]

    EXPLICIT = ("below", "above", "non-finite", "null")

    @property
    def regular(self) -> int:
        """How many bins hold values inside the range of the reference."""
        return len(self.edges) - 1

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin is called, in the order of the profile."""
        pairs = zip(self.edges, self.edges[1:], strict=False)
        return (*(f"{low:.4g} to {high:.4g}" for low, high in pairs), *self.EXPLICIT)


@dataclass(frozen=True)
class CategoryBins:
    """Bins of a category: the frequent levels of the reference, then the explicit ones.

    levels: most frequent first.
    others: further levels that the reference had; they share the bin `other`.
    all_known: False when the reference had too many levels to remember; then a level that is not
        listed counts as `other`, never as `unseen`.
    """

    name: str
    levels: tuple[str, ...]
    others: tuple[str, ...] = ()
    all_known: bool = True

    EXPLICIT = ("other", "unseen", "null")

    @property
    def regular(self) -> int:
        """How many levels have a bin of their own."""
        return len(self.levels)

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin is called, in the order of the profile."""
        return (*self.levels, *self.EXPLICIT)


FeatureBins = NumericBins | CategoryBins


@dataclass(frozen=True)
class Plan:
    """The bins of a model's profile.

    score_edges: ascending from 0 to 1, every threshold among them.
    expected_rates: of each score bin, the calibrated chance of the positive class in the reference.
    """

    score_edges: tuple[float, ...]
    expected_rates: tuple[float, ...]
    threshold: float
    features: tuple[FeatureBins, ...]

    @cached_property
    def layout(self) -> "Layout":
        """Where each part of the profile lies in its vector."""
        return Layout.of(
            len(self.score_edges) - 1,
            {bins.name: len(bins.labels) for bins in self.features},
        )

    @cached_property
    def digest(self) -> str:
        """A name that is equal exactly when the plans are: 16 hexadecimal digits."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON types; `from_dict` reads it back."""
        document = asdict(self)
        document["format"] = FORMAT
        return document

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "Plan":
        """The plan that `to_dict` wrote."""
        features = tuple(
            NumericBins(f["name"], tuple(f["edges"]))
            if "edges" in f
            else CategoryBins(f["name"], tuple(f["levels"]), tuple(f["others"]), f["all_known"])
            for f in document["features"]
        )
        return cls(
            tuple(document["score_edges"]),
            tuple(document["expected_rates"]),
            document["threshold"],
            features,
        )


def plan_from_reference(
    scores: NDArray[np.float64],
    labels: NDArray[np.float64],
    features: Mapping[str, Column],
    *,
    threshold: float,
) -> Plan:
    """The plan whose bins follow the reference.

    scores: (n,) in [0, 1] or NaN; labels: (n,) 0, 1 or NaN; each feature has n rows.
    Raises: SchemaError when the reference has no rows.
    """
    if len(scores) == 0:
        raise SchemaError("the reference has no rows; give at least a few hundred")
    edges = score_edges(scores[np.isfinite(scores)], threshold)
    usable = np.isfinite(scores) & np.isfinite(labels)
    bins = np.clip(np.searchsorted(edges, scores[usable], side="right") - 1, 0, len(edges) - 2)
    positives = np.bincount(bins, weights=labels[usable], minlength=len(edges) - 1).astype(float)
    totals = np.bincount(bins, minlength=len(edges) - 1).astype(float)
    middles = (edges[1:] + edges[:-1]) / 2
    rates = isotonic(positives, totals, prior=middles)
    return Plan(
        score_edges=tuple(edges.tolist()),
        expected_rates=tuple(rates.tolist()),
        threshold=threshold,
        features=tuple(feature_bins(name, column) for name, column in features.items()),
    )


def score_edges(scores: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Hybrid edges: quantiles of all scores, finer ones in the top tail, the threshold exactly.

    The tail keeps ranking metrics sharp when positives are rare.
    """
    body = np.linspace(0, 1, SCORE_QUANTILES + 1)
    tail = 1 - np.geomspace(1e-4, 0.1, TAIL_QUANTILES)
    quantiles = np.quantile(scores, np.concatenate([body, tail])) if len(scores) else np.empty(0)
    return np.unique(np.concatenate([[0.0, threshold, 1.0], quantiles]))


def feature_bins(name: str, column: Column) -> FeatureBins:
    """Bins of one feature after its values in the reference."""
    if isinstance(column, CategoryColumn):
        return _category_bins(name, column)
    return _numeric_bins(name, column)


def _numeric_bins(name: str, column: NumericColumn) -> NumericBins:
    usable = column.values[~column.null & np.isfinite(column.values)]
    if len(usable) == 0:
        return NumericBins(name, (0.0, 0.0))
    # Halved, because the span of two numbers near the largest ones overflows.
    edges = 2 * np.unique(np.quantile(usable / 2, np.linspace(0, 1, NUMERIC_QUANTILES + 1)))
    if len(edges) == 1:
        edges = np.repeat(edges, 2)
    return NumericBins(name, tuple(edges.tolist()))


def _category_bins(name: str, column: CategoryColumn) -> CategoryBins:
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))
    present = [(-count, level) for level, count in zip(column.levels, counts, strict=True) if count]
    # Ties by name, so that the plan does not depend on the order of the rows.
    ranked = [level for _, level in sorted(present)]
    others = ranked[TOP_LEVELS:]
    all_known = len(others) <= KNOWN_LEVELS
    return CategoryBins(
        name, tuple(ranked[:TOP_LEVELS]), tuple(sorted(others)) if all_known else (), all_known
    )
