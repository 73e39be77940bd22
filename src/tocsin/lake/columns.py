"""The columns of the lake's tables."""

import pyarrow as pa

from tocsin.schema import Kind, Schema, Task

# Which entry of the inbox a row came from: what a later fold may already count on.
OFFSET = "inbox_offset"
# Which row of its entry an outcome was: the later one of two at one time counts.
PLACE = "inbox_place"
TIMESTAMP = pa.timestamp("us", tz="UTC")

FEATURE_TYPES = {
    Kind.NUMERIC: pa.float64(),
    Kind.CATEGORICAL: pa.string(),
    Kind.BOOLEAN: pa.string(),
    Kind.DATETIME: TIMESTAMP,
}
# Predictions and labels: 1 for the positive class, the class as it is written, or the number.
_OUTPUTS = {Task.BINARY: pa.int8(), Task.MULTICLASS: pa.string(), Task.REGRESSION: pa.float64()}


def predictions_schema(schema: Schema) -> pa.Schema:
    """Predictions: features `input_...`, scores of classes `output_...`, `extra` JSON."""
    scores = {
        Task.BINARY: ("score",),
        Task.MULTICLASS: schema.score_columns(),
        Task.REGRESSION: (),
    }[schema.task]
    return pa.schema(
        [
            ("prediction_id", pa.string()),
            ("timestamp", TIMESTAMP),
            ("model_version", pa.string()),
            *((name, pa.float64()) for name in scores),
            ("prediction", _OUTPUTS[schema.task]),
            *((f.column, FEATURE_TYPES[f.kind]) for f in schema.features),
            *((name, pa.string()) for name in schema.key_columns()),
            ("extra", pa.string()),
        ]
    )


def outcomes_schema(schema: Schema) -> pa.Schema:
    """Outcomes: labels are written as predictions are, null where an outcome was taken back."""
    return pa.schema(
        [
            ("prediction_id", pa.string()),
            ("timestamp", TIMESTAMP),
            ("label", _OUTPUTS[schema.task]),
            *((name, pa.string()) for name in schema.key_columns()),
        ]
    )


def quarantine_schema() -> pa.Schema:
    """Rows that do not fit the schema, as they came, with the reason; `timestamp` is when."""
    return pa.schema(
        [
            ("id", pa.string()),
            ("timestamp", TIMESTAMP),
            ("kind", pa.string()),
            ("row", pa.string()),
            ("reason", pa.string()),
        ]
    )
