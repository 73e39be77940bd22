"""Inputs of a call as rows: every shape that MLflow's scoring protocol or `predict` takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.capture.exchange import UnreadableError

# The keys of a JSON body of which it has exactly one.
FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
# An image is no row of features: of wider rows only what the model gave is kept.
MOST_VALUES = 512

# What inputs without any name are called, with their number behind it.
POSITION = "x"

Row = dict[str, Any]
Names = Sequence[str]


def rows_of_body(body: Mapping[str, Any], names: Names) -> list[Row]:
    """The rows of a JSON body. names: what inputs without names are called, in order.

    Raises: UnreadableError for what has no rows.
    """
    given = [key for key in FORMATS if key in body]
    if len(given) != 1:
        raise UnreadableError(f"a body has to have one of {', '.join(FORMATS)}")
    data = body[given[0]]
    if given[0] == "dataframe_split":
        columns = data.get("columns")
        values = data.get("data")
        return rows_of_lists(values, names if columns is None else [str(c) for c in columns])
    return rows_of(data, names)


def rows_of(data: Any, names: Names) -> list[Row]:
    """The rows of anything that a model may be asked with. Raises: UnreadableError."""
    if isinstance(data, Mapping):
        return rows_of_columns(data)
    if hasattr(data, "to_pylist"):  # an Arrow table
        return [dict(row) for row in data.to_pylist()]
    if hasattr(data, "to_dict") and hasattr(data, "columns"):
        labels = [str(label) for label in data.columns]
        columns = [data.iloc[:, i].tolist() for i in range(len(labels))]
        return [dict(zip(labels, row, strict=True)) for row in zip(*columns, strict=True)]
    if hasattr(data, "tolist"):
        data = data.tolist()
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        raise UnreadableError(f"a {type(data).__name__} has no rows")
    if data and all(isinstance(row, Mapping) for row in data):
        return [dict(row) for row in data]
    return rows_of_lists(data, names)


def rows_of_lists(data: Any, names: Names) -> list[Row]:
    """The rows of a list of lists, or of single values. Raises: UnreadableError."""
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        raise UnreadableError(f"a {type(data).__name__} has no rows")
    return [_named(row, names) for row in data]


def rows_of_columns(data: Mapping[Any, Any]) -> list[Row]:
    """The rows of columns by name; a column may hold lists, and single values are one row.

    >>> rows_of_columns({"a": [1, 2], "b": [[3, 4], [5, 6]]})
    [{'a': 1, 'b.0': 3, 'b.1': 4}, {'a': 2, 'b.0': 5, 'b.1': 6}]
    """
    columns = {str(name): _listed(values) for name, values in data.items()}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise UnreadableError("columns differ in length")
    (length,) = lengths
    rows: list[Row] = [{} for _ in range(length)]
    for name, values in columns.items():
        for row, value in zip(rows, values, strict=True):
            if isinstance(value, list):
                row.update(_numbered(value, f"{name}."))
            else:
                row[name] = value
    return rows


def _listed(values: Any) -> list[Any]:
    if hasattr(values, "tolist"):
        values = values.tolist()
    return list(values) if isinstance(values, list | tuple) else [values]


def _named(row: Any, names: Names) -> Row:
    """One row of values without names."""
    if isinstance(row, Mapping):
        return dict(row)
    values = row if isinstance(row, list | tuple) else [row]
    if len(values) == len(names) and not any(isinstance(value, list) for value in values):
        return dict(zip(names, values, strict=True))
    return _numbered(values, POSITION)


def _numbered(values: Sequence[Any], prefix: str) -> Row:
    found: list[Any] = []
    _flatten(values, found)
    if len(found) > MOST_VALUES:
        return {}
    return {f"{prefix}{i}": value for i, value in enumerate(found)}


def _flatten(values: Sequence[Any], found: list[Any]) -> None:
    for value in values:
        if len(found) > MOST_VALUES:
            return
        if isinstance(value, list | tuple):
            _flatten(value, found)
        else:
            found.append(value)
