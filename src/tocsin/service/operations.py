"""What serving costs: summaries of serving processes in, numbers by window out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tocsin.declared import Prices, parse_monitor
from tocsin.errors import InvalidInputError
from tocsin.metrics import QUANTILES, error_rate, served_measure
from tocsin.operations import COUNTS, LATENCY_BINS, Summary
from tocsin.records import Records, changes, models, operations
from tocsin.records.operations import BUCKET, Cost
from tocsin.service.clock import Clock
from tocsin.service.served import served
from tocsin.values import DAY, HOUR, SECOND, Bounded, Measure, Undefined, Window, format_duration

# Older summaries are not added: by then it may be forgotten which were.
TOO_LATE = 30 * DAY
_AHEAD = HOUR


@dataclass(frozen=True)
class Heard:
    """What became of summaries.

    repeated: were added before. late: are too old to be added. reasons: one for each that says what
    no clock and no counter can say, and is not added.
    """

    added: int
    repeated: int
    late: int
    reasons: tuple[str, ...] = ()

    @property
    def refused(self) -> int:
        """How many cannot be."""
        return len(self.reasons)


@dataclass(frozen=True)
class OperationsPoint:
    """What serving cost in one window, over all processes.

    counts: by the names in `COUNTS`. requests: by version. error_rate: of requests that were not
    answered well, client errors left out. latency: seconds, by `p50`, `p95`, `p99`. per_second:
    requests over the part of the window that has passed. cpu: processors in use per process.
    rss_bytes: of the largest process. complete: whether the window is over. price: of 1,000
    predictions, None where no prices are declared.
    """

    window: Window
    counts: Mapping[str, int]
    versions: Mapping[str, int]
    error_rate: Measure
    latency: Mapping[str, Measure]
    per_second: float
    cpu: float
    rss_bytes: int
    complete: bool
    price: Measure | None = None
    currency: str = ""


class Operations:
    """Adds summaries, each once, and tells what they come to."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def add(self, model: str, summaries: Sequence[Summary]) -> Heard:
        """Add summaries but those that cannot be; they are durable when this returns.

        Raises: UnknownModelError.
        """
        now = self._clock()
        faults = [_fault(number, summary, now) for number, summary in enumerate(summaries)]
        added = repeated = late = 0
        with self._records.write() as connection:
            model_id, document = models.monitor_named(connection, model)
            heard: set[int] = set()
            for summary, fault in zip(summaries, faults, strict=True):
                if fault is not None:
                    continue
                if summary.end < now - TOO_LATE:
                    late += 1
                elif operations.add(connection, model_id, summary):
                    added += 1
                    heard.add(operations.bucket_of(summary))
                else:
                    repeated += 1
            if added:
                changes.announce(connection, f"operations/{model}", now=now)
                monitor = parse_monitor(model, document)
                if any(derived.served for derived in monitor.derived.values()):
                    # Their windows may be closed: rules look at them again.
                    grain = monitor.granularity
                    buckets = {bucket // grain * grain for bucket in heard}
                    models.mark_changed(connection, model_id, buckets)
        return Heard(added, repeated, late, tuple(fault for fault in faults if fault))

    def points(
        self, model: str, *, window: int, span: int, version: str | None = None
    ) -> list[OperationsPoint]:
        """The newest `span` in windows, the oldest first, without those in which nothing was heard.

        version: what it alone cost; all together when None.

        Raises: UnknownModelError; InvalidInputError for windows that buckets do not fill.
        """
        if window < BUCKET or window % BUCKET:
            raise InvalidInputError(
                f"window {format_duration(window)} is not a multiple of {format_duration(BUCKET)}, "
                "by which the costs of serving are added up"
            )
        now = self._clock()
        with self._records.read() as connection:
            model_id, document = models.monitor_named(connection, model)
            prices = parse_monitor(model, document).prices
            newest = operations.newest_bucket(connection, model_id)
            if newest is None:
                return []
            end = newest // window * window + window
            first = (end - max(span, window)) // window * window
            by_window: dict[int, list[Cost]] = {}
            for cost in operations.stored(connection, model_id, first, end):
                if version in (None, cost.version):
                    by_window.setdefault(cost.bucket // window * window, []).append(cost)
        return [
            _point(Window(start, start + window), costs, prices, now)
            for start, costs in by_window.items()
        ]


def _fault(number: int, summary: Summary, now: int) -> str | None:
    """Why a summary cannot be; None where it can."""
    fault = None
    if summary.end <= summary.start:
        fault = "ends before it begins"
    elif summary.end > now + _AHEAD:
        fault = "is ahead of the server's clock by more than an hour"
    elif unknown := summary.counts.keys() - set(COUNTS):
        fault = f"counts {sorted(unknown)[0]!r}; there are {', '.join(COUNTS)}"
    elif any(not 0 <= number < LATENCY_BINS for number in summary.latencies):
        fault = f"has latencies outside the bins 0 to {LATENCY_BINS - 1}"
    return None if fault is None else f"summary {number} {fault}"


def _point(
    window: Window, costs: Sequence[Cost], prices: Prices | None, now: int
) -> OperationsPoint:
    passed = max(SECOND, min(window.end, now) - window.start)
    found = served(costs, passed)
    named = found.counts
    versions: dict[str, int] = {}
    for cost in costs:
        versions[cost.version] = versions.get(cost.version, 0) + cost.count("requests")
    return OperationsPoint(
        window=window,
        counts=named,
        versions={version: n for version, n in versions.items() if n},
        error_rate=error_rate(found),
        latency={name: served_measure(f"latency_{name}", found) for name in QUANTILES},
        per_second=named["requests"] / (passed / SECOND),
        cpu=named["cpu_us"] / named["serving_us"] if named["serving_us"] else 0.0,
        rss_bytes=max(cost.rss_bytes for cost in costs),
        complete=now >= window.end,
        price=None if prices is None else _price(named, prices),
        currency="" if prices is None else prices.currency,
    )


def _price(counts: Mapping[str, int], prices: Prices) -> Measure:
    """What 1,000 predictions were paid with."""
    rows = counts["rows"]
    if rows == 0:
        return Undefined("no predictions", 0)
    hours = prices.process_hour * counts["serving_us"] + prices.cpu_hour * counts["cpu_us"]
    return Bounded(1_000 * (hours / HOUR / rows + prices.prediction), n=rows)
