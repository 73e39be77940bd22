"""How drift is judged, where the monitor says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tocsin.declared.documents import DriftDocument, DriftMethodDocument
from tocsin.drift import Method
from tocsin.errors import InvalidInputError, SchemaError, did_you_mean
from tocsin.schema import Kind, Schema, Task
from tocsin.values import DAY

TRAILING = 28 * DAY


ReferenceKind = Literal["frozen", "trailing"]


@dataclass(frozen=True)
class DriftSettings:
    """methods: by column; a column without one gets the default verdict.

    trailing: how far the trailing reference looks back, microseconds. reference: which of the two
    decides.
    """

    methods: Mapping[str, Method] = field(default_factory=dict)
    trailing: int = TRAILING
    reference: ReferenceKind = "frozen"


def drift_settings(parsed: DriftDocument, schema: Schema, *, granularity: int) -> DriftSettings:
    """What a document declares.

    Raises: SchemaError for a column or a method that there is not, a method that the values of a
    column do not have, or a threshold that cannot be passed.
    """
    numeric = watched_columns(schema)
    unknown = next((name for name in parsed.features if name not in numeric), None)
    if unknown is not None:
        raise SchemaError(
            f"drift.features names {unknown!r}, which is not watched; "
            f"{did_you_mean(unknown, numeric)}there are "
            f"{', '.join(numeric)}"
        )
    methods = {}
    for column, is_number in numeric.items():
        own = parsed.features.get(column)
        chosen = _method(column, own, parsed)
        if chosen is None:
            continue
        if chosen.statistic.numeric_only and not is_number:
            where = "drift" if own is None or own.method is None else f"drift.features.{column}"
            raise SchemaError(
                f"{where}: {chosen.statistic.name} needs numbers, and {column!r} is categorical; "
                f"give {column!r} another method under drift.features, such as jensen_shannon"
            )
        methods[column] = chosen
    # Whole buckets, as other windows are made of.
    trailing = max(parsed.trailing // granularity, 1) * granularity
    return DriftSettings(methods, trailing, parsed.reference)


def _method(column: str, own: DriftMethodDocument | None, common: DriftDocument) -> Method | None:
    name = common.method if own is None or own.method is None else own.method
    # A threshold belongs to the method that it is written beside.
    threshold = common.threshold if own is None or own.method is None else None
    if own is not None and own.threshold is not None:
        threshold = own.threshold
    where = "drift" if own is None else f"drift.features.{column}"
    if name is None:
        if threshold is not None:
            raise SchemaError(f"{where} has a threshold without a method; add one, such as psi")
        return None
    try:
        return Method.named(name, threshold)
    except InvalidInputError as error:
        raise SchemaError(f"{where}: {error}") from error


def watched_columns(schema: Schema) -> dict[str, bool]:
    """All watched columns, and whether their values are numbers."""
    numbers = (Kind.NUMERIC, Kind.DATETIME)
    found = {feature.name: feature.kind in numbers for feature in schema.features}
    scored = schema.task is Task.BINARY and schema.score is not None
    found[schema.watched_output] = scored or schema.task is Task.REGRESSION
    if scored:
        found[schema.watched_classes] = False
    if schema.task is not Task.REGRESSION:
        found[schema.watched_label] = False
    return found
