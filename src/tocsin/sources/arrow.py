"""Columns of a driver's values as an Arrow table."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa


def rows_of(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> pa.Table | list[Any]:
    """A table; records, when a column holds values of several kinds, as in SQLite it may."""
    columns = [[_plain(value) for value in column] for column in columns]
    try:
        return pa.table([pa.array(column) for column in columns], names=list(names))
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        texts = [[_text(value) for value in column] for column in columns]
        return [dict(zip(names, row, strict=True)) for row in zip(*texts, strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, UUID):
        return str(value)
    return None if isinstance(value, memoryview | bytes) else value


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value
