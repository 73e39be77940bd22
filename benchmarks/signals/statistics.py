"""Statistics of drift beside those of Evidently on the same rows: the natural summer of flights."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.peer import Peer
from benchmarks.signals.packages import CACHE
from benchmarks.signals.streams import flights_2013
from tocsin.drift import feature_pair, statistic
from tocsin.profiles import NumericBins, Profile

TITLE = """Statistics of drift, New York flights of July against January to April

Ours come from bins and are less what sampling gives on average; error: how much further apart the
rows may be than their bins. Evidently's Jensen-Shannon distance has natural logarithms: the column
has it divided by the root of ln 2."""
HEADER = ("column", "statistic", "Evidently", "ours", "error", "difference")
NUMBERS, CATEGORIES = ("distance", "temp", "humidity", "pressure"), ("carrier", "origin", "weekday")
PEER = Peer("Evidently", "evidently_statistics.py", "evidently.txt")
_SCALE = {"jensenshannon": float(np.sqrt(np.log(2)))}


def rows(chosen: Sequence[str]) -> list[tuple[str, ...]]:
    """The table. Raises: PeerError."""
    if "flights" not in chosen:
        return []
    stream = flights_2013()
    _, reference, stack = stream.profiles()
    # The tenth week is in July.
    table, window = stream.windows[9], Profile(stack.plan, stack.vector[9])
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        files = [Path(folder) / f"{name}.parquet" for name in ("before", "now")]
        for file, part in zip(files, (stream.reference, table), strict=True):
            part[[*NUMBERS, *CATEGORIES]].to_parquet(file, index=False)
        theirs = PEER.said(CACHE, *files, ",".join(NUMBERS), ",".join(CATEGORIES))["found"]
    return [_row(key, value, reference, window) for key, value in theirs.items()]


def _row(key: str, value: float, reference: Profile, window: Profile) -> tuple[str, ...]:
    column, method = key.split("/")
    pair = feature_pair(reference.feature(column), window.feature(column))
    found = statistic(method).apart(pair)
    assert isinstance(window.plan.bins(column), NumericBins) == (column in NUMBERS)
    ours, theirs = float(found.value), value / _SCALE.get(method, 1.0)
    return (
        column, statistic(method).name, f"{theirs:.4f}", f"{ours:.4f}", f"{float(found.error):.4f}",
        f"{ours - theirs:+.4f}",
    )  # fmt: skip
