"""Send what waits in the outbox: claimed, tried, retried, or given up with the reason."""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.errors import DeliveryError
from tocsin.notify import Message, Outside, Receipt, sender
from tocsin.notify.told import BY_KEY, alerts_of, begins
from tocsin.records import Records, endings, letters, outbox
from tocsin.records.outbox import Claim, DeliveryState, Ended, Receiver
from tocsin.service.clock import Clock
from tocsin.service.collapse import collapsed
from tocsin.service.fall_back import fall_back
from tocsin.service.gates import Gates
from tocsin.service.gone import disable
from tocsin.values import MINUTE, SECOND

LEASE = MINUTE
# How many receivers may be slow at the same time without others noticing.
THREADS = 6
_FIRST_DELAY, _LONGEST_DELAY = 2 * SECOND, 15 * MINUTE
_SWEEP_EVERY = SECOND

_log = logging.getLogger(__name__)
_Way = tuple[Claim, Receiver | None, Mapping[str, str] | None]


class Deliver:
    """Sends messages: one in the caller's thread, or as many as there are threads beside it."""

    def __init__(
        self,
        records: Records,
        clock: Clock,
        outside: Outside,
        jitter: Callable[[], float] = random.random,
        picture: Callable[[dict[str, Any]], bytes | None] = lambda _: None,
        lease: int = LEASE,
    ) -> None:
        """lease: longer than any receiver is waited for, microseconds."""
        self._records = records
        self._clock = clock
        self._outside = outside
        self._jitter = jitter
        self._picture = picture
        self._lease = lease
        self._gates = Gates()
        # Of the gates and the counts; a claim and its gate are one step.
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._slots = threading.Semaphore(THREADS)
        self._pool: ThreadPoolExecutor | None = None
        self._swept_at = 0

    def deliver(self) -> bool:
        """Send the oldest message that is due; False when there was none."""
        self._sweep()
        way = self._next()
        if way is not None:
            self._send(way)
        return way is not None

    def dispatch(self) -> bool:
        """Begin to send what is due, as far as there are threads; False when there was nothing."""
        self._pool = self._pool or ThreadPoolExecutor(THREADS, thread_name_prefix="tocsin-send")
        self._sweep()
        begun = False
        while self._slots.acquire(blocking=False):
            way = None
            try:
                way = self._next()
            finally:
                if way is None:
                    self._slots.release()
            if way is None:
                break
            self._pool.submit(self._send_beside, way)
            begun = True
        return begun

    def close(self) -> None:
        """Wait for what is being sent."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """How many tries ended how since the start, by receiver and outcome."""
        with self._lock:
            return dict(self._counts)

    def _sweep(self) -> None:
        """Now and then: tell others of what is not taken, and give up what waited too long."""
        now = self._clock()
        if abs(now - self._swept_at) < _SWEEP_EVERY:
            return
        self._swept_at = now
        fall_back(self._records, now)
        with self._records.read() as connection:
            overdue = letters.overdue(connection, now=now)
            untidy = endings.is_untidy(connection)
        if untidy:
            with self._records.write() as connection:
                endings.tidy(connection)
        for name in overdue:
            # Only where it was tried since the start: who was away for days begins anew.
            if self._gates.is_broken(name):
                with self._records.write() as connection:
                    given_up = letters.expire(connection, name, now=now)
                self._counted(name, DeliveryState.DEAD, given_up)

    def _next(self) -> _Way | None:
        """A message that is now ours to send, and its gate entered."""
        with self._lock, self._records.write() as connection:
            now = self._clock()
            receivers = {r.name: r for r in outbox.all_receivers(connection)}
            shut = self._gates.shut(((r.name, r.kind) for r in receivers.values()), now)
            while True:
                claimed = outbox.claim(connection, now=now, lease=self._lease, without=shut)
                if claimed is None:
                    return None
                receiver = receivers.get(claimed.receiver)
                if receiver is not None and receiver.disabled is not None:
                    gone = Ended(DeliveryState.CANCELLED, error=_disabled(receiver))
                    outbox.finish(connection, claimed, gone, now=now)
                    continue
                if not _is_said_later(connection, claimed, receiver, now):
                    break
            self._gates.enter(claimed.receiver, receiver.kind if receiver else "", now)
            return claimed, receiver, outbox.thread(connection, claimed.order_key)

    def _send_beside(self, way: _Way) -> None:
        try:
            self._send(way)
        except Exception:  # noqa: BLE001 - the thread's entry point: the lease ends, and it is tried again
            _log.exception("%s could not be recorded", way[0].message_id)
        finally:
            self._slots.release()

    def _send(self, way: _Way) -> None:
        claimed, receiver, thread = way
        error, receipt = None, Receipt()
        try:
            receipt = self._try(claimed, receiver, thread)
        except DeliveryError as told:
            error = told
        except Exception as fault:  # noqa: BLE001 - ours, or of a library: no message may be lost
            _log.exception("%s for %s failed", claimed.message_id, claimed.receiver)
            error = DeliveryError(f"{type(fault).__name__}: {fault}", permanent=False)
        now = self._clock()
        if receiver is None:
            # It was removed while this was on its way; nobody is to be called for that.
            ended = Ended(DeliveryState.DROPPED, error=str(error))
        elif error is None:
            ended = self._ended(claimed, receipt, now)
        else:
            ended = self._failed(claimed, error, now)
        with self._lock:
            self._gates.leave(claimed.receiver, error, now)
        with self._records.write() as connection:
            mine = outbox.finish(connection, claimed, ended, now=now)
            if mine and error is not None and error.gone and receiver is not None:
                disable(connection, receiver.name, str(error), now=now)
        if mine:
            outcome = "failed" if ended.state is DeliveryState.PENDING else ended.state
            self._counted(claimed.receiver, "failed" if error and ended.due_at else outcome)

    def _try(
        self, claimed: Claim, receiver: Receiver | None, thread: Mapping[str, str] | None
    ) -> Receipt:
        """The receipt of a message. Raises: DeliveryError."""
        if receiver is None:
            raise DeliveryError(
                f"there is no receiver {claimed.receiver!r} any more", permanent=True
            )
        message = Message(
            claimed.message_id,
            claimed.payload,
            self._clock(),
            claimed.target,
            thread,
            self._picture(claimed.payload) if receiver.kind == "email" else None,
            claimed.created_at,
        )
        return sender(receiver.kind, receiver.options, self._outside)(message)

    def _ended(self, claimed: Claim, receipt: Receipt, now: int) -> Ended:
        again = receipt.again_after_s
        since = now - claimed.created_at
        if again is None or (receipt.until_s is not None and since >= receipt.until_s * SECOND):
            return Ended(DeliveryState.DELIVERED, receipt=receipt.thread)
        due_at = now + round(again * SECOND)
        return Ended(DeliveryState.STANDING, due_at=due_at, receipt=receipt.thread)

    def _failed(self, claimed: Claim, error: DeliveryError, now: int) -> Ended:
        given_up = not claimed.standing and now > claimed.expires_at
        if error.permanent or given_up:
            _log.error("gave up on %s for %s: %s", claimed.message_id, claimed.receiver, error)
            return Ended(DeliveryState.DEAD, error=str(error), maybe_taken=error.maybe_taken)
        _log.warning("%s for %s is tried again: %s", claimed.message_id, claimed.receiver, error)
        due_at = now + self._delay(claimed.attempts, error)
        state = DeliveryState.STANDING if claimed.standing else DeliveryState.PENDING
        return Ended(state, due_at=due_at, error=str(error), maybe_taken=error.maybe_taken)

    def _delay(self, attempts: int, error: DeliveryError) -> int:
        if error.retry_after_s is not None:
            return round(error.retry_after_s * SECOND)
        longest = min(_FIRST_DELAY << min(attempts - 1, 20), _LONGEST_DELAY)
        return round(longest * self._jitter())

    def _counted(self, receiver: str, outcome: str, n: int = 1) -> None:
        if n:
            with self._lock:
                self._counts[receiver, str(outcome)] += n


def _disabled(channel: Receiver) -> str:
    """Why nothing is sent, and what to do."""
    return (
        f"{channel.name} is disabled ({channel.disabled}); put it again, or let `tocsin test "
        f"receiver {channel.of}` find that it takes messages, to enable it"
    )


def _is_said_later(
    connection: Connection, claimed: Claim, receiver: Receiver | None, now: int
) -> bool:
    """Whether a message need not be sent: the next one says what holds, or all of it is over."""
    # What may have arrived is not taken back, and a log is read as it was written.
    if claimed.maybe_taken or claimed.standing or claimed.forgets:
        return False
    if receiver is None or receiver.kind == "log":
        return False
    follows = outbox.follower(connection, claimed)
    if follows is None:
        return False
    later_id, later = follows
    by_key = receiver.kind in BY_KEY
    both = collapsed(claimed.payload, later, by_key=by_key, told_other=claimed.told_other)
    if both is None:
        return False
    if both:
        fires = any(begins(alert) for alert in alerts_of(both))
        outbox.supersede(connection, claimed, later_id, both, fires=fires)
        return True
    why = "it was over before it could be sent"
    outbox.finish(connection, claimed, Ended(DeliveryState.CANCELLED, error=why), now=now)
    outbox.cancel(connection, later_id, why)
    return True
