"""One run: its files, what was made from them, and the peers that ran."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmarks import data, ours
from benchmarks.peer import Peer, Report
from benchmarks.timing import REPEATS

FULL_ROWS, QUICK_ROWS, TIMES = 1_000_000, 100_000, 10
WARM_ROWS = 5_000
THREADS = min(2, os.cpu_count() or 1)


@dataclass
class Bench:
    """The files of one run, made when they are first asked for.

    few, many: the rows that the peers get, and ten times those.
    """

    folder: Path
    environments: Path
    quick: bool
    reports: list[Report] = field(default_factory=list)
    _hours: dict[int, ours.Profile] = field(default_factory=dict)

    @cached_property
    def few(self) -> data.Files:
        return data.days(self.folder, QUICK_ROWS if self.quick else FULL_ROWS)

    @cached_property
    def many(self) -> data.Files:
        return data.days(self.folder, TIMES * (QUICK_ROWS if self.quick else FULL_ROWS))

    @cached_property
    def reference_file(self) -> Path:
        return data.reference(self.folder)

    @cached_property
    def reference(self) -> ours.Profile:
        return ours.profile_reference(self.reference_file)

    def join(self, files: data.Files) -> ours.Profile:
        """The hourly profiles with outcomes, made anew."""
        self._hours[files.rows] = ours.profile_with_outcomes(
            self.reference, files.predictions, files.outcomes, threads=THREADS
        )
        return self._hours[files.rows]

    def hours(self, files: data.Files) -> ours.Profile:
        """The same, from an earlier comparison where there was one."""
        return self._hours[files.rows] if files.rows in self._hours else self.join(files)

    def report(self, peer: Peer) -> Report:
        """What a peer measures on the fewer rows; kept."""
        repeats = 1 if self.quick else REPEATS
        report = peer.report(self.environments, self.reference_file, self.few, repeats=repeats)
        self.reports.append(report)
        return report

    def warm_up(self) -> None:
        """Compile whatever is compiled at its first call."""
        files = data.days(self.folder, WARM_ROWS)
        ours.drift(self.reference, files.predictions, threads=THREADS)
        ours.evaluate(self.reference, self.join(files))
