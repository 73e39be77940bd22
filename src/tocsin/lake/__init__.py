"""Where rows live: Delta tables of predictions, outcomes and quarantine, one set per model."""

from tocsin.lake.columns import (
    OFFSET,
    PLACE,
    TIMESTAMP,
    outcomes_schema,
    predictions_schema,
    quarantine_schema,
)
from tocsin.lake.distance import far_outcomes, not_near
from tocsin.lake.evolution import evolved
from tocsin.lake.files import files_of
from tocsin.lake.folder import Folder, folder_at
from tocsin.lake.lake import Lake, ModelLake, shaped
from tocsin.lake.tables import ALWAYS, Span, Table
from tocsin.lake.truth import EARLIEST, counting_labels

__all__ = [
    "ALWAYS",
    "EARLIEST",
    "OFFSET",
    "PLACE",
    "TIMESTAMP",
    "Folder",
    "Lake",
    "ModelLake",
    "Span",
    "Table",
    "counting_labels",
    "evolved",
    "far_outcomes",
    "files_of",
    "folder_at",
    "not_near",
    "outcomes_schema",
    "predictions_schema",
    "quarantine_schema",
    "shaped",
]
