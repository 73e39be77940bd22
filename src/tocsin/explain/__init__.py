"""How much a model relies on each of its features."""

from tocsin.explain.importance import FeatureImportance, Importance, Measured, Method, described
from tocsin.explain.permutation import losses_of, moves_from, permutation_importance
from tocsin.explain.shift import AttributionShift, FeatureReliance

__all__ = [
    "AttributionShift",
    "FeatureImportance",
    "FeatureReliance",
    "Importance",
    "Measured",
    "Method",
    "described",
    "losses_of",
    "moves_from",
    "permutation_importance",
]
