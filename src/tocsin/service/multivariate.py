"""Whether all columns together have moved: reference and window, told apart by a classifier."""

import threading
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.declared import parse_monitor
from tocsin.drift import LEAST_ROWS, Told, told_apart
from tocsin.engines import reference_rows
from tocsin.engines.arrow import rows_of
from tocsin.errors import InvalidInputError, UnavailableError
from tocsin.lake import Lake
from tocsin.records import Records, evaluations, models
from tocsin.service.weighting import WeightedView, weighted_view
from tocsin.service.windows import spec_of
from tocsin.values import Window

MOST_ROWS = 20_000
_RETRY_S = 5.0
# As many answers as are kept: of a handful of models the newest windows.
_KEPT = 64
# From here on rows are said to differ.
_SURE = 0.01


@dataclass(frozen=True)
class TogetherView:
    """How well rows of a window are told from the reference. rows, reference_rows: those used.

    estimates: what weighting the reference says of the window, None where it has no labels.
    """

    window: Window
    rows: int
    reference_rows: int
    seed: int
    told: Told
    estimates: WeightedView | None

    @property
    def sentence(self) -> str:
        """What it comes to."""
        told, sure = self.told, self.told.p_value < _SURE
        if not sure or told.low <= 0.5:
            return "No difference from the reference is found, all features taken together"
        first = next(iter(told.importances))
        return (
            f"A window's row is told from one of the reference with AUC {told.auc:.2f} "
            f"({told.low:.2f} to {told.high:.2f}), mostly by `{first}`"
        )


class Multivariate:
    """Trains one classifier at a time, on samples of rows, and keeps the last answers."""

    def __init__(self, records: Records, lake: Lake) -> None:
        self._records = records
        self._lake = lake
        self._one = threading.Lock()
        self._kept: dict[tuple[int, str, int, int, int, int], TogetherView] = {}

    def known(self, name: str, *, window: int | None = None, seed: int = 0) -> TogetherView | None:
        """What was found of the newest window, None if nobody asked yet."""
        return self._look(name, window, seed)[1]

    def find(self, name: str, *, window: int | None = None, seed: int = 0) -> TogetherView:
        """Whether the newest window is told from the reference; the same for the same seed.

        Raises: UnknownModelError; InvalidInputError without a window, or rows enough to learn from;
        UnavailableError while another one is asked about.
        """
        key, known = self._look(name, window, seed)
        if known is not None:
            return known
        if not self._one.acquire(blocking=False):
            raise UnavailableError(
                "another window is compared with its reference, one at a time; try again in a "
                "few seconds",
                retry_after_s=_RETRY_S,
            )
        try:
            found = self._compared(name, Window(key[2] - key[3], key[2]), seed)
            # Still the only one, as what is kept changes here alone.
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = found
            return found
        finally:
            self._one.release()

    def _look(
        self, name: str, window: int | None, seed: int
    ) -> tuple[tuple[int, str, int, int, int, int], TogetherView | None]:
        """By what the answer is kept, and the answer if there is one."""
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            spec = spec_of(parse_monitor(name, record.monitor), window)
            end = evaluations.newest_end(connection, record.id, spec)
            if end is None:
                raise InvalidInputError(f"no window of {spec.name} of {name!r} has closed yet")
            rows = evaluations.at(connection, record.id, spec.size, [end])[end].rows
        key = (record.id, record.plan.digest, end, spec.size, rows, seed)
        return key, self._kept.get(key)

    def _compared(self, name: str, window: Window, seed: int) -> TogetherView:
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            size = window.end - window.start
            kept = evaluations.at(connection, record.id, size, [window.end])[window.end].estimates
        monitor = parse_monitor(name, record.monitor)
        schema = monitor.schema
        lake = self._lake.model(record.id, name, schema)
        now = lake.sample_predictions(window.start, window.end, MOST_ROWS, seed=seed)
        before = _sampled(lake.reference(record.plan.digest), seed)
        for what, table in (("window", now), ("reference", before)):
            if table.num_rows < LEAST_ROWS:
                raise InvalidInputError(
                    f"the {what} has {table.num_rows} rows, and {LEAST_ROWS} are needed to learn "
                    "from; ask about a longer window"
                )
        told = told_apart(
            reference_rows(schema, before).rows.features, rows_of(schema, now).features, seed=seed
        )
        estimates = weighted_view(record, monitor, before, told, kept)
        return TogetherView(window, now.num_rows, before.num_rows, seed, told, estimates)


def _sampled(table: pa.Table, seed: int) -> pa.Table:
    if table.num_rows <= MOST_ROWS:
        return table
    chance = np.random.default_rng(seed)
    return table.take(np.sort(chance.choice(table.num_rows, MOST_ROWS, replace=False)))
