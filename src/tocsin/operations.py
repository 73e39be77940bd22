"""What serving costs: counts of a process over some seconds, which add up over time and processes.

Latencies are counted in fixed bins, the same everywhere and forever, so that counts can be added:
bin i holds [EDGES_S[i - 1], EDGES_S[i]) seconds, bin 0 what is below the first edge, the last bin
what is above the last. Edges grow by 10 ** (1 / 20), from 0.1 ms to 100 s: the value of a quantile
is known to 12 %.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.values import isoformat

BINS_A_DECADE = 20
EDGES_S = tuple(10 ** (-4 + i / BINS_A_DECADE) for i in range(6 * BINS_A_DECADE + 1))
LATENCY_BINS = len(EDGES_S) + 1

# What is counted beside latencies, in the order in which it is stored: append, never reorder.
# Times are microseconds; `serving_us` is how long processes were up, added over processes.
COUNTS = (
    "requests",
    "rows",
    "client_errors",
    "server_errors",
    "timeouts",
    "captured",
    "dropped",
    "sampled_out",
    "unreadable",
    "cpu_us",
    "serving_us",
)


@dataclass(frozen=True)
class Summary:
    """What one process did for one version of a model from `start` until `end`, event times.

    process, sequence: tell it from all others, so that it counts once however often it is sent.
    counts: by the names in `COUNTS`. latencies: requests by number of bin, none where there is no
    key. rss_bytes: the most memory seen.
    """

    process: str
    sequence: int
    start: int
    end: int
    model_version: str
    counts: Mapping[str, int] = field(default_factory=dict)
    latencies: Mapping[int, int] = field(default_factory=dict)
    rss_bytes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The summary as it is posted."""
        return {
            "process": self.process,
            "sequence": self.sequence,
            "from": isoformat(self.start),
            "to": isoformat(self.end),
            "model_version": self.model_version,
            "counts": {name: count for name, count in self.counts.items() if count},
            "latencies": {str(number): count for number, count in self.latencies.items()},
            "rss_bytes": self.rss_bytes,
        }


def latency_bin(seconds: float) -> int:
    """The number of the bin that a latency is counted in.

    >>> latency_bin(0.0), EDGES_S[latency_bin(0.005) - 1] <= 0.005 < EDGES_S[latency_bin(0.005)]
    (0, True)
    >>> latency_bin(1e9) == LATENCY_BINS - 1
    True
    """
    return bisect_right(EDGES_S, seconds)
