"""The fields of given rows: whose they are, of when, and what they hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tocsin.ids import uuid7
from tocsin.lake import TIMESTAMP
from tocsin.schema import Feature, Kind, Schema, Task
from tocsin.service.decoding.given import ID_NAMES, Given
from tocsin.service.decoding.misfits import shown
from tocsin.service.decoding.outputs import class_texts
from tocsin.service.decoding.values import (
    Values,
    classes,
    identities,
    listed,
    moments,
    numbers,
    texts,
)
from tocsin.values import format_duration

Arrays = dict[str, pa.Array]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Reading:
    """By what rows are read.

    version: of rows that name none. now: the timestamp of rows that have none. skew: how far
    clocks of clients may be ahead of it.
    """

    schema: Schema
    version: str
    now: int
    skew: int


def prediction_ids(given: Given) -> pa.Array:
    """Whose the rows are, null where they do not say."""
    _, values = _first_of(given, ID_NAMES)
    if values is None:
        return pa.nulls(len(given), pa.string())
    return identities(values, given.misfits)


def with_new_ids(ids: pa.Array) -> tuple[pa.Array, list[tuple[int, str]]]:
    """Ids, those that are missing made here; and (row, id) of these."""
    if ids.null_count == 0:
        return ids, []
    assigned = [(row, uuid7()) for row in np.flatnonzero(nulls(ids)).tolist()]
    every = ids.to_pylist()
    for row, made in assigned:
        every[row] = made
    return pa.array(every, pa.string()), assigned


def timestamps(given: Given, by: Reading) -> pa.Array:
    """Times of rows: now where none is given."""
    found, now = times(given, "timestamp", by), pa.scalar(by.now, pa.int64()).cast(TIMESTAMP)
    return pa.repeat(now, len(given)) if found is None else found.fill_null(now)


def times(given: Given, name: str, by: Reading) -> pa.Array | None:
    """Times, none before 1970 or ahead of all clocks; null where none is given, None of none."""
    values = given.top(name)
    if values is None:
        return None
    found = moments(values, name, given.misfits)
    micros = found.cast(pa.int64()).fill_null(0).to_numpy()
    early, late = np.flatnonzero(micros < 0), np.flatnonzero(micros > by.now + by.skew)
    if early.size or late.size:
        said = listed(values)
        ahead = format_duration(by.skew)
        given.misfits.of(early, lambda row: f"{name} {shown(said[row])} is before 1970")
        # One such row would close all windows up to it.
        given.misfits.of(
            late, lambda row: f"{name} {shown(said[row])} is more than {ahead} in the future"
        )
    return found


def versions(given: Given, by: Reading) -> pa.Array:
    """The versions of the model that predicted."""
    values = given.top("model_version")
    if values is None:
        return pa.repeat(pa.scalar(by.version, pa.string()), len(given))
    if isinstance(values, list):
        kinds = (str, int, type(None))
        odd = [row for row, value in enumerate(values) if type(value) not in kinds or value == ""]
        given.misfits.of(odd, lambda row: f"model_version has to be text, not {shown(values[row])}")
    found = texts(values, Kind.CATEGORICAL, "model_version", given.misfits)
    return found.fill_null(by.version)


def keys(given: Given, schema: Schema) -> Arrays:
    """The keys that outcomes are joined on."""
    found: Arrays = {}
    for name, column in zip(schema.join_on, schema.key_columns(), strict=True):
        places = (given.part("keys", name), given.top(name), given.part("inputs", name))
        # Row by row: rows of several clients come together, each with its own habit.
        said = [
            texts(values, Kind.CATEGORICAL, f"keys.{name}", given.misfits)
            for values in places
            if values is not None
        ]
        found[column] = pc.coalesce(*said) if said else pa.nulls(len(given), pa.string())
    return found


def feature_values(given: Given, feature: Feature) -> pa.Array:
    """The values of a feature, null where none is given."""
    place = f"inputs.{feature.name}"
    # Row by row: of clients that come together some use the name of before.
    named = (given.part("inputs", name) for name in (feature.name, *feature.was))
    found = [_of_kind(values, feature.kind, place, given) for values in named if values is not None]
    if not found:
        kinds = {Kind.NUMERIC: pa.float64(), Kind.DATETIME: TIMESTAMP}
        return pa.nulls(len(given), kinds.get(feature.kind, pa.string()))
    return found[0] if len(found) == 1 else pc.coalesce(*found)


def _of_kind(values: Values, kind: Kind, place: str, given: Given) -> pa.Array:
    if kind is Kind.NUMERIC:
        return numbers(values, place, given.misfits)
    if kind is Kind.DATETIME:
        return moments(values, place, given.misfits)
    return texts(values, kind, place, given.misfits)


def labels(given: Given, schema: Schema) -> pa.Array | None:
    """Labels in the lake's type, null where none is given; None where no row has one."""
    features = {feature.name for feature in schema.features}
    names = [n for n in ("actual_outcome", "label", schema.label) if n not in features]
    name, values = _first_of(given, names)
    if values is None:
        return None
    if schema.task is Task.REGRESSION:
        found = numbers(values, name, given.misfits)
        odd = np.flatnonzero(~np.isfinite(found.fill_null(0).to_numpy()))
        given.misfits.of(odd, lambda row: f"{name}: {found[row].as_py()} is not finite")
        return found
    found = classes(values, schema, name, given.misfits)
    return found.cast(pa.int8()) if schema.task is Task.BINARY else class_texts(found, schema)


def flags(given: Given, name: str) -> Mask:
    """Which rows are marked; what is neither true nor false does not fit."""
    values = given.top(name)
    if values is None:
        return np.zeros(len(given), np.bool_)
    said = listed(values)
    odd = (row for row, value in enumerate(said) if value not in (None, True, False))
    given.misfits.of(odd, lambda row: f"{name} has to be true or false, not {shown(said[row])}")
    return np.array([value is True or value == 1 for value in said], np.bool_)


def nulls(values: pa.Array) -> Mask:
    """(n,) which values are null."""
    return np.asarray(values.is_null().to_numpy(zero_copy_only=False), np.bool_)


def _first_of(given: Given, names: Sequence[str]) -> tuple[str, Values | None]:
    """The first value of each row under one of some names, and the name of most of them."""
    found = {n: values for n in dict.fromkeys(names) if (values := given.top(n)) is not None}
    if len(found) <= 1:
        return next(iter(found.items()), (names[0], None))
    rows = zip(*map(listed, found.values()), strict=True)
    first = [next((value for value in row if value is not None), None) for row in rows]
    return next(iter(found)), first
