"""Places in an ordered table: values of its cursor and key, as JSON and as conditions."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tocsin.errors import InvalidInputError

_READERS: dict[str, Callable[[str], Any]] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "decimal": Decimal,
    "uuid": UUID,
}


def to_json(value: Any, column: str) -> Any:
    """A value that `from_json` reads back.

    Raises: InvalidInputError for one of a type that has no place in an order.
    """
    if isinstance(value, int | str | float) and not isinstance(value, bool):
        return value
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, UUID):
        return {"uuid": str(value)}
    raise InvalidInputError(
        f"column {column!r} has {type(value).__name__} values; a cursor or key has to be a time, "
        "a number or text"
    )


def from_json(value: Any) -> Any:
    """The value that `to_json` wrote."""
    if isinstance(value, dict):
        ((name, text),) = value.items()
        return _READERS[name](text)
    return value


def behind(
    columns: Sequence[sa.ColumnElement[Any]], place: Sequence[Any]
) -> sa.ColumnElement[bool]:
    """The condition of rows behind a place in the order of the columns.

    Written out, as not every database compares tuples, nor uses an index for it.
    """
    ways = []
    for index, (column, value) in enumerate(zip(columns, place, strict=True)):
        same = [columns[i] == place[i] for i in range(index)]
        ways.append(sa.and_(*same, column > value))
    # The first is implied by all; an index on the cursor serves it.
    return sa.and_(columns[0] >= place[0], sa.or_(*ways))
