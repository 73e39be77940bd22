"""Tables of other libraries, recognised by what they can do: none of them is imported here."""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.client._rows import listed
from tocsin.errors import InvalidInputError

Read = Callable[[int, int], list[Any]]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns that the host can no longer change.

    columns: by name, how to read the values of rows `start` to `stop`.
    """

    rows: int
    columns: dict[str, Read]

    def without(self, names: Collection[str]) -> "Table":
        """The other columns."""
        return Table(self.rows, {n: read for n, read in self.columns.items() if n not in names})

    def only(self, names: Iterable[str]) -> "Table":
        """These columns. Raises: InvalidInputError when one of them is missing."""
        wanted = list(names)
        if missing := [name for name in wanted if name not in self.columns]:
            raise InvalidInputError(
                f"the table has no column {listed(missing)}; it has {listed(self.columns)}"
            )
        return Table(self.rows, {name: self.columns[name] for name in wanted})


def table(value: Any) -> Table | None:
    """The table of an Arrow, Polars or pandas object, or of a dict of columns; None for others.

    Raises: InvalidInputError when columns share a name or differ in length.
    """
    if isinstance(value, Mapping):
        return _from_mapping(value)
    if hasattr(value, "to_pylist") and hasattr(value, "schema"):
        return _from_arrow(value)
    if hasattr(value, "to_dicts") and hasattr(value, "to_series"):
        return _from_polars(value.clone())
    if hasattr(value, "iloc") and hasattr(value, "columns"):
        return _from_pandas(_frozen_frame(value))
    if hasattr(value, "to_frame") and isinstance(getattr(value, "name", None), str):
        return table(value.to_frame())
    if hasattr(value, "__arrow_c_stream__") and (arrow := sys.modules.get("pyarrow")):
        return _from_arrow(arrow.table(value))
    return None


def _from_arrow(value: Any) -> Table:
    def reader(at: int) -> Read:
        column = value.column(at)
        return lambda start, stop: column.slice(start, stop - start).to_pylist()

    return _named(value.num_rows, value.schema.names, reader)


def _from_polars(frame: Any) -> Table:
    def reader(at: int) -> Read:
        column = frame.to_series(at)
        return lambda start, stop: column.slice(start, stop - start).to_list()

    return _named(frame.height, frame.columns, reader)


def _from_pandas(frame: Any) -> Table:
    def reader(at: int) -> Read:
        return lambda start, stop: frame.iloc[start:stop, at].tolist()

    return _named(len(frame), frame.columns, reader)


def _frozen_frame(frame: Any) -> Any:
    # From version 3 on, a shallow copy is one that later writes do not reach.
    version = str(getattr(sys.modules.get("pandas"), "__version__", "0"))
    copies_on_write = version.partition(".")[0].isdecimal() and int(version.partition(".")[0]) >= 3
    return frame.copy(deep=not copies_on_write)


def _from_mapping(columns: Mapping[Any, Any]) -> Table:
    read = {str(name): _column(values) for name, values in columns.items()}
    lengths = {name: rows for name, (rows, _) in read.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidInputError(f"columns differ in length: {lengths}")
    return Table(max(lengths.values(), default=0), {name: one for name, (_, one) in read.items()})


def _column(values: Any) -> tuple[int, Read]:
    """The length and the reader of a copy of an array, a series or a list."""
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__len__"):
        raise InvalidInputError(
            f"a {type(values).__name__} is not a column; give a list, an array or a series"
        )
    if hasattr(values, "to_frame") and (one := table(values.rename("value").to_frame())):
        return one.rows, one.columns["value"]
    if hasattr(values, "to_pylist"):
        return len(values), lambda start, stop: values.slice(start, stop - start).to_pylist()
    if hasattr(values, "tolist") and hasattr(values, "copy"):
        array = values.copy()
        return len(array), lambda start, stop: array[start:stop].tolist()
    held = values.tolist() if hasattr(values, "tolist") else list(values)
    return len(held), lambda start, stop: held[start:stop]


def _named(rows: int, names: Iterable[Any], reader: Callable[[int], Read]) -> Table:
    columns: dict[str, Read] = {}
    for at, name in enumerate(names):
        if str(name) in columns:
            raise InvalidInputError(f"two columns are called {str(name)!r}; rename one")
        columns[str(name)] = reader(at)
    return Table(rows, columns)
