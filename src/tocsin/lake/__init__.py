"""Where rows live: Delta tables of predictions, outcomes and quarantine, one set per model."""

from tocsin.lake.columns import (
    OFFSET,
    outcomes_schema,
    predictions_schema,
    quarantine_schema,
)
from tocsin.lake.files import files_of
from tocsin.lake.lake import Lake, ModelLake, Span, Table, shaped
from tocsin.lake.truth import EARLIEST, counting_labels

__all__ = [
    "EARLIEST",
    "OFFSET",
    "Lake",
    "ModelLake",
    "Span",
    "Table",
    "counting_labels",
    "files_of",
    "outcomes_schema",
    "predictions_schema",
    "quarantine_schema",
    "shaped",
]
