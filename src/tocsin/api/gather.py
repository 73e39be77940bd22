"""Requests that arrive while others are being stored are stored together."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from starlette.concurrency import run_in_threadpool

from tocsin.errors import TocsinError
from tocsin.service.decoding import Body
from tocsin.service.ingest import Receipt, Request

# One part is decoded while another waits for the disk.
_AT_ONCE = 2
# Bodies of one commit: more would only make the first of them wait.
_MOST_BYTES = 4 * 2**20
# What packed bodies begin with, and how much larger they may be.
_PACKED = (b"\x28\xb5\x2f\xfd", b"PAR1")
_UNPACKED = 20

Accept = Callable[[Sequence[Request]], list[Receipt | TocsinError]]
Waiting = tuple[Request, "asyncio.Future[Receipt]"]


def _weight(body: Body) -> int:
    """How many bytes a body may unpack to, roughly."""
    packed = body.encoding or body.content[:4] in _PACKED or body.content[:2] == b"\x1f\x8b"
    return len(body.content) * (_UNPACKED if packed else 1)


class Gathering:
    """Hands waiting requests over, all that are there at once."""

    def __init__(self, accept_all: Accept) -> None:
        self._accept_all = accept_all
        self._waiting: deque[Waiting] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, request: Request) -> Receipt:
        """The receipt of a request, once its rows are durable. Raises: TocsinError."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if len(self._tasks) < _AT_ONCE:
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _run(self) -> None:
        while self._waiting:
            taken = self._taken()
            try:
                answers = await run_in_threadpool(self._accept_all, [r for r, _ in taken])
            except Exception as error:  # noqa: BLE001 - told to every request that waits for it
                for _, future in taken:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(taken, answers, strict=True):
                if future.done():
                    continue  # its client went away; the rows are stored all the same
                if isinstance(answer, TocsinError):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

    def _taken(self) -> list[Waiting]:
        """The requests of the next commit, at least one."""
        taken: list[Waiting] = []
        size = 0
        while self._waiting and (not taken or size < _MOST_BYTES):
            taken.append(self._waiting.popleft())
            size += _weight(taken[-1][0].body)
        return taken
