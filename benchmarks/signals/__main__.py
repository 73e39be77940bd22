"""How well signals are known to work, on data of packages: `make bench-signals`.

A file of this folder per table: TITLE, HEADER and `rows(streams)`.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.peer import PeerError
from benchmarks.signals import alarms, delays, estimates, flags, statistics
from benchmarks.signals.packages import CACHE
from benchmarks.signals.streams import STREAMS

TABLES: dict[str, Any] = {
    "estimates": estimates,
    "flags": flags,
    "alarms": alarms,
    "delays": delays,
    "statistics": statistics,
}


def main() -> None:
    """Print the chosen tables."""
    options = argparse.ArgumentParser(prog="make bench-signals", description=__doc__)
    options.add_argument("--table", action="append", choices=TABLES, help="may be repeated")
    options.add_argument("--data", action="append", choices=STREAMS, help="may be repeated")
    options.add_argument(
        "--no-peer", action="store_true", help="do not install NannyML and Evidently"
    )
    chosen = options.parse_args()
    CACHE.mkdir(exist_ok=True)
    data = chosen.data or list(STREAMS)
    for name in chosen.table or TABLES:
        table = TABLES[name]
        if chosen.no_peer and hasattr(table, "PEER"):
            continue
        print(table.TITLE, text(table.HEADER, table.rows(data)), sep="\n\n", end="\n\n")
    if not chosen.no_peer and "acs" in data:
        try:
            print(estimates.oracle())
        except PeerError as error:
            print(f"!!! {error}", file=sys.stderr)


def text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as text."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    )


if __name__ == "__main__":
    main()
