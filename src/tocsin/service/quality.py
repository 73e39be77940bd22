"""Find what is wrong with the data of evaluated windows, as evaluations store it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.drift import ENOUGH_ROWS
from tocsin.profiles import Profile
from tocsin.quality import (
    FEATURE_CHECKS,
    MODEL_CHECKS,
    VOLUME,
    Cell,
    Expected,
    Finding,
    Intake,
    QualityVerdict,
    Volume,
    cells_of,
    counted,
    expectations,
    rates,
    trials,
    volume_findings,
)
from tocsin.records import evaluations, intake
from tocsin.records.evaluation import Evaluation
from tocsin.records.evaluations import StoredQuality
from tocsin.records.models import ModelRecord
from tocsin.schema import Kind, Schema
from tocsin.service.intake import QUARANTINED, REPEATED, UNKNOWN_FIELDS
from tocsin.service.windows import all_like_ends, like_ends
from tocsin.values import DAY, Window, WindowSpec

Floats = NDArray[np.float64]
# What a window has to exceed is looked for in so much of the past.
_RECENT = 16 * DAY
# So many windows are looked up by naming each of those like them.
_FEW = 8
_CHECKS = {*FEATURE_CHECKS, *MODEL_CHECKS, VOLUME}
# The instance of a rule for which no rows are an alert of its own.
NO_ROWS = "no_rows"
_ABOUT_ALL = {*_CHECKS, NO_ROWS}
_NUMBERS = (Kind.NUMERIC, Kind.DATETIME)


class Past:
    """The windows of one size by their end, as far as they were looked up or are done.

    paused: whether the window that ends then was in maintenance, and is no example of anything.
    """

    def __init__(self, paused: Callable[[int], bool]) -> None:
        self._paused = paused
        # Rows that each had, NaN of those that there were not.
        self.rows: dict[int, float] = {}
        self.stored: dict[int, StoredQuality] = {}
        self._looked_up: set[int] = set()
        # Where the rates of a window stand.
        self._place: dict[int, int] = {}
        self._rates: Floats = np.empty((0, 0))

    def unknown(self, ends: Collection[int]) -> set[int]:
        """Those of some windows that have to be looked up."""
        return set(ends) - self._place.keys() - self._looked_up

    def looked_up(self, ends: Collection[int]) -> None:
        """Note that nothing more is to be found of these."""
        self._looked_up.update(ends)

    def count(self, ends: Sequence[int], rows: Sequence[float]) -> None:
        """Keep how many rows windows had, NaN of those that there were not."""
        for end, number in zip(ends, rows, strict=True):
            self.rows[end] = np.nan if self._paused(end) else number

    def add(self, ends: Sequence[int], values: Floats) -> Floats:
        """Keep (w, c) rates, NaN where a window is no example of what is usual.

        Returns: those that are kept, to be marked later.
        """
        values[[self._paused(end) for end in ends]] = np.nan
        before = len(self._rates)
        kept = values if before == 0 else np.concatenate([self._rates, values])
        self._rates = kept
        self._place.update(zip(ends, range(before, len(kept)), strict=True))
        return kept[before:]

    def examples(self, ends: Sequence[int], cells_at: NDArray[np.int64]) -> Floats:
        """(h, s) the rates of some cells in the windows that end then, as far as they are known."""
        places = [place for end in ends if (place := self._place.get(end)) is not None]
        if not places:
            return np.empty((0, len(cells_at)))
        return np.asarray(self._rates[np.array(places)][:, cells_at])


def cells(schema: Schema) -> tuple[Cell, ...]:
    """The cells of a model, in the order in which evaluations store their counts."""
    return cells_of(tuple((f.name, f.kind in _NUMBERS) for f in schema.features))


def found_quality(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    spec: WindowSpec,
    group: Sequence[Window],
    stack: Profile,
    past: Past,
) -> list[dict[str, Any]]:
    """What evaluations store of each window: `counts` of the cells, and `findings`.

    group: by ascending end. past: of earlier windows; those of the group are added.
    """
    expected = Expected(record.reference, expectations(record.reference, monitor.quality))
    counts, n = counted(stack, intake_of(connection, record, group))
    sure, unsure = expected.suspects(stack, counts, n)
    ends = [window.end for window in group]
    past.count(ends, _or_none(stack.total("n")).tolist())
    volumes = volume_findings(
        stack.total("n"),
        _past_rows(connection, record, spec, ends, past),
        # A number of rows is one of the shortest windows; longer ones have more.
        monitor.quality.volume if spec == monitor.windows[0] else Volume(),
    )
    found = _judged(connection, record, expected, spec, ends, counts, n, sure, past)
    for findings, volume in zip(found, volumes, strict=True):
        findings += [] if volume is None else [volume]
    doubtful: list[list[int]] = [[] for _ in group]
    for i, at in zip(*(part.tolist() for part in np.nonzero(unsure)), strict=True):
        doubtful[i].append(at)
    return [
        {"counts": row, "findings": [finding.parts for finding in findings], "unsure": may_be}
        for row, findings, may_be in zip(
            counts.astype(np.int64).tolist(), found, doubtful, strict=True
        )
    ]


def _judged(
    connection: Connection,
    record: ModelRecord,
    expected: Expected,
    spec: WindowSpec,
    ends: Sequence[int],
    counts: Floats,
    n: Floats,
    sure: NDArray[np.bool_],
    past: Past,
) -> list[list[Finding]]:
    """What is found of the cells that are surely beyond their limits, window by window."""
    suspicious = np.flatnonzero(sure.any(-1)).tolist()
    _look_up_examples(connection, record, expected, spec, [ends[i] for i in suspicious], past)
    # The newest of a window counts: a revision is not its own past.
    values = past.add(ends, np.where(n >= ENOUGH_ROWS, rates(counts, n, expected.shares), np.nan))
    found = [list[Finding]() for _ in ends]
    for i in suspicious:
        at = np.flatnonzero(sure[i])
        like = past.examples(like_ends(spec, ends[i]), at)
        recent = past.examples(_recent_ends(spec, ends[i]), at)
        found[i] += expected.judged(counts[i], n[i], sure[i], like, recent)
        # Before a later window takes it for an example.
        _mark(values[i], expected, found[i])
    return found


def unsure_of(evaluation: Evaluation, of: Sequence[Cell]) -> set[str]:
    """The cells of a window that are beyond their limit, but may be so by chance."""
    return {of[at].name for at in evaluation.quality.get("unsure", ()) if at < len(of)}


def findings_of(evaluation: Evaluation) -> list[Finding]:
    """What was found of a window."""
    return [read_finding(parts) for parts in evaluation.quality.get("findings", ())]


def read_finding(parts: Sequence[Any]) -> Finding:
    """A finding as it is stored."""
    feature, check, verdict, *rest = parts
    return Finding(feature, check, QualityVerdict(verdict), *rest)


def counts_of(evaluation: Evaluation, of: Sequence[Cell]) -> tuple[Floats, Floats] | None:
    """(c,) the counts of a window's cells, and of how many rows; None where others were stored."""
    stored = evaluation.quality.get("counts", ())
    if len(stored) != len(of):
        return None
    counts = np.array(stored, np.float64)
    rows, labelled = np.array(float(evaluation.rows)), np.array(float(evaluation.labelled))
    return counts, trials(counts, rows, labelled)


