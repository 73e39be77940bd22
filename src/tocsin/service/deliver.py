"""Send what waits in the outbox: claimed, tried, retried, or given up with the reason."""

import logging
import random
from collections.abc import Callable

from tocsin.errors import DeliveryError
from tocsin.notify import Message, Outside, sender
from tocsin.records import Records, outbox
from tocsin.records.outbox import Claim, DeliveryState, Receiver
from tocsin.service.clock import Clock
from tocsin.values import HOUR, MINUTE, SECOND

LEASE = MINUTE
_FIRST_DELAY, _LONGEST_DELAY, _GIVE_UP = 2 * SECOND, 15 * MINUTE, 72 * HOUR

_log = logging.getLogger(__name__)


class Deliver:
    """Sends one message at a time."""

    def __init__(
        self,
        records: Records,
        clock: Clock,
        outside: Outside,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._records = records
        self._clock = clock
        self._outside = outside
        self._jitter = jitter

    def deliver(self) -> bool:
        """Send the oldest message that is due; False when there was none."""
        with self._records.write() as connection:
            claimed = outbox.claim(connection, now=self._clock(), lease=LEASE)
            receivers = {r.name: r for r in outbox.all_receivers(connection)}
        if claimed is None:
            return False
        state, due_at, error = self._try(claimed, receivers.get(claimed.receiver))
        with self._records.write() as connection:
            outbox.finish(connection, claimed, state, due_at=due_at, error=error)
        return True

    def _try(
        self, claimed: Claim, receiver: Receiver | None
    ) -> tuple[DeliveryState, int | None, str | None]:
        if receiver is None:
            return DeliveryState.DEAD, None, f"there is no receiver {claimed.receiver!r} any more"
        message = Message(claimed.message_id, claimed.payload, self._clock(), claimed.target)
        try:
            sender(receiver.kind, receiver.options, self._outside)(message)
        except DeliveryError as error:
            now = self._clock()
            if error.permanent or now - claimed.created_at > _GIVE_UP:
                _log.error("gave up on %s for %s: %s", message.id, receiver.name, error)
                return DeliveryState.DEAD, None, str(error)
            _log.warning("%s for %s is tried again: %s", message.id, receiver.name, error)
            return DeliveryState.PENDING, now + self._delay(claimed.attempts, error), str(error)
        return DeliveryState.DELIVERED, None, None

    def _delay(self, attempts: int, error: DeliveryError) -> int:
        if error.retry_after_s is not None:
            return round(error.retry_after_s * SECOND)
        longest = min(_FIRST_DELAY << min(attempts - 1, 20), _LONGEST_DELAY)
        return round(longest * self._jitter())
