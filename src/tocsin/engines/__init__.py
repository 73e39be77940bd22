"""Where the kernel runs: rows are read and joined, folded as Arrow, and the results added."""

from tocsin.engines.base import Engine, Source
from tocsin.engines.batches import merged, profile_joined, profile_labels, profile_predictions
from tocsin.engines.digest import reference_digest
from tocsin.engines.local import LocalEngine
from tocsin.engines.reference import Reference, reference_rows

__all__ = [
    "Engine",
    "LocalEngine",
    "Reference",
    "Source",
    "merged",
    "profile_joined",
    "profile_labels",
    "profile_predictions",
    "reference_digest",
    "reference_rows",
]