def intake_of(connection: Connection, record: ModelRecord, group: Sequence[Window]) -> Intake:
    """What came in the time of each window that no profile tells."""
    first = min(window.start for window in group)
    end = max(window.end for window in group)
    found = intake.between(connection, record.id, first, end)
    return Intake(
        *(_sums(found.get(k, {}), group) for k in (REPEATED, QUARANTINED, UNKNOWN_FIELDS))
    )


def _sums(by_bucket: Mapping[int, int], group: Sequence[Window]) -> Floats:
    """(w,) what the buckets of each window have together."""
    if not by_bucket:
        return np.zeros(len(group))
    starts = np.array(sorted(by_bucket))
    before = np.concatenate([[0], np.cumsum([by_bucket[start] for start in starts.tolist()])])
    begins = np.searchsorted(starts, [window.start for window in group])
    ends = np.searchsorted(starts, [window.end for window in group])
    return np.asarray(before[ends] - before[begins], np.float64)


def _past_rows(
    connection: Connection,
    record: ModelRecord,
    spec: WindowSpec,
    ends: Sequence[int],
    past: Past,
) -> Floats:
    """(w, h) how many rows the windows like these had, NaN of those that there were not."""
    like = all_like_ends(spec, ends)
    # All of the time between: of many windows those like them are nearly all that there are.
    few = range(0) if len(ends) > _FEW else like.ravel().tolist()
    unread = set(few) - past.rows.keys()
    span = (int(like.min()), int(like.max())) if len(ends) > _FEW else None
    found = evaluations.stored_quality(connection, record.id, spec.size, unread, span=span)
    for end, stored in found.items():
        if end not in past.rows:
            past.stored[end] = stored
            past.count([end], [float(stored.rows) if stored.rows else np.nan])
    known = np.array(sorted(past.rows))
    rows = np.array([past.rows[end] for end in known.tolist()])
    at = np.minimum(np.searchsorted(known, like), len(known) - 1)
    return np.where(known[at] == like, rows[at], np.nan)


