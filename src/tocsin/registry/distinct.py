"""The different values of a column: what tells classes from numbers."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.errors import SchemaError
from tocsin.schema import Schema, Task

_SHOWN = 3
# 0, 1, and true and false in lower case, upper case and with a capital.
_MOST_TRUTHS = 8


@dataclass(frozen=True, eq=False)
class Distinct:
    """The values of a column, each once; without null, NaN and infinity.

    values: text, booleans, integers, or float64.
    """

    name: str
    values: pa.Array

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_float(self) -> bool:
        """Whether they are stored so that they could have fractions."""
        return bool(pa.types.is_floating(self.values.type))

    @property
    def is_number(self) -> bool:
        """Whether they are numbers, whole or not."""
        return self.is_float or bool(pa.types.is_integer(self.values.type))

    @property
    def has_fractions(self) -> bool:
        """Whether one of them is no whole number, and so no class."""
        return self.fraction() is not None

    def fraction(self) -> float | None:
        """One that is no whole number, if there is any."""
        if not self.is_float:
            return None
        found = self.values.filter(pc.not_equal(pc.floor(self.values), self.values))
        return found[0].as_py() if len(found) else None

    @property
    def are_truths(self) -> bool:
        """Whether they are 0 and 1, true and false, however written."""
        plain = Schema(Task.BINARY, (), "score", None, self.name)
        return 0 < len(self) <= _MOST_TRUTHS and all(
            plain.class_of(value) is not None for value in self.values.to_pylist()
        )

    def classes(self) -> tuple[str, ...]:
        """How they are written as classes, ascending: numbers by size, text by the alphabet."""
        values = sorted(self.values.to_pylist())
        if pa.types.is_boolean(self.values.type):
            return tuple(str(value).lower() for value in values)
        return tuple(str(int(value)) if self.is_float else str(value) for value in values)

    def described(self) -> str:
        """How many there are and a few of them, for messages."""
        few = self.values.slice(0, _SHOWN).to_pylist()
        shown = ", ".join(f"{value:.6g}" if self.is_float else repr(value) for value in few)
        return f"{len(self):,} values such as {shown}" if few else "no values"


def distinct(table: pa.Table, name: str) -> Distinct:
    """The different values of a column.

    Raises: SchemaError for one that holds neither text nor numbers nor booleans.
    """
    column = table[name]
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        column = column.cast(pa.float64(), safe=False)
        column = column.filter(pc.is_finite(column))
    elif not (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_null(kind)
    ):
        raise SchemaError(
            f"column {name!r} of the training dataset holds {kind}, which are neither classes nor "
            "numbers; name another one"
        )
    return Distinct(name, pc.unique(column).drop_null())
