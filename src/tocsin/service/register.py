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

MAX_NAME_LENGTH = 200


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
        _check_name(name)
        monitor = parse_monitor(name, document)
        profile = reference_profile(monitor.schema, reference)
        now = self._clock()
        with self._records.write() as connection:
            if models.exists(connection, name):
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
            if _profiled(before) != _profiled(monitor):
                raise SchemaError(
                    f"schema, granularity and labels.max of {name!r} are what its profiles are "
                    "made of and cannot be changed; add the model under another name"
                )
            models.set_monitor(connection, record.id, document)
            changes.announce(connection, f"model/{name}", now=self._clock())
        return monitor


def _check_name(name: str) -> None:
    if not name.isprintable() or "/" in name or len(name) > MAX_NAME_LENGTH or not name.strip():
        raise SchemaError(
            f"{name!r} cannot be the name of a model: up to {MAX_NAME_LENGTH} printable characters "
            "without /"
        )


def _profiled(monitor: Monitor) -> tuple[Schema, int, int]:
    """What a model's stored profiles depend on."""
    return monitor.schema, monitor.granularity, monitor.label_horizon


def reference_profile(schema: Schema, reference: pa.Table) -> Profile:
    """The profile of a reference, on the plan that it gives.

    Raises: SchemaError that names what the reference lacks.
    """
    _check(schema, reference)
    reference = _with_classes(schema, reference)
    rows, labels = reference_rows(schema, reference)
    scores = rows.scores[np.isfinite(rows.scores)]
    if len(scores) and not 0 <= scores.min() <= scores.max() <= 1:
        raise SchemaError(
            f"score {schema.score!r} of the reference lies between {scores.min():g} and "
            f"{scores.max():g}; it has to be the probability of the positive class, in [0, 1]"
        )
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
    output = schema.score or schema.prediction
    wanted = [*(feature.name for feature in schema.features), *([output] if output else [])]
    missing = [name for name in wanted if name not in reference.column_names]
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


def _with_classes(schema: Schema, reference: pa.Table) -> pa.Table:
    """The reference with label and prediction as 1, 0 or null, however they were written."""
    for name in (schema.label, schema.prediction):
        if name is None or name not in reference.column_names:
            continue
        values = reference[name].to_pylist()
        absent = [value is None or value != value for value in values]
        classes = [
            None if gone else schema.class_of(value)
            for value, gone in zip(values, absent, strict=True)
        ]
        odd = next((v for v, c, gone in zip(values, classes, absent, strict=True)
                    if c is None and not gone), None)  # fmt: skip
        if odd is not None:
            raise SchemaError(
                f"{name!r} of the reference holds {odd!r}, neither {schema.positive!r} nor "
                f"{schema.negative!r}; name the classes with `positive` and `negative`"
            )
        at = reference.column_names.index(name)
        reference = reference.set_column(at, name, pa.array(classes, pa.float64()))
    return reference
