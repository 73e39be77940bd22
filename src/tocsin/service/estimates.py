"""Estimates of windows as they close, tested against the labels of earlier ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.estimation import (
    LOOK_BACK,
    Expected,
    Outside,
    Surprises,
    Track,
    expectations,
    has_expectation,
    joined,
    judged,
    outside,
    stored,
)
from tocsin.metrics import Measured
from tocsin.metrics.intervals import Z95
from tocsin.profiles import Profile
from tocsin.records import evaluations
from tocsin.records.evaluation import Evaluation
from tocsin.records.evaluations import Kept
from tocsin.records.models import ModelRecord
from tocsin.schema import Kind
from tocsin.service.maturity import final_after
from tocsin.values import Undefined, Window, WindowSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Kepts = list[Mapping[str, Any]]

# A window whose labels are at least so complete is an example of how estimates do.
LEAST_COVERAGE = 0.5
CONCEPT_DRIFT = "concept_drift"


def estimated_metrics(monitor: Monitor) -> tuple[str, ...]:
    """The metrics of a model that can be estimated, by name."""
    return tuple(
        name
        for name, metric in monitor.metrics.items()
        if metric.needs_labels and has_expectation(monitor.schema, name)
    )


def steps(record: ModelRecord, monitor: Monitor, spec: WindowSpec) -> tuple[int, int]:
    """After which labels are complete, and how far windows are apart that do not overlap."""
    lag = -(-max(final_after(record, monitor), 1) // spec.every) * spec.every
    return lag, -(-spec.size // spec.every) * spec.every


class Estimating:
    """Estimates the windows of one size in their order; each is an example for later ones."""

    def __init__(
        self, connection: Connection, record: ModelRecord, monitor: Monitor, spec: WindowSpec
    ) -> None:
        self._connection = connection
        self._record = record
        self._monitor = monitor
        self._size = spec.size
        self._output = monitor.schema.output
        self._lag, self._stride = steps(record, monitor, spec)
        self._names = estimated_metrics(monitor)
        self._spared = [f.name for f in monitor.schema.features if f.kind is Kind.DATETIME]
        reference = record.reference
        found = [monitor.metrics[name].measure(reference).at() for name in self._names]
        self._references = [np.nan if isinstance(m, Undefined) else m.value for m in found]
        labelled = float(reference.total("labelled"))
        self._loss = float(reference.total("loss")) / max(labelled, 1.0)
        gap = monitor.metrics[CONCEPT_DRIFT].measure(reference).at()
        # What pooling bins leaves of it in the reference itself.
        self._gap = 0.0 if isinstance(gap, Undefined) else gap.value
        self._able = bool(self._names) and labelled > 0
        self._track: Track | None = None

    def of(
        self,
        group: Sequence[Window],
        stack: Profile,
        measures: Mapping[str, Measured],
        before: Mapping[int, Evaluation],
    ) -> Kepts:
        """What is kept of each window; what was estimated once stays as it was.

        measures: of the windows; before: their last evaluations, by their end.
        """
        if not self._able:
            return [{} for _ in group]
        rows, labelled = stack.total("n"), stack.total("labelled")
        kept: Kepts = [
            before[window.end].estimates
            if window.end in before
            and before[window.end].rows == round(float(rows[i]))
            and before[window.end].plan == stack.plan.digest
            else {}
            for i, window in enumerate(group)
        ]
        fresh = np.array([i for i, k in enumerate(kept) if not k and rows[i] > 0], np.int64)
        track = self._earlier(group, fresh)
        made = _Made.of(
            self._record.reference, stack, fresh, self._names, self._output, self._spared
        )
        usable = (labelled >= LEAST_COVERAGE * rows) & self._unpaused([w.end for w in group])
        mine = self._track_of(group, measures, kept, usable, fresh, made)
        self._track, places = joined(track, mine)
        for i, new in zip(fresh, self._judged(self._track, places[fresh], made), strict=True):
            kept[i] = new
        return kept

    def _earlier(self, group: Sequence[Window], fresh: Ints) -> Track | None:
        """The windows before these, as far as they were estimated."""
        known = set() if self._track is None else set(self._track.ends.tolist())
        ends = np.array([window.end for window in group], np.int64)
        back = self._lag + self._stride * np.arange(2 * LOOK_BACK)
        wanted = set((ends[fresh][:, None] - back).ravel().tolist()) - known - set(ends.tolist())
        found = evaluations.estimated(self._connection, self._record.id, self._size, wanted)
        if not found:
            return self._track
        track = self._stored(found)
        return track if self._track is None else joined(self._track, track)[0]

    def _track_of(
        self,
        group: Sequence[Window],
        measures: Mapping[str, Measured],
        kept: Kepts,
        usable: NDArray[np.bool_],
        fresh: Ints,
        made: "_Made",
    ) -> Track:
        """These windows, with what was estimated of them before or is now."""
        drift = measures[CONCEPT_DRIFT]
        value, variance, low, high = _kept_numbers(kept, self._names)
        for m, expected in enumerate(made.expected.values()):
            known = expected.reason == None  # noqa: E711
            value[fresh, m] = np.where(known, expected.value, np.nan)
            variance[fresh, m] = expected.variance
        share = np.array([each.get("outside", ("", 0.0))[1] for each in kept], float)
        beyond = np.zeros(len(group), bool)
        share[fresh], beyond[fresh] = made.outside.share, made.outside.beyond
        return Track(
            ends=np.array([window.end for window in group], np.int64),
            usable=usable,
            value=value,
            variance=variance,
            low=low,
            high=high,
            realised=np.stack([_numbers(measures[name]) for name in self._names], -1),
            surprises=Surprises(
                _numbers(drift) - self._gap, (drift.high - drift.low) / (2 * Z95), drift.n
            ),
            outside=share,
            beyond=beyond,
        )

    def _judged(self, track: Track, places: Ints, made: "_Made") -> Kepts:
        """What is kept of windows that are estimated now, which are at `places` of the track."""
        result = judged(
            track,
            places,
            references=self._references,
            scales=[expected.scale for expected in made.expected.values()],
            loss=self._loss,
            lag=self._lag,
            stride=self._stride,
        )
        by_metric = [
            _parts(expected, result.low[:, m], result.high[:, m], result.flags[:, m])
            for m, expected in enumerate(made.expected.values())
        ]
        gaps = [gap if np.isfinite(gap) else None for gap in result.gaps.tolist()]
        where = made.outside
        return [
            stored(dict(zip(self._names, parts, strict=True)), (where.names[at], share), gap)
            for parts, at, share, gap in zip(
                zip(*by_metric, strict=True),
                where.column.tolist(),
                where.share.tolist(),
                gaps,
                strict=True,
            )
        ]

    def _unpaused(self, ends: Sequence[int]) -> NDArray[np.bool_]:
        """(w,) the windows that were not in maintenance: they prove estimates, or disprove them."""
        size = self._size
        paused = [self._monitor.is_paused(Window(end - size, end)) for end in ends]
        return ~np.array(paused, np.bool_)

    def _stored(self, found: Mapping[int, Kept]) -> Track:
        """Windows of the records."""
        ends = sorted(found)
        rows = [found[end] for end in ends]
        value, variance, low, high = _kept_numbers([r.estimates for r in rows], self._names)
        drift = [r.measures.get(CONCEPT_DRIFT) for r in rows]
        known = [d if d is not None and len(d) == 5 else (np.nan, 0, 0, 0, 0) for d in drift]
        parts = np.array(known, float).reshape(-1, 5)
        return Track(
            ends=np.array(ends, np.int64),
            usable=np.array([r.labelled >= LEAST_COVERAGE * r.rows for r in rows])
            & self._unpaused(ends),
            value=value,
            variance=variance,
            low=low,
            high=high,
            realised=np.array(
                [[_number(r.measures.get(name)) for name in self._names] for r in rows]
            ).reshape(-1, len(self._names)),
            surprises=Surprises(
                parts[:, 0] - self._gap, (parts[:, 3] - parts[:, 2]) / (2 * Z95), parts[:, 4]
            ),
            outside=np.array([r.estimates.get("outside", ("", 0.0))[1] for r in rows], float),
            beyond=np.zeros(len(rows), bool),
        )


@dataclass(frozen=True, eq=False)
class _Made:
    """What is expected of windows that were not estimated before, and what is outside."""

    expected: Mapping[str, Expected]
    outside: Outside

    @classmethod
    def of(
        cls,
        reference: Profile,
        stack: Profile,
        fresh: Ints,
        names: Sequence[str],
        output: str,
        spared: Sequence[str],
    ) -> "_Made":
        some = (
            stack if len(fresh) == len(stack.vector) else Profile(stack.plan, stack.vector[fresh])
        )
        return cls(
            expectations(reference, some, names),
            outside(reference, some, output=output, spared=spared),
        )


def _parts(expected: Expected, low: Floats, high: Floats, flags: Ints) -> list[tuple[Any, ...]]:
    """What is kept of one metric: see `estimate_of`."""
    n = np.rint(expected.n).astype(np.int64).tolist()
    numbers = zip(
        expected.value.tolist(),
        expected.error.tolist(),
        low.tolist(),
        high.tolist(),
        n,
        expected.variance.tolist(),
        flags.tolist(),
        strict=True,
    )
    reasons = expected.reason
    return [
        each if reason is None else (str(reason), rows)
        for each, reason, rows in zip(numbers, reasons, n, strict=True)
    ]


def _numbers(found: Measured) -> Floats:
    return np.where(found.reason == None, found.value, np.nan)  # noqa: E711


def _number(parts: Sequence[Any] | None) -> float:
    return float(parts[0]) if parts is not None and not isinstance(parts[0], str) else np.nan


def _kept_numbers(
    kept: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> tuple[Floats, Floats, Floats, Floats]:
    """(t, m) value, variance and interval of what was kept; NaN where nothing was."""
    found = np.full((4, len(kept), len(names)), np.nan)
    for t, each in enumerate(kept):
        if not each:
            continue
        for m, name in enumerate(names):
            parts = each["of"].get(name, ("", 0))
            if not isinstance(parts[0], str):
                value, _, low, high, _, variance, _ = parts
                found[:, t, m] = value, variance, low, high
    return found[0], found[1], found[2], found[3]
