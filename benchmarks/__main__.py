"""Prints one table of ratios: `make bench`, with `BENCH_ARGS="--quick"` for a tenth of the rows."""

import argparse
import os
import platform
import resource
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks import ours, table
from benchmarks.bench import Bench
from benchmarks.comparisons import COMPARISONS
from benchmarks.peer import PeerError

CACHE = Path(__file__).parents[1] / ".bench"
NOTES = """
ratio = other s / Tocsin s. Medians of three where the first run takes less than 15 s, else that
one run, which may be off by a factor of two on a busy machine.

The comparisons are of a user's task, not of equal arithmetic. Tocsin counts into bins that it
froze from the reference, and states the error that this brings. The peers do more or other work:
Evidently's default is a distance over all values, NannyML adds sampling errors and thresholds,
whylogs keeps sketches of quantiles and of distinct values. CBPE, NannyML's estimate without
labels, has no counterpart here; the second row of NannyML leaves it out, and the fit as well.
Tocsin's seconds include reading Parquet and joining outcomes; those of the peers do not. Tocsin
uses up to two threads, the peers as many as they do by themselves.
"""


def main() -> None:
    """Run the chosen comparisons."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--quick", action="store_true", help="a tenth of the rows")
    options.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON")
    options.add_argument(
        "--only", action="append", choices=COMPARISONS, metavar="NAME",
        help=f"one of {', '.join(COMPARISONS)}; may be repeated",
    )  # fmt: skip
    chosen = options.parse_args()
    CACHE.mkdir(exist_ok=True)
    before = os.getloadavg()[0]
    rows: list[table.Row] = []
    missing: list[str] = []
    # Not in the system's folder for such files, which may be memory.
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="data-") as folder:
        bench = Bench(Path(folder), CACHE, quick=chosen.quick)
        bench.warm_up()
        for name in chosen.only or COMPARISONS:
            print(f"{name} ...", file=sys.stderr, flush=True)
            try:
                rows.extend(COMPARISONS[name](bench))
            except PeerError as error:
                print(f"!!! {error}", file=sys.stderr, flush=True)
                missing.append(str(error))
    after = os.getloadavg()[0]
    load = f"Load average: {before:.1f} before, {after:.1f} after (1 to 2 of it is this run)."
    print(_machine(), load, table.text(rows), NOTES.strip(), sep="\n\n", end="\n\n")
    for report in bench.reports:
        parts = ", ".join(f"{part} {taken:.2f} s" for part, taken in report.seconds.items())
        print(f"{report.title}: {parts}; peak {report.peak_mb:,} MB, with the data in memory.")
    print(f"This process: peak {_peak_mb():,} MB, with the making of the data and the bare reads.")
    if chosen.quick:
        print(
            "Peers ran once, and the bars are meant for the full number of rows, not for a tenth."
        )
    for error in missing:
        print(f"\n!!! NOT COMPARED !!! {error}")
    if chosen.json is not None:
        table.write(rows, chosen.json)


def _machine() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "pyarrow"))
    return (
        f"Tocsin {ours.VERSION}, {versions}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    )


def _peak_mb() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)


main()
