"""Whether the data of a model is as expected: rates by feature, and what is wrong with them.

Everything here is a function of profiles, and of two counts of rows that are in none: repeats and
misfits.
"""

from tocsin.quality.arrival import Freshness, expected_labels, freshness, late_labels
from tocsin.quality.checks import (
    CATEGORY_CHECKS,
    FEATURE_CHECKS,
    MODEL_CHECKS,
    NUMERIC_CHECKS,
    VOLUME,
    Cell,
    Check,
    cells_of,
)
from tocsin.quality.counts import Intake, counted, rates, trials
from tocsin.quality.expectations import (
    Declared,
    Expectation,
    Volume,
    document_of,
    expectations,
    expected_words,
    percent,
    plan_cells,
    values_of,
)
from tocsin.quality.usual import UNUSUAL, against, beyond
from tocsin.quality.verdict import Expected, Finding, QualityVerdict
from tocsin.quality.volume import volume_findings

__all__ = [
    "CATEGORY_CHECKS",
    "FEATURE_CHECKS",
    "MODEL_CHECKS",
    "NUMERIC_CHECKS",
    "UNUSUAL",
    "VOLUME",
    "Cell",
    "Check",
    "Declared",
    "Expectation",
    "Expected",
    "Finding",
    "Freshness",
    "Intake",
    "QualityVerdict",
    "Volume",
    "against",
    "beyond",
    "cells_of",
    "counted",
    "document_of",
    "expectations",
    "expected_labels",
    "expected_words",
    "freshness",
    "late_labels",
    "percent",
    "plan_cells",
    "rates",
    "trials",
    "values_of",
    "volume_findings",
]
