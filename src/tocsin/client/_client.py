"""The client that a serving process talks to."""

from types import TracebackType
from typing import Self

from tocsin.client._prediction_log import PredictionLog


class Client(PredictionLog):
    """Sends predictions and outcomes of one model version to Tocsin, in the background.

    Logging never waits and never raises because of data: what cannot be sent is counted in
    `stats` and said once to the `tocsin` logger. Failed requests are repeated with the same ids,
    which the server counts once. Rows that wait are sent at the end of the process, until
    `exit_timeout_s`; a child of multiprocessing skips that, so close the client there.

    model_version: of predictions that name none; not needed by who logs outcomes alone.
    max_queue: rows that may wait in memory; more are dropped. A table that finds any room is
        taken whole.
    batch_rows, max_delay_s: a request goes out with so many rows, or when its oldest is so old.
    request_timeout_s: how long one request may take at each of its steps.
    spill_dir: a folder for rows that the queue cannot hold or that are left at the end. They are
        sent later, also by another client of the model with the same folder; one that is killed
        loses only what it had in memory.
    max_spill_bytes: how much that folder may hold.
    compress: pack bodies with gzip where that makes them shorter.
    transport: in place of the network; a forked child shares it with its parent.

    >>> import httpx2
    >>> def server(request):
    ...     return httpx2.Response(202, json={"accepted": 1, "quarantined": 0, "reasons": []})
    >>> transport = httpx2.MockTransport(server)
    >>> with Client("http://tocsin", model="m", model_version="3", transport=transport) as client:
    ...     prediction_id = client.log_prediction({"distance": 733}, {"probability_late": 0.7})
    ...     client.log_outcome(prediction_id, 1)
    ...     client.flush()
    True
    """

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Send what waits now; True when the server has acknowledged all of it.

        False at the deadline, or when rows were rejected or dropped since the last flush that
        reached the end of the queue; `stats` says which.
        """
        return self._delivery.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what waits until the deadline; spill or drop the rest, drop all that comes later."""
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
