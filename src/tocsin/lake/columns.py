"""The columns of the lake's tables."""

import pyarrow as pa

from tocsin.schema import Kind, Schema

# Which entry of the inbox a row came from: what a later fold may already count on.
OFFSET = "inbox_offset"
TIMESTAMP = pa.timestamp("us", tz="UTC")

_ARROW = {Kind.NUMERIC: pa.float64(), Kind.CATEGORICAL: pa.string(), Kind.BOOLEAN: pa.string()}


def predictions_schema(schema: Schema) -> pa.Schema:
    """Predictions: `prediction` is 1 for the positive class, `extra` JSON of unknown inputs."""
    return pa.schema(
        [
            ("prediction_id", pa.string()),
            ("timestamp", TIMESTAMP),
            ("model_version", pa.string()),
            ("score", pa.float64()),
            ("prediction", pa.int8()),
            *((f.column, _ARROW[f.kind]) for f in schema.features),
            ("extra", pa.string()),
        ]
    )


def outcomes_schema() -> pa.Schema:
    """Outcomes: `label` is 1 for the positive class."""
    return pa.schema(
        [("prediction_id", pa.string()), ("timestamp", TIMESTAMP), ("label", pa.int8())]
    )


def quarantine_schema() -> pa.Schema:
    """Rows that do not fit the schema, as they came, with the reason."""
    return pa.schema(
        [
            ("timestamp", TIMESTAMP),
            ("kind", pa.string()),
            ("row", pa.string()),
            ("reason", pa.string()),
        ]
    )
