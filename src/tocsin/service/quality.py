"""Find what is wrong with the data of evaluated windows, as evaluations store it."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
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
    cells_of,
    counted,
    expectations,
    rates,
    trials,
    volume_findings,
)
from tocsin.records import evaluations, intake
from tocsin.records.evaluations import Evaluation, StoredQuality
from tocsin.records.models import ModelRecord
from tocsin.schema import Kind, Schema
from tocsin.service.intake import QUARANTINED, REPEATED, UNKNOWN_FIELDS
from tocsin.service.windows import like_ends
from tocsin.values import DAY, Window, WindowSpec

Floats = NDArray[np.float64]
# What a window has to exceed is looked for in so much of the past.
_RECENT = 16 * DAY
_CHECKS = {*FEATURE_CHECKS, *MODEL_CHECKS, VOLUME}
_NUMBERS = (Kind.NUMERIC, Kind.DATETIME)


@dataclass(frozen=True)
class Past:
    """The windows of one size by their end, as far as they were looked up or are done.

    rows: how many each had, NaN of those that there were not. examples: (c,) rates, NaN where a
    window is no example of what is usual. looked_up: windows that were asked for.
    """

    rows: dict[int, float]
    stored: dict[int, StoredQuality]
    examples: dict[int, Floats]
    looked_up: set[int]

    @classmethod
    def none(cls) -> "Past":
        """Nothing known yet."""
        return cls({}, {}, {}, set())


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
    sure, doubtful = expected.suspects(stack, counts, n)
    values = np.where(n >= ENOUGH_ROWS, rates(counts, n, expected.shares), np.nan)
    ends = [window.end for window in group]
    _look_up(connection, record, spec, ends, past)
    # The newest of a window counts: a revision is not its own past.
    past.examples.update(zip(ends, values, strict=True))
    past.rows.update(zip(ends, _or_none(stack.total("n")).tolist(), strict=True))
    found = [list[Finding]() for _ in group]
    suspicious = np.flatnonzero((sure | doubtful).any(-1)).tolist()
    _look_up_recent(connection, record, spec, [ends[i] for i in suspicious], past)
    for i in suspicious:
        like = _examples(record, expected, like_ends(spec, ends[i]), past)
        recent = _examples(record, expected, _recent_ends(spec, ends[i]), past)
        found[i] += expected.judged(counts[i], n[i], sure[i], doubtful[i], like, recent)
        wrong = {finding.name for finding in found[i] if _is_wrong(finding)}
        values[i, [e.cell.name in wrong for e in expected.all]] = np.nan
    volumes = volume_findings(
        stack.total("n"),
        np.array([[past.rows[e] for e in like_ends(spec, end)] for end in ends]),
        monitor.quality.volume,
    )
    for findings, volume in zip(found, volumes, strict=True):
        findings += [] if volume is None else [volume]
    stored = counts.astype(np.int64).tolist()
    return [
        {"counts": row, "findings": [astuple(finding) for finding in findings]}
        for row, findings in zip(stored, found, strict=True)
    ]


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


def _look_up(
    connection: Connection,
    record: ModelRecord,
    spec: WindowSpec,
    ends: Sequence[int],
    past: Past,
) -> None:
    """Read what is stored of the windows like these that are not known yet."""
    wanted = {like for end in ends for like in like_ends(spec, end)} - past.rows.keys()
    past.stored.update(evaluations.stored_quality(connection, record.id, spec.size, wanted))
    for end in wanted:
        stored = past.stored.get(end)
        past.rows[end] = float(stored.rows) if stored is not None and stored.rows else np.nan


def _recent_ends(spec: WindowSpec, end: int) -> range:
    """The ends of the windows of the last weeks that do not overlap, the oldest first."""
    first = end - max(_RECENT // spec.size, 1) * spec.size
    return range(first, end, spec.size)


def _look_up_recent(
    connection: Connection,
    record: ModelRecord,
    spec: WindowSpec,
    ends: Sequence[int],
    past: Past,
) -> None:
    """Read what is stored of the windows before these."""
    wanted = {before for end in ends for before in _recent_ends(spec, end)}
    unknown = wanted - past.stored.keys() - past.examples.keys() - past.looked_up
    past.stored.update(evaluations.stored_quality(connection, record.id, spec.size, unknown))
    past.looked_up.update(unknown)


def _or_none(rows: Floats) -> Floats:
    return np.where(rows > 0, np.rint(rows), np.nan)


def _examples(record: ModelRecord, expected: Expected, like: Sequence[int], past: Past) -> Floats:
    """(h, c) the rates of the windows that end then, as far as there were any."""
    found = [
        rates_ for end in like if (rates_ := _example(record, expected, end, past)) is not None
    ]
    return np.stack(found) if found else np.empty((0, len(expected.all)))


def _example(record: ModelRecord, expected: Expected, end: int, past: Past) -> Floats | None:
    if end in past.examples:
        return past.examples[end]
    stored = past.stored.get(end)
    # Counts of other bins cannot be compared.
    if stored is None or stored.plan != record.plan.digest or not stored.rows:
        return None
    counts, findings = stored.decoded()
    if len(counts) != len(expected.all):
        return None
    n = trials(np.array(counts), np.array(float(stored.rows)), np.array(float(stored.labelled)))
    values = np.where(n >= ENOUGH_ROWS, rates(np.array(counts), n, expected.shares), np.nan)
    wrong = {finding.name for finding in map(read_finding, findings) if _is_wrong(finding)}
    values[[e.cell.name in wrong for e in expected.all]] = np.nan
    past.examples[end] = values
    return values


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
    return "" if instance in _CHECKS else instance
