"""Mergeable summaries of rows: a vector of sums and counts that adds and subtracts.

Plan     which bins; frozen from the reference, versioned by its digest
Profile  the vector of one model, version, segment and bucket (or a stack of them)
fold     rows in, one profile per bucket out; the only place that touches rows
"""

from tocsin.profiles.columns import CategoryColumn, Column, NumericColumn, Rows
from tocsin.profiles.fold import fold_labels, fold_predictions
from tocsin.profiles.plan import CategoryBins, NumericBins, Plan, plan_from_reference
from tocsin.profiles.profile import FeatureHistogram, Profile, ScoreHistogram

__all__ = [
    "CategoryBins",
    "CategoryColumn",
    "Column",
    "FeatureHistogram",
    "NumericBins",
    "NumericColumn",
    "Plan",
    "Profile",
    "Rows",
    "ScoreHistogram",
    "fold_labels",
    "fold_predictions",
    "plan_from_reference",
]
