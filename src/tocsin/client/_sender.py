"""What the worker does with a batch: write it as JSON, send it until it is settled."""

import random
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import httpx2

from tocsin.client._log import Warnings, logger
from tocsin.client._queue import RowQueue
from tocsin.client._rows import Row
from tocsin.client._transport import Accepted, Refused, TryAgain, backoff_s, post
from tocsin.client._wire import encode_batch, encode_row


def user_agent() -> str:
    """`tocsin/<version>`, from the installed package: tocsin itself imports this module."""
    try:
        return f"tocsin/{version('tocsin')}"
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "tocsin/unknown"


class Sender:
    """Empties a queue into a server, one batch after the other, in order.

    pause: rests that many seconds; False when the client was closed meanwhile.
    draw: uniform in [0, 1).
    """

    def __init__(
        self,
        queue: RowQueue,
        warnings: Warnings,
        url: str,
        open_http: Callable[[], httpx2.Client],
        pause: Callable[[float], bool] | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._queue = queue
        self._warnings = warnings
        self._url = url
        self._open_http = open_http
        self._http: httpx2.Client | None = None
        self._pause = pause or queue.pause
        self._draw = draw

    def run(self) -> None:
        """Deliver until the queue is stopped, whatever happens to a batch."""
        while batch := self._queue.take():
            self.deliver(batch)
        if self._http is not None:
            self._http.close()

    def deliver(self, batch: list[Row]) -> None:
        """Settle every row of a batch that was taken; never raises."""
        try:
            self._send(batch)
        except Exception as error:  # noqa: BLE001 - a thread of ours must not fail its host
            reason = f"{type(error).__name__}: {error}"
            left = self._queue.abandon(reason)
            self._warnings.warn("worker", f"{left} row(s) rejected by a fault in the SDK: {reason}")
            logger.debug("the fault in the SDK", exc_info=error)

    def _send(self, batch: list[Row]) -> None:
        encoded = [body for row in batch if (body := self._encoded(row)) is not None]
        if not encoded:
            return
        if self._http is None:
            self._http = self._open_http()
        body, url = encode_batch(encoded), f"{self._url}/{batch[0].kind}"
        attempt = 0
        while isinstance(answer := post(self._http, url, body), TryAgain):
            self._queue.note_error(answer.reason)
            self._warnings.warn("away", f"no rows to {url}, trying again: {answer.reason}")
            rest_s = answer.after_s
            if not self._pause(backoff_s(attempt, self._draw()) if rest_s is None else rest_s):
                self._queue.drop_batch()
                return
            attempt += 1
        self._settle(answer, len(encoded))

    def _encoded(self, row: Row) -> bytes | None:
        try:
            return encode_row(row)
        except Exception as error:  # noqa: BLE001 - the host's values may raise anything when read
            self._queue.settle(rejected=1, error=str(error))
            self._warnings.warn("rejected", f"a row cannot be sent: {error}")
            return None

    def _settle(self, answer: Accepted | Refused, rows: int) -> None:
        if self._warnings.resolve("away"):
            logger.info("%s answers again", self._url)
        if isinstance(answer, Refused):
            self._queue.settle(rejected=rows, error=answer.reason)
            self._warnings.warn("refused", f"{rows} row(s) refused by the server: {answer.reason}")
            return
        self._queue.settle(sent=rows, quarantined=answer.quarantined)
        if answer.quarantined:
            why = "; ".join(answer.reasons[:3])
            self._warnings.warn("quarantined", f"{answer.quarantined} row(s) quarantined: {why}")
