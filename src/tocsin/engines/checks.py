"""Whether the columns of a source can be what they are taken for, by their types."""

from collections.abc import Collection, Iterable, Mapping

import pyarrow as pa

from tocsin.errors import InvalidInputError
from tocsin.schema import Kind, Schema, Task

_ID = "prediction_id"


def check_names(names: Collection[str], used: Iterable[str], what: str) -> None:
    """Raises: InvalidInputError where a used name differs from another only in case."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(name.casefold(), []).append(name)
    twice = next((found for name in used if len(found := alike.get(name.casefold(), [])) > 1), None)
    if twice is not None:
        raise InvalidInputError(
            f"{what} have columns {' and '.join(map(repr, twice))}, which SQL cannot tell apart; "
            "rename or drop one"
        )


def check_types(
    schema: Schema, columns: Mapping[str, str], fields: Mapping[str, pa.DataType], what: str
) -> None:
    """Raises: InvalidInputError for a column of a type that cannot be read as what it is."""
    kinds = {feature.column: feature.kind for feature in schema.features}
    for column, name in columns.items():
        if name not in fields:
            continue
        found = fields[name]
        found = found.value_type if pa.types.is_dictionary(found) else found
        needed = _refusal(schema, column, kinds.get(column), found)
        if needed is not None:
            raise InvalidInputError(f"column {name!r} of {what} is {found}, but {needed}")


def ids_as_text(predictions: Iterable[pa.DataType], outcomes: Iterable[pa.DataType]) -> bool:
    """Whether ids of predictions and outcomes are compared as text, as their types differ.

    Raises: InvalidInputError when they cannot be compared.
    """
    kinds = {_id_kind(kind): kind for kind in [*predictions, *outcomes]}
    kinds.pop("null", None)
    if len(kinds) < 2:
        return False
    if kinds.keys() <= {"text", "whole"}:
        return True
    raise InvalidInputError(
        f"ids are {' here and '.join(str(kind) for kind in kinds.values())} there, which cannot "
        "be compared; write all of them as text"
    )


def _id_kind(kind: pa.DataType) -> str:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_null(kind):
        return "null"
    if _is_text(kind):
        return "text"
    return "whole" if pa.types.is_integer(kind) else str(kind)


def _refusal(schema: Schema, column: str, kind: Kind | None, found: pa.DataType) -> str | None:
    """What a column needs to be when it is not; None when it is."""
    is_null = pa.types.is_null(found)
    if column in ("timestamp", "outcome_timestamp"):
        return None if _is_moment(found) or is_null else "has to be a timestamp; cast it to one"
    if column == _ID:
        if pa.types.is_floating(found):
            return "large ids are not told apart by that; write whole numbers or text"
        return "an id has to be text or a number" if pa.types.is_nested(found) else None
    if kind is Kind.DATETIME and not (_is_moment(found) or _is_text(found) or is_null):
        return "has to be a timestamp; cast it to one"
    regression = schema.task is Task.REGRESSION and column in ("prediction", "label")
    if kind is Kind.NUMERIC or regression or column in ("score", *schema.score_columns()):
        readable = _is_number(found) or _is_text(found) or is_null
        return None if readable else "has to be a number; cast it to one, or take a part of it"
    return None


def _is_moment(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
    )
