"""Parts of a model's rows beside each other: segments by a metric, groups by fairness."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.errors import InvalidInputError
from tocsin.metrics import FAIRNESS, Comparison, Fairness, Metric
from tocsin.profiles import EVERYTHING, Profile, SegmentValues
from tocsin.records.models import ModelRecord
from tocsin.service.stacks import window_profiles
from tocsin.values import Measure, Window


@dataclass(frozen=True)
class SegmentValue:
    """A value of a segment in one window. rows: predictions; key: its name for `series`."""

    key: str
    value: str
    rows: int
    measure: Measure


@dataclass(frozen=True)
class SegmentsView:
    """One metric of one window by all segments. whole: of all rows; protected: their names."""

    window: Window
    metric: Metric
    whole: Measure
    segments: Mapping[str, tuple[SegmentValue, ...]]
    protected: frozenset[str]


@dataclass(frozen=True)
class GroupsView:
    """How the groups of a protected attribute are treated in one window."""

    window: Window
    attribute: str
    comparisons: tuple[tuple[Fairness, Comparison], ...]


def segments_of(
    connection: Connection, record: ModelRecord, monitor: Monitor, metric: Metric, window: Window
) -> SegmentsView:
    """A metric of one window by every value of every segment."""
    whole, _ = window_profiles(connection, record, monitor.granularity, [window])
    found = {
        segment.name: _values(_stack(connection, record, monitor, segment, window), segment, metric)
        for segment in record.plan.segments
    }
    return SegmentsView(
        window=window,
        metric=metric,
        whole=metric.measure(whole).at(0),
        segments=found,
        protected=frozenset(s.name for s in record.plan.segments if s.protected),
    )


def protected(record: ModelRecord, attribute: str) -> SegmentValues:
    """The segment of a protected attribute. Raises: InvalidInputError when it is none."""
    found = {s.name: s for s in record.plan.segments if s.protected}
    if attribute not in found:
        raise InvalidInputError(
            f"{attribute!r} is no protected attribute; "
            + (f"there are {', '.join(found)}; " if found else "")
            + "declare it in `protected`"
        )
    return found[attribute]


def groups_of(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    segment: SegmentValues,
    window: Window,
) -> GroupsView:
    """The groups of a protected attribute by every criterion of the task."""
    stack = _stack(connection, record, monitor, segment, window)
    # Rows whose group is not known are no group.
    names = segment.values[:-1]
    known = Profile(stack.plan, stack.vector[: len(names)])
    criteria = FAIRNESS[monitor.schema.task].values()
    return GroupsView(
        window,
        segment.name,
        tuple((criterion, criterion.compare(known, names)) for criterion in criteria),
    )


def _stack(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    segment: SegmentValues,
    window: Window,
) -> Profile:
    """The profiles of a segment's values in one window."""
    parts = [
        window_profiles(connection, record, monitor.granularity, [window], segment=key)[0].vector[0]
        for key in segment.keys()  # noqa: SIM118 - not a mapping
    ]
    return Profile(record.plan, np.stack(parts))


def _values(stack: Profile, segment: SegmentValues, metric: Metric) -> tuple[SegmentValue, ...]:
    """The values that have rows, in the order of the plan."""
    measured, rows = metric.measure(stack), stack.total("n")
    return tuple(
        SegmentValue(key, value, round(float(rows[i])), measured.at(i))
        for i, (key, value) in enumerate(zip(segment.keys(), segment.values, strict=True))
        if rows[i] > 0
    )


def check_segment(record: ModelRecord, segment: str) -> None:
    """Raises: InvalidInputError for a segment that the model does not have."""
    known = [key for values in record.plan.segments for key in values.keys()]  # noqa: SIM118
    if segment != EVERYTHING and segment not in known:
        raise InvalidInputError(
            f"there is no segment {segment!r}; "
            + (f"there are {', '.join(known)}" if known else "declare some with `segments`")
        )
