"""Given rows in the columns of the lake."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ids import uuid7s
from tocsin.lake import outcomes_schema, predictions_schema, quarantine_schema
from tocsin.schema import Schema
from tocsin.service.decoding.fields import (
    Arrays,
    Mask,
    Reading,
    feature_values,
    flags,
    keys,
    labels,
    nulls,
    prediction_ids,
    times,
    timestamps,
    versions,
    with_new_ids,
)
from tocsin.service.decoding.given import Given, Records
from tocsin.service.decoding.outputs import outputs


@dataclass(frozen=True, eq=False)
class Decoded:
    """What a body holds.

    predictions, outcomes: rows that fit, in the lake's columns. quarantine: the others. reasons:
    (row, reason) of those. assigned: (row, id) of ids made here. told: (n,) which predictions
    brought their outcome.
    """

    predictions: pa.Table
    outcomes: pa.Table
    quarantine: pa.Table
    reasons: tuple[tuple[int, str], ...]
    told: Mask
    assigned: tuple[tuple[int, str], ...] = ()


def predictions(given: Given, by: Reading) -> Decoded:
    """Predictions, with the outcomes that they bring along."""
    schema = by.schema
    if isinstance(given, Records):
        given.need_inputs()
    ids, assigned = with_new_ids(prediction_ids(given))
    found: Arrays = {
        "prediction_id": ids,
        "timestamp": timestamps(given, by),
        "model_version": versions(given, by),
    }
    found |= keys(given, schema) | _features(given, schema) | outputs(given, schema)
    brought = _brought(given, found, by)
    table = _fitting(found, predictions_schema(schema), given)
    outcomes = outcomes_schema(schema).empty_table()
    told = np.zeros(table.num_rows, np.bool_)
    if brought is not None:
        outcomes = _fitting(brought, outcomes.schema, given)
        told = ~nulls(outcomes["label"].combine_chunks())
        outcomes = outcomes.filter(pa.array(told))
    bad = given.misfits
    kept = tuple((row, made) for row, made in assigned if row not in bad)
    quarantine = _quarantined(given, "predictions", by)
    return Decoded(table, outcomes, quarantine, tuple(bad.sorted()), told, kept)


def outcomes(given: Given, by: Reading) -> Decoded:
    """Outcomes: by prediction id, or by the keys that the schema joins on."""
    schema, columns = by.schema, outcomes_schema(by.schema)
    ids = prediction_ids(given)
    found: Arrays = {"prediction_id": ids} | keys(given, schema)
    _check_whose(found, given, schema)
    # The id says it all.
    by_keys = ids.is_null()
    nothing = pa.scalar(None, pa.string())
    found |= {name: pc.if_else(by_keys, found[name], nothing) for name in schema.key_columns()}
    deleted = flags(given, "deleted")
    found["timestamp"] = timestamps(given, by)
    label = labels(given, schema)
    if label is None:
        label = pa.nulls(len(given), columns.field("label").type)
    missing = np.flatnonzero(~deleted & nulls(label))
    given.misfits.of(missing, lambda _: "actual_outcome is missing")
    found["label"] = pc.if_else(pa.array(deleted), pa.scalar(None, label.type), label)
    return Decoded(
        predictions_schema(schema).empty_table(),
        _fitting(found, columns, given),
        _quarantined(given, "outcomes", by),
        tuple(given.misfits.sorted()),
        np.zeros(0, np.bool_),
    )


def _features(given: Given, schema: Schema) -> Arrays:
    """The features, and the other inputs as JSON."""
    found = {f.column: feature_values(given, f) for f in schema.features}
    filled = np.zeros(len(given), np.int64)
    for array in found.values():
        filled += ~nulls(array)
    known = {name for f in schema.features for name in (f.name, *f.was)}
    extra = given.extra(known, filled.tolist())
    return found | {"extra": pa.array(extra, pa.string())}


def _brought(given: Given, predictions: Arrays, by: Reading) -> Arrays | None:
    """The outcomes that came with their predictions, if some did; told with them if not later."""
    label = labels(given, by.schema)
    if label is None:
        return None
    told, known = predictions["timestamp"], times(given, "outcome_timestamp", by)
    if known is not None:
        told = pc.coalesce(known, told)
    return {"prediction_id": predictions["prediction_id"], "timestamp": told, "label": label}


def _check_whose(found: Arrays, given: Given, schema: Schema) -> None:
    """An outcome says whose it is by an id or by all keys."""
    unknown, wanted = nulls(found["prediction_id"]), "prediction_id"
    if schema.join_on:
        wanted = f"prediction_id or {' and '.join(schema.join_on)}"
        lacking = [nulls(found[column]) for column in schema.key_columns()]
        unknown &= np.any(lacking, axis=0)
    given.misfits.of(
        np.flatnonzero(unknown),
        lambda _: f"{wanted} is missing: an outcome has to say whose it is",
    )


def _quarantined(given: Given, kind: str, by: Reading) -> pa.Table:
    misfits = given.misfits.sorted()
    # They are taken up again in the order of their ids: that in which they came.
    ids = sorted(uuid7s(len(misfits)))
    bad = [
        {"id": id_, "timestamp": by.now, "kind": kind, "row": given.raw(row), "reason": reason}
        for id_, (row, reason) in zip(ids, misfits, strict=True)
    ]
    return pa.Table.from_pylist(bad, schema=quarantine_schema())


def _fitting(found: Arrays, schema: pa.Schema, given: Given) -> pa.Table:
    """The rows that fit, in the columns of a schema."""
    n = len(given)
    empty = {f.name: pa.nulls(n, f.type) for f in schema if f.name not in found}
    table = pa.table({name: found.get(name, empty.get(name)) for name in schema.names}, schema)
    return table.take(given.misfits.fitting(n)) if len(given.misfits) else table
