"""Erase what was recorded of somebody: from lake, quarantine and profiles."""

from collections.abc import Mapping, Sequence
from itertools import chain, product

import pyarrow as pa

from tocsin.declared import Monitor, parse_monitor
from tocsin.errors import InvalidInputError
from tocsin.records import Records, audit, changes, erasures, inbox, models, profiled_days
from tocsin.records.erasures import Erasure
from tocsin.service.clock import Clock
from tocsin.service.decoding import hashed
from tocsin.service.erasing import ID


class Erase:
    """Takes requests to erase; the next fold carries them out."""

    def __init__(self, records: Records, clock: Clock, hash_key: bytes) -> None:
        self._records = records
        self._clock = clock
        self._hash_key = hash_key

    def erase(
        self,
        model: str,
        *,
        prediction_ids: Sequence[str] = (),
        keys: Sequence[Mapping[str, str]] = (),
        actor: str = audit.UNKNOWN,
    ) -> int:
        """Ask for predictions to be erased, with their outcomes, by id or by the keys of `join`.

        What is recorded after this is not touched. Returns: the offset of the request, by which
        `erasure` tells what became of it.
        Raises: UnknownModelError; InvalidInputError when neither or both are given, when a key is
        missing or unknown, or when the model has the rows of a table.
        """
        now = self._clock()
        with self._records.write() as connection:
            model_id, document = models.monitor_named(connection, model)
            if profiled_days.any_of(connection, model_id):
                raise InvalidInputError(
                    f"model {model!r} has the rows of a table: erase them there, and profile it "
                    "again"
                )
            monitor = parse_monitor(model, document)
            if bool(prediction_ids) == bool(keys):
                raise InvalidInputError("name either `prediction_ids` or `keys` to be erased")
            wanted = self._wanted(monitor, prediction_ids, keys)
            offset = inbox.append(connection, model_id, inbox.ERASURE, wanted, now=now)
            requested = len(prediction_ids) + len(keys)
            erasures.request(connection, model_id, offset, requested=requested, now=now)
            # How many, not whose: what is to be forgotten must not stand in what never is.
            asked = {"request": offset, "asked_for": requested}
            deed = audit.Deed(actor, "none", "rows.erased", f"model/{model}", evidence=asked)
            audit.append(connection, deed, now=now)
            changes.announce(connection, f"model/{model}", now=now)
        return offset

    def erasure(self, model: str, offset: int) -> Erasure | None:
        """A request by its offset, None when there is none. Raises: UnknownModelError."""
        with self._records.read() as connection:
            model_id, _ = models.monitor_named(connection, model)
            return erasures.erasure(connection, model_id, offset)

    def erasures(self, model: str, *, limit: int = 100) -> list[Erasure]:
        """The requests of a model, the newest first. Raises: UnknownModelError."""
        with self._records.read() as connection:
            model_id, _ = models.monitor_named(connection, model)
            return erasures.newest(connection, model_id, limit)

    def _wanted(
        self, monitor: Monitor, ids: Sequence[str], keys: Sequence[Mapping[str, str]]
    ) -> pa.Table:
        """A column of ids, or those of the keys, in all spellings that the lake may have."""
        if ids:
            return pa.table(
                {ID: pa.array(chain.from_iterable(map(self._spellings, ids)), pa.string())}
            )
        schema = monitor.schema
        for given in keys:
            if given.keys() != set(schema.join_on):
                known = ", ".join(schema.join_on) or "none: the monitor has no `join`"
                raise InvalidInputError(
                    f"keys {', '.join(given)} are not those that outcomes are joined by: {known}"
                )
        rows = chain.from_iterable(
            product(*(self._spellings(given[name]) for name in schema.join_on)) for given in keys
        )
        columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
        return pa.table(columns, names=list(schema.key_columns()))

    def _spellings(self, value: str) -> tuple[str, ...]:
        """A value and its hash: rows stay as they came when a monitor begins or ceases to hash."""
        hidden = hashed(value, self._hash_key)
        return (value,) if hidden in (None, value) else (value, str(hidden))
