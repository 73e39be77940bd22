"""What a receiver takes now: so many messages a second, and none for a while after failures."""

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.errors import DeliveryError
from tocsin.values import MINUTE, SECOND

FAILURES = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 30 * SECOND, 10 * MINUTE


@dataclass(frozen=True)
class Rate:
    """Messages a second in the long run, and at once."""

    per_s: float
    burst: float


# What the providers allow, with some left for others: Slack takes one a second in a channel.
RATES = {
    "slack": Rate(1, 5),
    "teams": Rate(2, 4),
    "pagerduty": Rate(2, 20),
    "email": Rate(5, 50),
    "webhook": Rate(20, 100),
    "alertmanager": Rate(50, 500),
    "apprise": Rate(1, 5),
}
_UNLIMITED = Rate(1e6, 1e6)


@dataclass
class _Gate:
    """tokens: as of `at`. failures: in a row. open_until: nothing is sent before."""

    tokens: float
    at: int
    failures: int = 0
    pause: int = 0
    open_until: int = 0
    busy: int = 0


class Gates:
    """A gate for each receiver, in memory: a process that starts tries everybody. Not thread-safe.

    One message at a time goes through a gate, so that one that hangs keeps the others' threads
    free, and only one message finds out whether a receiver is well again.
    """

    def __init__(self) -> None:
        self._gates: dict[str, _Gate] = {}

    def shut(self, receivers: Iterable[tuple[str, str]], now: int) -> set[str]:
        """Those of the receivers (name, kind) that take nothing now."""
        return {name for name, kind in receivers if not self._free(name, kind, now)}

    def is_broken(self, name: str) -> bool:
        """Whether a receiver failed so often that it is only tried now and then."""
        gate = self._gates.get(name)
        return gate is not None and gate.failures >= FAILURES

    def enter(self, name: str, kind: str, now: int) -> None:
        """A message is on its way."""
        gate = self._filled(name, kind, now)
        gate.tokens -= 1
        gate.busy += 1

    def leave(self, name: str, error: DeliveryError | None, now: int) -> None:
        """It was taken, or not: `permanent` errors are of the message, not of the receiver."""
        gate = self._gates[name]
        gate.busy -= 1
        if error is None:
            gate.failures = gate.pause = gate.open_until = 0
        elif error.retry_after_s is not None:
            gate.open_until = now + round(error.retry_after_s * SECOND)
        elif not error.permanent:
            gate.failures += 1
            if gate.failures >= FAILURES:
                gate.pause = min(2 * gate.pause, _LONGEST_PAUSE) or _FIRST_PAUSE
                gate.open_until = now + gate.pause

    def _free(self, name: str, kind: str, now: int) -> bool:
        gate = self._filled(name, kind, now)
        return gate.busy == 0 and gate.tokens >= 1 and now >= gate.open_until

    def _filled(self, name: str, kind: str, now: int) -> _Gate:
        rate = RATES.get(kind, _UNLIMITED)
        gate = self._gates.setdefault(name, _Gate(rate.burst, now))
        since_s = max(0, now - gate.at) / SECOND
        gate.tokens = min(rate.burst, gate.tokens + since_s * rate.per_s)
        gate.at = max(now, gate.at)
        return gate
