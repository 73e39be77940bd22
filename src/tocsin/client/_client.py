"""The client that a serving process talks to."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx2

from tocsin.client._delivery import Delivery, Target
from tocsin.client._queue import ClientStats, Limits
from tocsin.client._rows import Outcome, Prediction, Row, given_or_new_id, outcome, prediction
from tocsin.client._sender import user_agent
from tocsin.client._wire import model_url
from tocsin.errors import InvalidInputError


class Client:
    """Sends predictions and outcomes of one model version to Tocsin, in the background.

    Logging never waits and never raises because of data: what cannot be sent is counted in
    `stats` and said once to the `tocsin` logger. Failed requests are repeated with the same ids,
    which the server counts once. Rows that wait are sent at the end of the process, until
    `exit_timeout_s`; a child of multiprocessing skips that, so close the client there.

    max_queue: rows that may wait; more are dropped.
    batch_rows, max_delay_s: a request goes out with so many rows, or when its oldest is so old.
    request_timeout_s: how long one request may take at each of its steps.
    transport: in place of the network; a forked child shares it with its parent.

    >>> def server(request):
    ...     return httpx2.Response(202, json={"accepted": 1, "quarantined": 0, "reasons": []})
    >>> transport = httpx2.MockTransport(server)
    >>> with Client("http://tocsin", model="m", model_version="3", transport=transport) as client:
    ...     prediction_id = client.log_prediction({"distance": 733}, {"probability_late": 0.7})
    ...     client.log_outcome(prediction_id, 1)
    ...     client.flush()
    True
    """

    def __init__(
        self,
        url: str,
        *,
        model: str,
        model_version: str,
        max_queue: int = 100_000,
        batch_rows: int = 1000,
        max_delay_s: float = 0.5,
        request_timeout_s: float = 10.0,
        exit_timeout_s: float = 5.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        base = model_url(url, model)
        if not isinstance(model_version, str) or not model_version:
            raise InvalidInputError(f'model_version {model_version!r} is not a text such as "3"')
        if min(max_queue, batch_rows) < 1:
            raise InvalidInputError(
                f"max_queue {max_queue} and batch_rows {batch_rows} must be 1 or more"
            )
        if min(max_delay_s, exit_timeout_s) < 0 or request_timeout_s <= 0:
            raise InvalidInputError(
                f"max_delay_s {max_delay_s}, exit_timeout_s {exit_timeout_s} and "
                f"request_timeout_s {request_timeout_s} must not be negative, the last not 0"
            )

        def open_http() -> httpx2.Client:
            return httpx2.Client(
                transport=transport,
                timeout=request_timeout_s,
                headers={"User-Agent": user_agent()},
            )

        self._model_version = model_version
        self._delivery = Delivery(
            Target(base, open_http, exit_timeout_s), Limits(max_queue, batch_rows, max_delay_s)
        )

    def log_prediction(
        self,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any],
        prediction_id: str | None = None,
        timestamp: datetime | str | None = None,
    ) -> str:
        """Log one prediction; returns its id, a new one unless given."""
        record = {
            "prediction_id": prediction_id,
            "timestamp": timestamp,
            "inputs": inputs,
            "outputs": outputs,
        }
        return self.log_predictions((record,))[0]

    def log_predictions(self, records: Iterable[Mapping[str, Any]]) -> list[str]:
        """Log predictions; returns their ids in order, new ones where a record has none.

        A record has `inputs` and `outputs`, and may have `prediction_id`, `timestamp` (an aware
        datetime or an ISO 8601 text; now, if left out) and `model_version`.
        """
        now = datetime.now(UTC)
        ids: list[str] = []
        rows: list[Prediction] = []
        for record in records:
            prediction_id = given_or_new_id(record)
            ids.append(prediction_id)
            try:
                rows.append(prediction(record, prediction_id, self._model_version, now))
            except InvalidInputError as error:
                self._delivery.refuse(str(error))
        self._log(rows)
        return ids

    def log_outcome(
        self, prediction_id: str, actual_outcome: Any, timestamp: datetime | str | None = None
    ) -> None:
        """Log what really happened to one prediction."""
        moment = datetime.now(UTC) if timestamp is None else timestamp
        self._log([Outcome(prediction_id, moment, actual_outcome)])

    def log_outcomes(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Log outcomes: records with `prediction_id`, `actual_outcome` and maybe `timestamp`."""
        now = datetime.now(UTC)
        rows: list[Outcome] = []
        for record in records:
            try:
                rows.append(outcome(record, now))
            except InvalidInputError as error:
                self._delivery.refuse(str(error))
        self._log(rows)

    def _log(self, rows: list[Prediction] | list[Outcome]) -> None:
        if rows:
            batch: list[Row] = [*rows]
            self._delivery.put(batch)

    @property
    def stats(self) -> ClientStats:
        """What became of the rows so far."""
        return self._delivery.stats

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Send what waits now; True when the server has acknowledged all of it.

        False at the deadline, or when rows were rejected or dropped since the last flush that
        reached the end of the queue; `stats` says which.
        """
        return self._delivery.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what waits until the deadline; drop the rest, and all that is logged later."""
        self._delivery.close(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
