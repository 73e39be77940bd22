"""What the peers' scripts share: the frames they start from, the clock, the report.

It runs in the peers' own environments, so it imports neither Tocsin nor the benchmarks.
"""

import json
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

PREFIX = "input_"
# As in benchmarks/timing.py, for the same reason.
BRIEF_S = 15.0


def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The reference and the predictions, each row with its label, features by the same names.

    The files are named on the command line: reference, predictions, outcomes.
    """
    reference, predictions, outcomes = (pd.read_parquet(file) for file in sys.argv[1:4])
    # Outcomes lie in the order of time: the last of an id is the one that counts.
    truth = outcomes.drop_duplicates("prediction_id", keep="last").set_index("prediction_id")
    predictions["label"] = predictions.pop("prediction_id").map(truth["label"])
    for frame in (reference, predictions):
        frame["timestamp"] = frame["timestamp"].dt.tz_localize(None)
    predictions = predictions.drop(columns="model_version")
    return reference, predictions.rename(columns=lambda name: name.removeprefix(PREFIX))


def features(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The names of the numeric features and of the categorical ones."""
    names = [name for name in frame.columns if name[1:].isdigit()]
    return [n for n in names if n[0] == "x"], [n for n in names if n[0] == "c"]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """The median of the seconds it takes, and what it made.

    The last word of the command line says how often to try; what is long is tried once.
    """
    repeats = int(sys.argv[4])
    taken: list[float] = []
    while not taken or (taken[0] < BRIEF_S and len(taken) < repeats):
        begin = time.perf_counter()
        made = work()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken), made


def report(version: str, seconds: dict[str, float]) -> None:
    """Print the last line of the output."""
    print(json.dumps({"version": version, "seconds": seconds, "peak_mb": peak_mb()}))


def peak_mb() -> int:
    """The most memory that this process had."""
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux, getrusage would begin with what the parent had before it started us.
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found[1]) // 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20
