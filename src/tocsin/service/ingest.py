"""Accept rows: decoded, checked, and durable before the answer."""

from dataclasses import dataclass
from typing import Literal

from tocsin.declared import parse_monitor
from tocsin.errors import InvalidInputError
from tocsin.lake import Table
from tocsin.records import Records, inbox, models, profiled_days
from tocsin.service.clock import Clock
from tocsin.service.decoding import Decoded, decode_outcomes, decode_predictions

Kind = Literal["predictions", "outcomes"]


@dataclass(frozen=True)
class Receipt:
    """What became of a request's rows.

    reasons: (row, reason) of those in quarantine. assigned: (row, id) of ids made here.
    """

    accepted: int
    quarantined: int
    reasons: tuple[tuple[int, str], ...]
    assigned: tuple[tuple[int, str], ...]


class Ingest:
    """Takes request bodies into the inbox."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def accept(self, model: str, kind: Kind, body: bytes) -> Receipt:
        """Store a body's rows; when this returns, a crash cannot lose them.

        Raises: UnknownModelError, MalformedBodyError.
        """
        now = self._clock()
        with self._records.read() as connection:
            model_id, document = models.monitor_named(connection, model)
            if profiled_days.any_of(connection, model_id):
                raise InvalidInputError(
                    f"model {model!r} has the predictions of a table; send rows to a model of "
                    "their own"
                )
        monitor = parse_monitor(model, document)
        if kind == "predictions":
            decoded = decode_predictions(body, monitor.schema, version=monitor.version, now=now)
        else:
            decoded = decode_outcomes(body, monitor.schema, now=now)
        self._store(model_id, kind, decoded, now)
        return Receipt(
            decoded.rows.num_rows, len(decoded.reasons), decoded.reasons, decoded.assigned
        )

    def _store(self, model_id: int, kind: Kind, decoded: Decoded, now: int) -> None:
        with self._records.write() as connection:
            if decoded.rows.num_rows:
                inbox.append(connection, model_id, kind, decoded.rows, now=now)
            if decoded.reasons:
                inbox.append(connection, model_id, Table.QUARANTINE, decoded.quarantine, now=now)
            models.count(
                connection,
                model_id,
                **{kind: decoded.rows.num_rows, "quarantined": len(decoded.reasons)},
            )
