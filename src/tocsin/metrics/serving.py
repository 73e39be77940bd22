"""Numbers of how a model was served, which are of requests and not of profiles."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tocsin.metrics.intervals import wilson
from tocsin.metrics.latency import latency_quantile
from tocsin.metrics.measured import Measured
from tocsin.metrics.metric import Metric, table
from tocsin.profiles import Profile
from tocsin.values import SECOND, Bounded, Measure, Undefined

NOT_HEARD = Undefined("no process that serves the model was heard of")
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, eq=False)
class Served:
    """What all processes together did.

    latencies: (LATENCY_BINS,) requests by bin. counts: by the names in `COUNTS`. span:
    microseconds over which it was done.
    """

    latencies: NDArray[np.int64]
    counts: Mapping[str, int]
    span: int


def error_rate(served: Served) -> Measure:
    """The share of requests that failed through no fault of whoever sent them, Wilson's interval.

    >>> latencies = np.zeros(1, int)
    >>> counts = {"requests": 12, "client_errors": 2, "server_errors": 1, "timeouts": 1}
    >>> error_rate(Served(latencies, counts, SECOND)).value
    0.2
    """
    counts = served.counts
    n = counts["requests"] - counts["client_errors"]
    if n <= 0:
        return Undefined("no requests", 0)
    failed = counts["server_errors"] + counts["timeouts"]
    low, high = wilson(np.array(float(failed)), np.array(float(n)))
    return Bounded(failed / n, low=float(low), high=float(high), n=n)


def requests_per_second(served: Served) -> Measure:
    """Requests over the span; where processes were up, none at all is a number too."""
    n = served.counts["requests"]
    # Of how many requests it is known must not keep a rule from seeing that there are none.
    return Bounded(n / (served.span / SECOND), n=max(n, 1))


def _latency(served: Served, *, share: float) -> Measure:
    return latency_quantile(served.latencies, share)


_Measuring = Callable[[Served], Measure]
_MEASURED: Mapping[str, _Measuring] = {
    **{f"latency_{name}": partial(_latency, share=share) for name, share in QUANTILES.items()},
    "error_rate": error_rate,
    "requests_per_second": requests_per_second,
}


def served_measure(name: str, served: Served) -> Measure:
    """The number of this name, of `SERVING`."""
    return _MEASURED[name](served)


def _of_no_profile(_: Profile) -> Measured:
    raise AssertionError("numbers of serving are measured on requests, not on profiles")


# As rules know them: how they are called, and where a change is bad.
SERVING = table(
    *(
        Metric(
            f"latency_{name}",
            f"Latency, {name}",
            _of_no_profile,
            higher_is_better=False,
            needs_labels=False,
            unit="seconds",
        )
        for name in QUANTILES
    ),
    Metric("error_rate", "Error rate", _of_no_profile, higher_is_better=False, needs_labels=False),
    Metric(
        "requests_per_second",
        "Requests per second",
        _of_no_profile,
        higher_is_better=None,
        needs_labels=False,
        unit="number",
    ),
)
