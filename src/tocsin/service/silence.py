"""Whether a model's predictions have stopped coming, and up to when nothing came."""

from collections.abc import Sequence
from itertools import pairwise

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, parse_monitor
from tocsin.quality import Freshness, freshness
from tocsin.records import models, profiles
from tocsin.records.models import ModelRecord
from tocsin.values import DAY, MINUTE, Window, WindowSpec

# How far back gaps are looked for.
_GAPS_OF = 14 * DAY
# How often models are looked at that nothing comes for.
_EVERY = MINUTE
# Nobody looks at the clock for so long but after a sleep, or when it was put forward.
_NAP = 10 * MINUTE
# Windows without rows are evaluated one after the other, but not for ever.
_MOST_EMPTY = 48


def freshness_of(
    connection: Connection, record: ModelRecord, monitor: Monitor, now: int
) -> Freshness:
    """How long ago the newest prediction was made, and whether that is too long."""
    newest = record.newest_event
    buckets: list[int] = []
    if newest is not None:
        after = newest - _GAPS_OF
        buckets = profiles.bucket_starts(connection, record.id, record.plan, after=after)
    return _freshness(record, monitor, newest, buckets, now)


def _freshness(
    record: ModelRecord, monitor: Monitor, newest: int | None, buckets: Sequence[int], now: int
) -> Freshness:
    return freshness(
        newest,
        now=now,
        since=record.created_at,
        buckets=buckets,
        granularity=monitor.granularity,
        declared=monitor.quality.freshness,
    )


def gaps(
    connection: Connection, record: ModelRecord, monitor: Monitor, *, since: int, until: int
) -> list[tuple[int, int]]:
    """(start of the last bucket before, start of the first after) of gaps longer than usual.

    Those that ended in (since, until], all microseconds: rows came again before anybody noticed
    that they had stopped, or nobody watched meanwhile. None in rows of before the model was added.
    """
    after = since - _GAPS_OF
    starts = profiles.bucket_starts(connection, record.id, record.plan, after=after)
    found = []
    for i, (before, start) in enumerate(pairwise(starts)):
        if not since < start <= until or before < record.created_at:
            continue
        # Nearly all buckets follow each other: no window fits between them.
        if start - before <= monitor.granularity:
            continue
        # As if somebody had looked just before rows came again.
        if _freshness(record, monitor, before, starts[: i + 1], now=start).stale:
            found.append((before + monitor.granularity - 1, start))
    return found


class Silence:
    """Looks for models whose predictions stay away, by the wall clock.

    That clock may jump, and this program may have slept: rows of that time can be on their way. So
    nothing is said of a model before it was watched for the length of a bucket.
    """

    def __init__(self) -> None:
        self._looked_at = 0
        self._seen_at = 0
        self._awake_since: int | None = None
        self._silent: frozenset[str] = frozenset()

    def waiting(self, connection: Connection, now: int) -> frozenset[str]:
        """The models with windows in which nothing came, as far as they were not evaluated."""
        if self._awake_since is None or not 0 <= now - self._seen_at < _NAP:
            self._awake_since = now
        self._seen_at = now
        if now - self._looked_at >= _EVERY or now < self._looked_at:
            self._looked_at = now
            self._silent = frozenset(
                record.name
                for record in models.all_models(connection)
                if self._is_due(connection, record, now)
            )
        return self._silent

    def until(
        self, connection: Connection, record: ModelRecord, monitor: Monitor, now: int
    ) -> int | None:
        """Up to when it is known that nothing came; None unless predictions have stopped coming."""
        self._silent -= {record.name}
        if self._awake_since is None or now - self._awake_since < monitor.granularity:
            return None
        stale = freshness_of(connection, record, monitor, now).stale
        return now - monitor.lateness if stale else None

    def _is_due(self, connection: Connection, record: ModelRecord, now: int) -> bool:
        if record.newest_event is None or record.evaluated_until is None:
            return False
        # Cheap first: most models have rows that are younger than a bucket.
        monitor = parse_monitor(record.name, record.monitor)
        if now - record.newest_event < monitor.granularity:
            return False
        until, since = now - monitor.lateness, record.evaluated_until
        if not any(_closes(spec, record.newest_event, since, until) for spec in monitor.windows):
            return False
        return self.until(connection, record, monitor, now) is not None


def _closes(spec: WindowSpec, newest: int, since: int, until: int) -> bool:
    """Whether a window closed in (since, until], with rows or among the first without."""
    last = min(until, _last_end(spec, newest))
    return last // spec.every > since // spec.every


def _last_end(spec: WindowSpec, newest: int) -> int:
    """The end of the last window without rows that is evaluated."""
    return _first_end(spec, newest) + (_MOST_EMPTY - 1) * spec.every


def _first_end(spec: WindowSpec, newest: int) -> int:
    """The end of the first window that begins after the newest row."""
    return (newest // spec.every + 1) * spec.every + spec.size


def empty_windows(spec: WindowSpec, newest: int, since: int, until: int) -> list[Window]:
    """The windows without any row that closed in (since, until].

    newest: time of the newest row. All in microseconds.

    >>> empty_windows(WindowSpec(10, 10), newest=25, since=30, until=52)
    [Window(start=30, end=40), Window(start=40, end=50)]
    """
    last = min(until, _last_end(spec, newest))
    begin = max(_first_end(spec, newest), (since // spec.every + 1) * spec.every)
    return [Window(end - spec.size, end) for end in range(begin, last + 1, spec.every)]
