"""What the worker does with a batch: write it as JSON, send it until it is settled."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import httpx2

from tocsin.client._body import Body, body_of, compressed
from tocsin.client._books import Fate
from tocsin.client._log import Warnings, logger, told
from tocsin.client._overflow import Overflow
from tocsin.client._queue import Batch, RowQueue, Woken
from tocsin.client._spill_file import SpillFile
from tocsin.client._transport import (
    MOST_FAULTS,
    Accepted,
    Answer,
    Refused,
    TryAgain,
    backoff_s,
    post,
)

DROPPED_HEADER = "Tocsin-Dropped"
# How many other batches are sent to learn whether a server fails at one only.
_OTHERS = 3


def user_agent() -> str:
    """`tocsin/<version>`, from the installed package: tocsin itself imports this module."""
    try:
        return f"tocsin/{version('tocsin')}"
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "tocsin/unknown"


@dataclass(frozen=True)
class Route:
    """Where bodies go, and how.

    url: of the model, without the last part that names the kind.
    """

    url: str
    open_http: Callable[[], httpx2.Client]
    compress: bool = False


class Sender:
    """Empties a queue, and the disk, into a server, one batch after the other, in order.

    draw: uniform in [0, 1).
    """

    def __init__(
        self,
        queue: RowQueue,
        warnings: Warnings,
        route: Route,
        overflow: Overflow | None = None,
        draw: Callable[[], float] = random.random,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._warnings = warnings
        self._route = route
        self._overflow = overflow
        self._http: httpx2.Client | None = None
        self._draw = draw
        self._now = now

    def run(self) -> None:
        """Deliver until the queue is stopped, whatever happens to a batch."""
        while not self._queue.stopped:
            self.step()
        if self._http is not None:
            self._http.close()

    def send_waiting(self, until: float) -> None:
        """Send what waits, each batch once, until one is not taken or the time is over.

        For the thread of a caller, where none of ours can be had.
        """
        try:
            while self._now() < until and (batch := self._queue.take_waiting()) is not None:
                body, misfits = body_of(batch)
                answer = self._posted(body) if body.rows else None
                if isinstance(answer, TryAgain):
                    self._queue.note_error(answer.reason)
                    self._queue.put_back(batch)
                    return
                fate = Fate() if answer is None else self._fate(answer, body.rows)
                self._queue.settle(batch, misfits.joined(fate))
        finally:
            if self._http is not None:
                self._http.close()

    def step(self) -> None:
        """Deliver the oldest of what waits, on disk first; wait for it where there is nothing."""
        if self._overflow is None:
            batch = self._queue.take()
        else:
            self._overflow.relieve()
            file = None if self._queue.leaving else self._overflow.oldest()
            if file is not None:
                self.deliver_file(self._overflow, file)
                return
            batch = self._queue.take(self._overflow.look_again_s)
        if batch is not None:
            self.deliver(batch)

    def deliver(self, batch: Batch) -> None:
        """Settle every row of a batch that was taken; never raises."""
        try:
            self._send(batch)
        except Exception as error:  # noqa: BLE001 - a thread of ours must not fail its host
            reason = f"{type(error).__name__}: {told(error)}"
            self._queue.settle(batch, Fate(rejected=batch.rows, error=reason))
            self._fault(batch.rows, reason, error)

    def deliver_file(self, overflow: Overflow, file: SpillFile) -> None:
        """Settle the rows of a file; never raises."""
        try:
            body = overflow.body(file)
            if body is not None and (answer := self._answer(body, file)) is not None:
                fate = self._fate(answer, body.rows)
                if isinstance(answer, Refused) and answer.fault:
                    overflow.set_aside(file, fate)
                else:
                    overflow.settle(file, fate)
        except Exception as error:  # noqa: BLE001 - a thread of ours must not fail its host
            reason = f"{type(error).__name__}: {told(error)}"
            overflow.settle(file, Fate(rejected=file.rows, error=reason))
            self._fault(file.rows, reason, error)

    def _fault(self, rows: int, reason: str, error: Exception) -> None:
        self._warnings.warn("worker", f"{rows} row(s) rejected by a fault in the SDK: {reason}")
        logger.debug("the fault in the SDK", exc_info=error)

    def _send(self, batch: Batch) -> None:
        body, misfits = body_of(batch)
        if misfits.rows:
            self._warnings.warn("rejected", f"a row cannot be sent: {misfits.error}")
        fate = Fate()
        if body.rows:
            answer = self._answer(compressed(body) if self._route.compress else body)
            fate = Fate(dropped=body.rows) if answer is None else self._fate(answer, body.rows)
        self._queue.settle(batch, misfits.joined(fate))

    def _posted(self, body: Body, **headers: str) -> Answer:
        """The answer to a body that is sent once."""
        if self._http is None:
            self._http = self._route.open_http()
        url = f"{self._route.url}/{body.kind}"
        return post(self._http, url, body.content, body.headers | headers)

    def _answer(self, body: Body, file: SpillFile | None = None) -> Accepted | Refused | None:
        """The answer that settles a body; None when the client closes before there is one.

        file: that it lies in.
        """
        attempt = faults = 0
        others_taken = False
        while True:
            untold = self._queue.dropped_untold
            dropped = {DROPPED_HEADER: str(untold)} if untold else {}
            answer = self._posted(body, **dropped)
            if not isinstance(answer, TryAgain):
                break
            faults = faults + 1 if answer.fault else 0
            if others_taken and answer.fault:
                return Refused(f"the server failed {faults} times: {answer.reason}", fault=True)
            if faults >= MOST_FAULTS and (others_taken := self._takes_others(file)):
                continue  # once more, as it may have been mended just now
            self._queue.note_error(answer.reason)
            self._warnings.warn(
                "away", f"no rows to {self._route.url}, trying again: {answer.reason}"
            )
            rest_s = answer.after_s
            if not self._rested(backoff_s(attempt, self._draw()) if rest_s is None else rest_s):
                return None
            attempt += 1
        if self._warnings.resolve("away"):
            logger.info("%s answers again", self._route.url)
        if untold and isinstance(answer, Accepted):
            self._queue.told_of_dropped(untold)
            self._warnings.warn("told", f"{untold} row(s) were dropped here; the server was told")
        return answer

    def _takes_others(self, file: SpillFile | None) -> bool:
        """Whether the server takes rows that wait behind those that it fails at."""
        left: list[Batch] = []
        try:
            while len(left) < _OTHERS and (batch := self._queue.take_waiting()) is not None:
                left.append(batch)
                body, misfits = body_of(batch)
                answer = self._posted(body) if body.rows else None
                if isinstance(answer, TryAgain):
                    continue
                fate = Fate() if answer is None else self._fate(answer, body.rows)
                self._queue.settle(left.pop(), misfits.joined(fate))
                if isinstance(answer, Accepted):
                    return True
        finally:
            for batch in reversed(left):
                self._queue.put_back(batch)
        return file is not None and self._takes_other_file(file)

    def _takes_other_file(self, file: SpillFile) -> bool:
        other = None if self._overflow is None else self._overflow.newest()
        if self._overflow is None or other is None or other == file:
            return False
        body = self._overflow.body(other)
        answer = None if body is None else self._posted(body)
        if body is None or not isinstance(answer, Accepted):
            return False
        self._overflow.settle(other, self._fate(answer, body.rows))
        return True

    def _rested(self, seconds: float) -> bool:
        """Rest, and move rows to the disk meanwhile if the queue fills; False when it is over."""
        until = self._now() + seconds
        relieving = self._overflow is not None
        while True:
            woken = self._queue.rest(max(0.0, until - self._now()), until_crowded=relieving)
            if woken is not Woken.CROWDED:
                return woken is Woken.RESTED
            relieving = self._overflow is not None and self._overflow.relieve()

    def _fate(self, answer: Accepted | Refused, rows: int) -> Fate:
        if isinstance(answer, Refused):
            self._warnings.warn("refused", f"{rows} row(s) refused by the server: {answer.reason}")
            return Fate(rejected=rows, error=answer.reason)
        if answer.quarantined:
            why = "; ".join(answer.reasons[:3])
            self._warnings.warn("quarantined", f"{answer.quarantined} row(s) quarantined: {why}")
        return Fate(sent=rows, quarantined=answer.quarantined)
