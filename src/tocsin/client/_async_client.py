"""The asyncio twin of the client."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from tocsin.client._prediction_log import PredictionLog

Answer = TypeVar("Answer")


class AsyncClient(PredictionLog):
    """A `Client` for asyncio: the same options, thread and books.

    Logging is not awaited, since it never waits. What waits for the server is: `await flush()`,
    `await aclose()`, and the end of `async with`.

    >>> import httpx2
    >>> def server(request):
    ...     return httpx2.Response(202, json={"accepted": 1, "quarantined": 0, "reasons": []})
    >>> transport = httpx2.MockTransport(server)
    >>> async def serve():
    ...     async with AsyncClient(
    ...         "http://tocsin", model="m", model_version="3", transport=transport
    ...     ) as client:
    ...         client.log_prediction({"distance": 733}, {"probability_late": 0.7})
    ...         return await client.flush()
    >>> asyncio.run(serve())
    True
    """

    async def flush(self, timeout_s: float = 30.0) -> bool:
        """Send what waits now; True when the server has acknowledged all of it, as `Client`."""
        return await _awaited(lambda: self._delivery.flush(timeout_s))

    async def aclose(self, timeout_s: float = 5.0) -> None:
        """Send what waits until the deadline; spill or drop the rest, drop all that comes later."""
        await _awaited(lambda: self._delivery.close(timeout_s))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


async def _awaited(wait: Callable[[], Answer]) -> Answer:
    """What a call returns that waits, without the loop waiting.

    Not in the loop's own threads: those are joined when it ends, even after a cancelled flush.
    """
    answer: Future[Answer] = Future()

    def run() -> None:
        answer.set_running_or_notify_cancel()
        try:
            answer.set_result(wait())
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
            answer.set_exception(error)

    threading.Thread(target=run, name="tocsin-client-wait", daemon=True).start()
    return await asyncio.wrap_future(answer)
