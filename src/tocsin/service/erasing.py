"""What an erasure takes out of profiles and lake: a fold of its rows, backwards."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.declared import Monitor
from tocsin.lake import ALWAYS, ModelLake, Table, counting_labels
from tocsin.records import Records, erasures, inbox
from tocsin.records.models import ModelRecord
from tocsin.service.decoding import ID_NAMES, as_text
from tocsin.service.labels import distinct_keys

ID = "prediction_id"
_COUNTED = (Table.PREDICTIONS, Table.OUTCOMES)


@dataclass(frozen=True, eq=False)
class Erasing:
    """Rows to be erased, and what changes with them.

    began, ceased: predictions with the labels that count while the rows are there, and with those
    that count without them.
    """

    predictions: pa.Table
    outcomes: pa.Table
    began: pa.Table
    ceased: pa.Table


def erasing(wanted: pa.Table, lake: ModelLake, monitor: Monitor, *, folded: int) -> Erasing:
    """The counted rows with the prediction ids, or else the keys, of `wanted`.

    With a prediction goes an outcome that names it; one that is joined by keys goes with the keys.
    """
    rows = {t: lake.find_by(t, wanted, until=folded, spans=ALWAYS) for t in _COUNTED}
    erased, told = rows[Table.PREDICTIONS], rows[Table.OUTCOMES]
    kept, known = erased.slice(0, 0), told.slice(0, 0)
    keys = monitor.schema.key_columns()
    if ID not in wanted.column_names:
        named = lake.find(Table.OUTCOMES, _ids(erased), until=folded, spans=ALWAYS)
        told = pa.concat_tables([told, named])
    elif keys:
        # Without it, the outcomes that are joined by keys are those of a prediction before it.
        by_keys = distinct_keys([erased], keys)
        others = lake.find_by(Table.PREDICTIONS, by_keys, until=folded, spans=ALWAYS)
        kept = others.filter(pc.invert(pc.is_in(others[ID], value_set=_ids(erased))))
        keyed = lake.find_by(Table.OUTCOMES, by_keys, until=folded, spans=ALWAYS)
        named = lake.find(Table.OUTCOMES, _ids(kept), until=folded, spans=ALWAYS)
        known = pa.concat_tables([keyed, named])
    began, ceased = counting_labels(
        stored=kept,
        fresh=erased,
        earlier=known,
        arrived=told,
        horizon=timedelta(microseconds=monitor.label_horizon),
        keys=keys,
    )
    return Erasing(erased, told, began, ceased)


def finish_erasures(
    records: Records, record: ModelRecord, monitor: Monitor, lake: ModelLake, *, now: int
) -> None:
    """Delete from the lake what is out of the profiles; nothing else may look at it before."""
    with records.read() as connection:
        left = inbox.open_erasures(connection, record.id, folded=record.folded_offset)
    for entry in left:
        ids, quarantined = _named(lake, entry.rows, monitor, folded=entry.offset)
        with records.write() as connection:
            erasures.found_in_quarantine(connection, entry.offset, len(quarantined))
        _erase(lake, entry.rows, ids, quarantined)
        with records.write() as connection:
            inbox.blank(connection, entry)
        # Only then is it done: what is cut off before is finished later.
        records.forget()
        with records.write() as connection:
            inbox.erased(connection, entry.offset)
            erasures.done(connection, entry.offset, now=now)


def _named(
    lake: ModelLake, wanted: pa.Table, monitor: Monitor, *, folded: int
) -> tuple[set[str], list[str]]:
    """The prediction ids whose outcomes have to go, and the rows in quarantine by their own ids."""
    names = dict(zip(monitor.schema.key_columns(), monitor.schema.join_on, strict=True))
    if ID in wanted.column_names:
        of_keys, ids = set[str](), set(wanted[ID].to_pylist())
    else:
        of_keys, misfits = set[str](), set[str]()
        for row, objects in _quarantined(lake):
            if _has_keys(objects, wanted, names):
                of_keys.add(row)
                misfits |= _given_ids(objects)
        found = lake.find_by(Table.PREDICTIONS, wanted, until=folded, spans=ALWAYS)
        ids = {*_ids(found).to_pylist(), *_uncounted(misfits, lake, folded=folded)}
    of_ids = {row for row, objects in _quarantined(lake) if not ids.isdisjoint(_given_ids(objects))}
    return ids, sorted(of_keys | of_ids)


def _erase(lake: ModelLake, wanted: pa.Table, ids: set[str], quarantined: list[str]) -> None:
    """Delete rows, and the files that held them; a repeat changes nothing."""
    lake.erase(Table.OUTCOMES, pa.table({ID: pa.array(sorted(ids), pa.string())}), at_once=True)
    misfits = pa.table({"id": pa.array(quarantined, pa.string())})
    lake.erase(Table.QUARANTINE, misfits, at_once=True)
    # Predictions last: they tell which outcomes go with them, should this be cut off.
    for table in reversed(_COUNTED):
        lake.erase(table, wanted, at_once=True)


def _quarantined(lake: ModelLake) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What is in quarantine: the id that a row has there, and all objects in it."""
    for row in chain.from_iterable(lake.quarantine_rows()):
        yield row["id"], _objects(msgspec.json.decode(row["row"]))


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects in a value, at any depth: nobody knows what a row that does not fit is like."""
    if isinstance(value, dict):
        return [value, *(each for inner in value.values() for each in _objects(inner))]
    return [each for inner in value for each in _objects(inner)] if isinstance(value, list) else []


def _given_ids(objects: list[dict[str, Any]]) -> set[str]:
    """The prediction ids in a row as it came."""
    return {text for name in ID_NAMES for text in _said(objects, name)}


def _uncounted(ids: set[str], lake: ModelLake, *, folded: int) -> set[str]:
    """Those that no counted prediction has; outcomes of others may count for somebody else."""
    wanted = pa.array(sorted(ids), pa.string())
    known = lake.find(Table.PREDICTIONS, wanted, until=folded, spans=ALWAYS, columns=(ID,))
    return ids - set(_ids(known).to_pylist())


def _has_keys(objects: list[dict[str, Any]], wanted: pa.Table, names: dict[str, str]) -> bool:
    """Whether a row as it came has all keys of one of `wanted`."""
    return any(
        all(value in _said(objects, names[key]) for key, value in keys.items())
        for keys in wanted.to_pylist()
    )


def _said(objects: list[dict[str, Any]], name: str) -> set[str]:
    given = (as_text(each[name]) for each in objects if each.get(name) is not None)
    return {text for text in given if text is not None}


def _ids(rows: pa.Table) -> pa.Array:
    return rows[ID].combine_chunks()
