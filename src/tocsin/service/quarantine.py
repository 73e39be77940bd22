"""Rows that did not fit: look at them, and take them up again once they do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa

from tocsin.declared import Monitor, parse_monitor
from tocsin.errors import InvalidInputError, UnavailableError
from tocsin.lake import Lake, Table
from tocsin.records import Records, changes, inbox, models
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

_KINDS = {"predictions": predictions, "outcomes": outcomes}


@dataclass(frozen=True)
class Group:
    """Rows of one kind that did not fit for one reason.

    first, last: when they came. example: the newest of them, as it came.
    """

    kind: str
    reason: str
    rows: int
    first: datetime
    last: datetime
    example: Any


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
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in self._rows(*self._model(model)):
            found.setdefault((row["kind"], row["reason"]), []).append(row)
        groups = [
            Group(
                kind,
                reason,
                len(rows),
                min(row["timestamp"] for row in rows),
                max(row["timestamp"] for row in rows),
                msgspec.json.decode(rows[0]["row"]),
            )
            for (kind, reason), rows in found.items()
        ]
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
            for row in self._rows(*self._model(model), limit=limit)
        ]

    def replay(
        self, model: str, *, rename: Mapping[str, str] | None = None, reason: str | None = None
    ) -> Replayed:
        """Try rows again, with the schema of now; those that fit are as if they had come late.

        rename: what fields of the rows should have been called. reason: only rows whose reason has
        this text in it. A row that is tried twice counts once.
        Raises: UnknownModelError; InvalidInputError for an empty name; UnavailableError while rows
        are being erased.
        """
        names = dict(rename or {})
        if not all(names) or not all(names.values()):
            raise InvalidInputError("a field cannot be renamed from or to an empty name")
        record, monitor = self._model(model)
        now = self._clock()
        by = Reading(monitor.schema, monitor.version, now, monitor.skew)
        rows = [r for r in self._rows(record, monitor) if reason is None or reason in r["reason"]]
        still: dict[str, int] = {}
        accepted = 0
        for kind, decode in _KINDS.items():
            of_kind = [row for row in rows if row["kind"] == kind]
            if not of_kind:
                continue
            renamed = [_renamed(row, names) for row in of_kind]
            clean = scrubbed(renamed, monitor.privacy, self._hash_key)
            decoded = decode(given(clean, monitor.schema, f"one of {kind}"), by)
            bad = dict(decoded.reasons)
            for why in bad.values():
                still[why] = still.get(why, 0) + 1
            fitting = [row["id"] for i, row in enumerate(of_kind) if i not in bad]
            accepted += len(fitting)
            self._take_up(record, decoded, fitting, now)
        kept = len(rows) - accepted
        reasons = sorted(still.items(), key=lambda pair: -pair[1])
        return Replayed(accepted, kept, tuple(reasons[:10]))

    def _take_up(self, record: ModelRecord, decoded: Decoded, ids: list[str], now: int) -> None:
        if not ids:
            return
        with self._records.write() as connection:
            if inbox.rows_of_kind(connection, record.id, inbox.ERASURE):
                # Taken up behind it, rows that it is about would come back.
                raise UnavailableError(
                    f"rows of {record.name!r} are being erased; try again when that is done"
                )
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

    def _rows(
        self, record: ModelRecord, monitor: Monitor, *, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """The rows that are sealed in quarantine and not taken up yet, the newest first."""
        lake = self._lake.model(record.id, record.name, monitor.schema)
        with self._records.read() as connection:
            taken = inbox.replayed(connection, record.id)
        found = lake.quarantined(limit=limit).to_pylist()
        return [row for row in found if row["id"] not in taken]


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
