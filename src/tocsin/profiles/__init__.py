"""Mergeable summaries of rows: a vector of sums and counts that adds and subtracts.

Plan     which bins; frozen from the reference, versioned by its digest
Profile  the vector of one model, version, segment and bucket (or a stack of them)
fold     rows in, one profile per group out; the only place that touches rows
"""

from tocsin.profiles.bins import CategoryBins, NumericBins
from tocsin.profiles.columns import (
    NO_NULLS,
    CategoryColumn,
    Column,
    Levels,
    NumericColumn,
    Rows,
    TextLevels,
)
from tocsin.profiles.fold import (
    Grouping,
    fold_known_labels,
    fold_labels,
    fold_predictions,
    needs_label,
)
from tocsin.profiles.kernel import LARGEST
from tocsin.profiles.key import EVERYTHING, ProfileKey
from tocsin.profiles.layout import DELAY_EDGES
from tocsin.profiles.outputs import BinaryOutput, MulticlassOutput, RegressionOutput
from tocsin.profiles.plan import Plan, is_readable, plan_from_reference
from tocsin.profiles.profile import (
    FeatureHistogram,
    Profile,
    RatioSums,
    ResidualHistogram,
    ScoreHistogram,
)
from tocsin.profiles.segments import SegmentValues

__all__ = [
    "DELAY_EDGES",
    "EVERYTHING",
    "LARGEST",
    "NO_NULLS",
    "BinaryOutput",
    "CategoryBins",
    "CategoryColumn",
    "Column",
    "FeatureHistogram",
    "Grouping",
    "Levels",
    "MulticlassOutput",
    "NumericBins",
    "NumericColumn",
    "Plan",
    "Profile",
    "ProfileKey",
    "RatioSums",
    "RegressionOutput",
    "ResidualHistogram",
    "Rows",
    "ScoreHistogram",
    "SegmentValues",
    "TextLevels",
    "fold_known_labels",
    "fold_labels",
    "fold_predictions",
    "is_readable",
    "needs_label",
    "plan_from_reference",
]