def _recent_ends(spec: WindowSpec, end: int) -> range:
    """The ends of the windows of the last weeks that do not overlap, the oldest first."""
    first = end - max(_RECENT // spec.size, 1) * spec.size
    return range(first, end, spec.size)


def _look_up_examples(
    connection: Connection,
    record: ModelRecord,
    expected: Expected,
    spec: WindowSpec,
    ends: Sequence[int],
    past: Past,
) -> None:
    """Read the rates that are stored of the windows before these."""
    wanted = {e for end in ends for e in (*_recent_ends(spec, end), *like_ends(spec, end))}
    wanted = past.unknown(wanted)
    unread = wanted - past.stored.keys()
    past.stored.update(evaluations.stored_quality(connection, record.id, spec.size, unread))
    past.looked_up(wanted)
    found = {end: past.stored[end] for end in wanted & past.stored.keys()}
    past.add(*_stored_rates(record, expected, found))


def _or_none(rows: Floats) -> Floats:
    return np.where(rows > 0, np.rint(rows), np.nan)


def _stored_rates(
    record: ModelRecord, expected: Expected, stored: Mapping[int, StoredQuality]
) -> tuple[list[int], Floats]:
    """The ends of those windows that had rows and these bins, and their (w, c) rates."""
    cells = len(expected.all)
    kept = {
        end: (found, counts, findings)
        for end, found in stored.items()
        if found.plan == record.plan.digest and found.rows
        for counts, findings in [found.decoded()]
        if len(counts) == cells
    }
    counts = np.array([each for _, each, _ in kept.values()], np.float64).reshape(-1, cells)
    rows = np.array([found.rows for found, _, _ in kept.values()], np.float64)
    labelled = np.array([found.labelled for found, _, _ in kept.values()], np.float64)
    n = trials(counts, rows, labelled)
    values = np.where(n >= ENOUGH_ROWS, rates(counts, n, expected.shares), np.nan)
    for of_window, (_, _, findings) in zip(values, kept.values(), strict=True):
        _mark(of_window, expected, [read_finding(parts) for parts in findings])
    return list(kept), values


def _mark(values: Floats, expected: Expected, findings: Sequence[Finding]) -> None:
    """Let the rates of what is wrong in a window be no examples of what is usual."""
    wrong = {finding.name for finding in findings if _is_wrong(finding)}
    if wrong:
        values[[e.cell.name in wrong for e in expected.all]] = np.nan


def _is_wrong(finding: Finding) -> bool:
    return finding.verdict is QualityVerdict.VIOLATED


def column_of(instance: str) -> str:
    """The feature that an instance of a rule is about; nothing where it is about all rows.

    >>> column_of("distance/null_rate"), column_of("volume"), column_of("distance")
    ('distance', '', 'distance')
    """
    feature, slash, check = instance.rpartition("/")
    if slash and check in _CHECKS:
        return feature
    return "" if instance in _ABOUT_ALL else instance
