"""Importance on recent rows against that of the reference, both found in the same way."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.engines.arrow import class_labels, floats, whole
from tocsin.errors import InvalidInputError
from tocsin.explain import AttributionShift, Importance, Measured
from tocsin.explaining.computing import (
    Asked,
    Computed,
    Progress,
    address,
    check_private,
    importance,
)
from tocsin.registry.loading import loaded_model
from tocsin.remote import Remote
from tocsin.schema import Schema, Task

# With fewer labelled rows it is the output that is compared.
LEAST_LABELLED = 100


def compared(
    remote: Remote, asked: Asked, *, span: str, tracking_uri: str | None, progress: Progress
) -> Computed:
    """Find the importance on the rows of the last `span`, and store how it compares.

    Where too few of them have labels that the stored importance rests on, both are how far the
    output moves, so that like is compared with like.
    Raises: TocsinError when rows, model or a stored importance cannot be had.
    """
    path = ("models", asked.model)
    known = remote.get(*path)
    schema = Schema.from_dict(known["schema"])
    asked = replace(asked, version=asked.version or str(known["version"]))
    stored = remote.get(*path, "importance", version=str(asked.version), method=str(asked.method))
    chosen = {"rows": str(asked.rows), "seed": str(asked.seed)}
    reference, plan = remote.table(*path, "reference", **chosen)
    recent, start, end = remote.recent(*path, "recent", span=span, **chosen)
    recent = as_reference(recent, reference, schema)
    labelled = np.isfinite(_labels(schema, recent))
    by_loss = stored["measured"] == str(Measured.LOSS)
    notes: tuple[str, ...] = ()
    with loaded_model(address(known, asked), tracking_uri=tracking_uri) as model:
        check_private(model, known)
        then = Importance.from_dict(_plain(stored))
        if by_loss and labelled.sum() < LEAST_LABELLED:
            notes = (
                f"{labelled.sum():,} of the recent rows have labels, and {LEAST_LABELLED} are "
                "needed: how far the output moves is compared.",
            )
            then, _ = importance(model, schema, reference, None, asked, progress)
            labels = None
        else:
            labels = _labels(schema, recent) if by_loss else None
        now, more = importance(model, schema, recent, labels, asked, progress)
    shift = AttributionShift(then, now, start, end)
    request = {"version": asked.version, "plan": plan, **shift.to_dict()}
    return Computed(remote.put(*path, "importance", "recent", document=request), notes + more)


def as_reference(recent: pa.Table, reference: pa.Table, schema: Schema) -> pa.Table:
    """The rows with the types that the reference has, as the model was made for them.

    Raises: InvalidInputError for a feature that cannot be had so.
    """
    columns = {}
    for name in recent.column_names:
        values = whole(recent[name])
        if name == schema.label or name not in reference.column_names:
            columns[name] = values
            continue
        wanted = reference.schema.field(name).type
        try:
            columns[name] = _cast(values, wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InvalidInputError(
                f"the recent {name!r} cannot be read as {wanted}, the type that it has in the "
                f"reference: {error}"
            ) from error
    return pa.table(columns)


def _cast(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(wanted):
        return values.cast(wanted.value_type, safe=False).dictionary_encode()
    return values.cast(wanted, safe=False)


def _labels(schema: Schema, table: pa.Table) -> Any:
    values = whole(table[schema.label])
    if schema.task is Task.REGRESSION:
        return floats(values)
    return class_labels(schema, values, schema.label)


def _plain(stored: dict[str, Any]) -> dict[str, Any]:
    features = [{k: f[k] for k in ("feature", "value", "error")} for f in stored["features"]]
    return {**stored, "features": features}
