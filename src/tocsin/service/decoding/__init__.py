"""Bodies of requests as rows of the lake, and the rows that do not fit, with their reasons."""

from tocsin.service.decoding.bodies import MEDIA_TYPES, MOST_BYTES, Body, Rows, given, records_of
from tocsin.service.decoding.fields import Reading
from tocsin.service.decoding.given import ID_NAMES, PARTS, ROW_FIELDS
from tocsin.service.decoding.privacy import as_text, hashed, scrubbed, scrubbed_reference
from tocsin.service.decoding.rows import Decoded, outcomes, predictions

__all__ = [
    "ID_NAMES",
    "MEDIA_TYPES",
    "MOST_BYTES",
    "PARTS",
    "ROW_FIELDS",
    "Body",
    "Decoded",
    "Reading",
    "Rows",
    "as_text",
    "given",
    "hashed",
    "outcomes",
    "predictions",
    "records_of",
    "scrubbed",
    "scrubbed_reference",
]
