"""Add a model to be monitored: its monitor, its reference, and the plan that follows from it."""

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.declared import Monitor, parse_monitor
from tocsin.engines import reference_rows
from tocsin.errors import SchemaError
from tocsin.profiles import Plan, Profile, fold_labels, fold_predictions, plan_from_reference
from tocsin.records import Records, changes, models
from tocsin.schema import Kind, Schema
from tocsin.service.clock import Clock


class Register:
    """Adds models, and changes their monitors."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def add(
        self, name: str, document: dict[str, Any], reference: pa.Table, notes: tuple[str, ...] = ()
    ) -> Monitor:
        """Monitor a model from now on.

        reference: rows with the features by name, the label, and the score or prediction.
        Raises: SchemaError when the document or the reference does not fit, or the name is taken.
        """
        monitor = parse_monitor(name, document)
        profile = reference_profile(monitor.schema, reference)
        now = self._clock()
        with self._records.write() as connection:
            if name in {record.name for record in models.all_models(connection)}:
                raise SchemaError(f"model {name!r} is monitored already")
            models.add_model(
                connection,
                name=name,
                monitor=document,
                reference=profile,
                notes=notes,
                now=now,
            )
            changes.announce(connection, f"model/{name}", now=now)
        return monitor

    def change(self, name: str, document: dict[str, Any]) -> Monitor:
        """Replace a model's monitor; its schema and granularity have to stay.

        Raises: UnknownModelError, SchemaError.
        """
        monitor = parse_monitor(name, document)
        with self._records.write() as connection:
            record = models.model_named(connection, name)
            before = parse_monitor(name, record.monitor)
            if (before.schema, before.granularity) != (monitor.schema, monitor.granularity):
                raise SchemaError(
                    f"the schema and the granularity of {name!r} are what its profiles are made of "
                    "and cannot be changed; add the model under another name"
                )
            models.set_monitor(connection, record.id, document)
            changes.announce(connection, f"model/{name}", now=self._clock())
        return monitor


def reference_profile(schema: Schema, reference: pa.Table) -> Profile:
    """The profile of a reference, on the plan that it gives.

    Raises: SchemaError that names what the reference lacks.
    """
    _check(schema, reference)
    rows, labels = reference_rows(schema, reference)
    plan: Plan = plan_from_reference(rows.scores, labels, rows.features, threshold=schema.threshold)
    one = np.zeros(len(rows), np.int64)
    profile = fold_predictions(plan, rows, one, 1)
    known = np.isfinite(labels)
    if known.any():
        labelled, kept = reference_rows(schema, reference.filter(pa.array(known)))
        bucket = one[known]
        profile = profile + fold_labels(plan, labelled, kept, bucket, bucket, 1)
    return Profile(plan, profile.vector[0])


def _check(schema: Schema, reference: pa.Table) -> None:
    if reference.num_rows == 0:
        raise SchemaError("the reference has no rows; give at least a few hundred")
    outputs = [name for name in (schema.score, schema.prediction) if name]
    wanted = [feature.name for feature in schema.features]
    missing = [name for name in wanted if name not in reference.column_names]
    if not any(name in reference.column_names for name in outputs):
        missing.append(" or ".join(outputs))
    if missing:
        raise SchemaError(
            f"the reference lacks {', '.join(missing)}; it has {', '.join(reference.column_names)}"
        )
    for feature in schema.features:
        kind = reference.schema.field(feature.name).type
        if feature.kind is Kind.NUMERIC and not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)
        ):
            raise SchemaError(
                f"feature {feature.name!r} is declared numeric, but the reference has {kind}"
            )
