"""Personal data is hashed or left out before anything is stored: of rows, quarantine, reference."""

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pyarrow as pa

from tocsin.declared import Privacy
from tocsin.schema import Kind
from tocsin.service.decoding.bodies import Rows
from tocsin.service.decoding.given import PARTS
from tocsin.service.decoding.misfits import DEEPEST, MisfitError, to_json
from tocsin.service.decoding.values import Values, category, listed

_DONE = re.compile(r"hmac:[0-9a-f]{32}")


def hashed(value: Any, key: bytes) -> str | None:
    """The keyed hash of a value; of null null, and of a hash the hash.

    Two spellings of a category, such as 1 and 1.0, are one. 128 bits: of a billion values two are
    alike with a chance below 1e-20.
    """
    if value is None:
        return None
    text = as_text(value)
    if text is None or _DONE.fullmatch(text):
        return text
    return "hmac:" + hmac.new(key, text.encode(), sha256).hexdigest()[:32]


def as_text(value: Any) -> str | None:
    """A value as a category is written, else its JSON."""
    try:
        return category(value, Kind.CATEGORICAL, "")
    except MisfitError:
        return to_json(value)


def scrubbed(found: list[Any] | Rows, privacy: Privacy, key: bytes) -> list[Any] | Rows:
    """Rows without the personal data; what is no record is left out whole, as nobody knows it."""
    if not privacy:
        return found
    clean = _Clean(privacy.hash, privacy.drop, key)
    if isinstance(found, list):
        return [clean.value(row) if isinstance(row, dict) else None for row in found]
    rows, columns = found
    kept = {}
    for name, values in columns.items():
        part, dot, rest = name.partition(".")
        inner = rest if dot and part in PARTS else name
        if inner not in clean.drop:
            kept[name] = clean.column(inner, values)
    return rows, kept


def scrubbed_reference(table: pa.Table, privacy: Privacy, key: bytes) -> pa.Table:
    """The rows of a reference without the personal data."""
    for name in privacy.hash & set(table.column_names):
        codes = table[name].combine_chunks().dictionary_encode()
        if isinstance(codes, pa.ChunkedArray):
            codes = codes.combine_chunks()
        levels = pa.array([hashed(v, key) for v in codes.dictionary.to_pylist()], pa.string())
        place = table.column_names.index(name)
        table = table.set_column(place, name, levels.take(codes.indices))
    return table.drop_columns(sorted(privacy.drop & set(table.column_names)))


@dataclass(frozen=True)
class _Clean:
    """Takes personal data out of values, wherever it is in them. hash, drop: names of fields."""

    hash: frozenset[str]
    drop: frozenset[str]
    key: bytes

    def column(self, name: str, values: Values) -> Values:
        """The values of a column."""
        if name in self.hash:
            return [hashed(value, self.key) for value in listed(values)]
        if isinstance(values, pa.Array) and not pa.types.is_nested(values.type):
            return values
        said = listed(values)
        if any(isinstance(value, dict | list) for value in said):
            return [self.value(value) for value in said]
        return values

    def value(self, value: Any, depth: int = 0) -> Any:
        """A value; nothing of what is nested deeper than anybody looks."""
        if isinstance(value, dict | list | tuple) and depth > DEEPEST:
            return None
        if isinstance(value, dict):
            return {
                name: hashed(inner, self.key) if name in self.hash else self.value(inner, depth + 1)
                for name, inner in value.items()
                if name not in self.drop
            }
        if isinstance(value, list):
            return [self.value(inner, depth + 1) for inner in value]
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
            # A field of a map of Arrow.
            return [*self.value({value[0]: value[1]}, depth + 1).items()]
        return value
