"""The port of engines: where predictions lie, and profiles of them by day."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import pyarrow as pa

from tocsin.profiles import Plan, Profile, ProfileKey
from tocsin.schema import Schema
from tocsin.values import DAY

# A clock that is a little wrong may date an outcome before its prediction.
EARLIEST = DAY


@dataclass(frozen=True)
class Source:
    """Predictions and outcomes that lie in files or tables.

    predictions, outcomes: Parquet files, or one name of a table that the engine knows; no outcomes
        when the label is a column of the predictions, or unknown.
    columns: what the lake's columns are called there; features and outputs are called by their own
        names, the others the same. Those of outcomes have `outcome.` before them.
    horizon: microseconds after a prediction in which its outcome may come.
    until: only rows of the lake up to this inbox offset; None for files that are not the lake's.
    opened: opens a file of the lake that is not on this machine, None when they all are.
    """

    predictions: tuple[str, ...]
    outcomes: tuple[str, ...]
    horizon: int
    columns: Mapping[str, str] = field(default_factory=dict)
    until: int | None = None
    opened: Callable[[str], pa.NativeFile] | None = None

    def name(self, column: str) -> str:
        """What a column of the predictions is called there."""
        return self.columns.get(column, column)

    def outcome_name(self, column: str) -> str:
        """What a column of the outcomes is called there: `outcome.label` in `columns`."""
        return self.columns.get(f"outcome.{column}", column)


class Engine(Protocol):
    """Reads and joins rows, and runs the kernel on them.

    The first prediction of an id counts (by timestamp), and of its outcomes the latest between a
    day before it and the horizon after it, by (timestamp, inbox offset, label).
    """

    def days(self, source: Source, schema: Schema) -> dict[date, str]:
        """For each day with predictions a text that changes when its rows or outcomes do.

        Raises: InvalidInputError when the source cannot be read, or lacks a column.
        """
        ...

    def profile(
        self, source: Source, schema: Schema, plan: Plan, granularity: int, days: Collection[date]
    ) -> dict[ProfileKey, Profile]:
        """The profiles of some days, with the truth as far as it is known."""
        ...

    def close(self) -> None:
        """Let go of what the engine holds."""
        ...
