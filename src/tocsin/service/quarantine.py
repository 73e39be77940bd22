"""Rows that did not fit: look at them, and take them up again once they do."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa

from tocsin.declared import Monitor, parse_monitor
from tocsin.errors import InvalidInputError, UnavailableError
from tocsin.lake import OFFSET, Lake, ModelLake, Table
from tocsin.records import Records, changes, erasures, inbox, models
from tocsin.records.models import ModelRecord
from tocsin.service.clock import Clock
from tocsin.service.decoding import (
    ID_NAMES,
    PARTS,
    Decoded,
    Reading,
    given,
    outcomes,
    predictions,
    scrubbed,
)
from tocsin.service.reasons import kind_of_reason

_KINDS = {"predictions": predictions, "outcomes": outcomes}


@dataclass(frozen=True)
class Group:
    """Rows of one kind that did not fit for one kind of reason.

    reason: without the values that rows had. first, last: when they came. example: one of the
    newest of them, as it came; example_reason: why it did not fit.
    """

    kind: str
    reason: str
    rows: int
    first: datetime
    last: datetime
    example: Any
    example_reason: str


@dataclass(frozen=True)
class Replayed:
    """What became of the rows that were tried again.

    kept: that still do not fit. reasons: why, and how many rows, the most frequent first.
    """

    accepted: int
    kept: int
    reasons: tuple[tuple[str, int], ...]


class Quarantine:
    """The quarantine of every model."""

    def __init__(self, records: Records, lake: Lake, clock: Clock, hash_key: bytes) -> None:
        self._records = records
        self._lake = lake
        self._clock = clock
        self._hash_key = hash_key

    def groups(self, model: str) -> list[Group]:
        """The rows by kind and reason, the most frequent first. Raises: UnknownModelError."""
        found: dict[tuple[str, str], _Rows] = {}
        lake, taken = self._sealed(*self._model(model))
        for row in _left(lake.quarantine_rows(), taken):
            of = (row["kind"], kind_of_reason(row["reason"]))
            found.setdefault(of, _Rows(row)).add(row)
        groups = [each.group(kind, reason) for (kind, reason), each in found.items()]
        return sorted(groups, key=lambda group: -group.rows)

    def rows(self, model: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """The newest rows, as they came. Raises: UnknownModelError."""
        return [
            {
                "id": row["id"],
                "received_at": row["timestamp"].isoformat(),
                "kind": row["kind"],
                "reason": row["reason"],
                "row": msgspec.json.decode(row["row"]),
            }
            for row in self._newest(*self._model(model), limit)
        ]

    def replay(
        self, model: str, *, rename: Mapping[str, str] | None = None, reason: str | None = None
    ) -> Replayed:
        """Try rows again, with the schema of now; those that fit are as if they had come late.

        rename: what fields of the rows should have been called. reason: only rows whose reason has
        this text in it. A row that is tried twice counts once. They keep their order: of two
        corrections of one time the later counts.
        Raises: UnknownModelError; InvalidInputError for an empty name; UnavailableError when rows
        are erased meanwhile.
        """
        names = dict(rename or {})
        if not all(names) or not all(names.values()):
            raise InvalidInputError("a field cannot be renamed from or to an empty name")
        record, monitor = self._model(model)
        now = self._clock()
        by = Reading(monitor.schema, monitor.version, now, monitor.skew)
        still: Counter[str] = Counter()
        accepted = 0
        erasure = self._newest_erasure(record)
        lake, taken = self._sealed(record, monitor)
        for batch in lake.quarantine_in_order():
            rows = [row for row in batch if reason is None or _has(row, reason)]
            for kind in _KINDS:
                of_kind = [row for row in _left([rows], taken) if row["kind"] == kind]
                if not of_kind:
                    continue
                decoded, ids = self._fitting(monitor, kind, of_kind, by, names, still)
                self._take_up(record, decoded, ids, erasure, now)
                accepted += len(ids)
        return Replayed(accepted, still.total(), tuple(still.most_common(10)))

    def _fitting(
        self,
        monitor: Monitor,
        kind: str,
        rows: list[dict[str, Any]],
        by: Reading,
        names: Mapping[str, str],
        still: Counter[str],
    ) -> tuple[Decoded, list[str]]:
        """The rows of a kind that fit by now, and their ids. Why others do not, to `still`."""
        renamed = [_renamed(row, names) for row in rows]
        clean = scrubbed(renamed, monitor.privacy, self._hash_key)
        decoded = _KINDS[kind](given(clean, monitor.schema, f"one of {kind}"), by)
        bad = dict(decoded.reasons)
        still.update(map(kind_of_reason, bad.values()))
        return decoded, [row["id"] for number, row in enumerate(rows) if number not in bad]

    def _newest_erasure(self, record: ModelRecord) -> int:
        """The newest request to erase rows. Raises: UnavailableError when one is under way."""
        with self._records.read() as connection:
            if inbox.rows_of_kind(connection, record.id, inbox.ERASURE):
                raise _erasing(record)
            return erasures.newest_offset(connection, record.id)

    def _take_up(
        self, record: ModelRecord, decoded: Decoded, ids: list[str], erasure: int, now: int
    ) -> None:
        """Store rows that were read; erasure: the newest when they were."""
        if not ids:
            return
        with self._records.write() as connection:
            models.check_there(connection, record)
            if erasures.newest_offset(connection, record.id) != erasure:
                # Taken up behind it, rows that it is about would come back.
                raise _erasing(record)
            for kind, rows in (
                (Table.PREDICTIONS, decoded.predictions),
                (Table.OUTCOMES, decoded.outcomes),
                (inbox.REPLAY, pa.table({"id": pa.array(ids, pa.string())})),
            ):
                if rows.num_rows:
                    inbox.append(connection, record.id, kind, rows, now=now)
            models.count(
                connection,
                record.id,
                predictions=decoded.predictions.num_rows,
                outcomes=decoded.outcomes.num_rows,
                replayed=len(ids),
            )
            changes.announce(connection, f"model/{record.name}", now=now)

    def _model(self, name: str) -> tuple[ModelRecord, Monitor]:
        with self._records.read() as connection:
            record = models.model_named(connection, name)
        return record, parse_monitor(name, record.monitor)

    def _newest(self, record: ModelRecord, monitor: Monitor, limit: int) -> list[dict[str, Any]]:
        """The newest rows that are sealed in quarantine and not taken up yet."""
        lake, taken = self._sealed(record, monitor)
        found = lake.quarantined(limit=limit).to_pylist()
        return [row for row in found if row["id"] not in taken]

    def _sealed(self, record: ModelRecord, monitor: Monitor) -> tuple[ModelLake, set[str]]:
        """The lake, and which rows in it are taken up."""
        lake = self._lake.model(record.id, record.name, monitor.schema)
        with self._records.read() as connection:
            return lake, inbox.replayed(connection, record.id)


class _Rows:
    """Rows of one group, as they are met."""

    def __init__(self, first: dict[str, Any]) -> None:
        self._rows = 0
        self._first = self._last = first["timestamp"]
        self._newest = first

    def add(self, row: dict[str, Any]) -> None:
        """Count a row."""
        self._rows += 1
        self._first = min(self._first, row["timestamp"])
        self._last = max(self._last, row["timestamp"])
        if (row[OFFSET], row["id"]) > (self._newest[OFFSET], self._newest["id"]):
            self._newest = row

    def group(self, kind: str, reason: str) -> Group:
        """What was counted."""
        example = msgspec.json.decode(self._newest["row"])
        said = self._newest["reason"]
        return Group(kind, reason, self._rows, self._first, self._last, example, said)


def _erasing(record: ModelRecord) -> UnavailableError:
    return UnavailableError(
        f"rows of {record.name!r} are being erased; try again when that is done"
    )


def _left(batches: Iterable[list[dict[str, Any]]], taken: set[str]) -> Iterator[dict[str, Any]]:
    """The rows that are not taken up yet."""
    return (row for batch in batches for row in batch if row["id"] not in taken)


def _has(row: dict[str, Any], reason: str) -> bool:
    """Whether a row did not fit for a reason with this text in it, with or without values."""
    return reason in row["reason"] or reason in kind_of_reason(row["reason"])


def _renamed(row: dict[str, Any], names: Mapping[str, str]) -> Any:
    """The row as it came, under other names, with its own id and time where it has none."""
    record = msgspec.json.decode(row["row"])
    if not isinstance(record, dict):
        return record
    record = {names.get(name, name): value for name, value in record.items()}
    for part in PARTS:
        if isinstance(record.get(part), dict):
            record[part] = {names.get(name, name): v for name, v in record[part].items()}
    if record.get("timestamp") is None:
        record["timestamp"] = row["timestamp"].astimezone(UTC).isoformat()
    if row["kind"] == "predictions" and all(record.get(name) is None for name in ID_NAMES):
        # Or the row would count again each time.
        record["prediction_id"] = row["id"]
    return record
