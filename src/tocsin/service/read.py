"""What the faces show: read only, from records and profiles, never from rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, parse_monitor
from tocsin.drift import Shift
from tocsin.errors import InvalidInputError
from tocsin.lake import Lake
from tocsin.metrics import Metric
from tocsin.profiles import EVERYTHING, Profile
from tocsin.records import Records, alerts, changes, evaluations, inbox, models, outbox
from tocsin.records.alerts import Episode, Incident, TimelineEntry
from tocsin.records.evaluations import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.service.segments import (
    GroupsView,
    SegmentsView,
    groups_of,
    protected,
    segments_of,
)
from tocsin.service.stacks import window_profiles
from tocsin.values import DAY, Bounded, Measure, Undefined, Window, WindowSpec, format_duration

# Points that one picture can show.
MOST_POINTS = 500


class Condition(StrEnum):
    """How a model is, in a word; the worst first."""

    BREACH = "breach"
    WATCH = "watch"
    WAITING = "waiting for labels"
    NO_DATA = "no data"
    HEALTHY = "healthy"


@dataclass(frozen=True)
class Point:
    """One metric of one window. versions: its rows by model version."""

    window: Window
    revision: int
    rows: int
    coverage: float
    versions: Mapping[str, int]
    measure: Measure


@dataclass(frozen=True)
class Series:
    """One metric over time. reference: the same metric of the reference; segment: of which rows."""

    metric: Metric
    spec: WindowSpec
    points: tuple[Point, ...]
    reference: Measure
    segment: str = EVERYTHING


@dataclass(frozen=True)
class Overview:
    """A model in one row.

    version: that made most predictions of the newest window. headline: of the day-long windows, or
    of the longest there are.
    """

    name: str
    version: str
    condition: Condition
    headline: Series
    coverage: float | None
    rows_in_a_day: int
    open_incidents: tuple[Incident, ...]
    newest_event: int | None


@dataclass(frozen=True)
class ModelDetail:
    """A model with everything that was declared, derived and counted about it.

    segments: their values by the name of the dimension.
    """

    overview: Overview
    monitor: Monitor
    notes: tuple[str, ...]
    counts: dict[str, int]
    reference_rows: int
    latest: Evaluation | None
    segments: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class DriftPoint:
    """The verdicts on all columns of one window."""

    window: Window
    rows: int
    shifts: dict[str, Shift]


@dataclass(frozen=True)
class FeatureView:
    """One feature of one window against the reference: shares of rows by bin."""

    name: str
    window: Window
    bins: tuple[str, ...]
    regular: int
    reference: tuple[float, ...]
    current: tuple[float, ...]
    shift: Shift | None


@dataclass(frozen=True)
class IncidentDetail:
    """An incident with its alerts and what happened to it."""

    incident: Incident
    episodes: tuple[Episode, ...]
    timeline: tuple[TimelineEntry, ...]


@dataclass(frozen=True)
class Status:
    """How Tocsin itself is. waiting_since: wall time of the oldest row not folded, None if none."""

    models: int
    waiting_rows: int
    waiting_since: int | None
    changed_models: int
    outbox: dict[str, int]


class Read:
    """Answers questions; changes nothing."""

    def __init__(self, records: Records, lake: Lake) -> None:
        self._records = records
        self._lake = lake

    def overviews(self) -> list[Overview]:
        """All models, the worst first."""
        with self._records.read() as connection:
            found = [_overview(connection, record) for record in models.all_models(connection)]
        order = list(Condition)
        return sorted(found, key=lambda o: (order.index(o.condition), o.name))

    def model(self, name: str) -> ModelDetail:
        """One model. Raises: UnknownModelError."""
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            overview = _overview(connection, record)
            return ModelDetail(
                overview=overview,
                monitor=monitor,
                notes=record.notes,
                counts=models.counts(connection, record.id),
                reference_rows=round(float(record.reference.total("n"))),
                latest=_latest(connection, record, overview.headline.spec),
                segments={s.name: s.values for s in record.plan.segments},
            )

    def series(
        self,
        name: str,
        metric: str,
        *,
        window: int | None = None,
        span: int = 30 * DAY,
        most: int = MOST_POINTS,
        segment: str = EVERYTHING,
    ) -> Series:
        """A metric over the newest `span` of event time, thinned evenly to at most `most` windows.

        window: size; the headline's when None. segment: such as `country=DE`.
        Raises: UnknownModelError; InvalidInputError for a metric or segment that there is not.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            check_segment(record, segment)
            spec, chosen = _spec(monitor, window), metric_named(monitor, metric)
            found = _evaluations(connection, record, spec, span, most)
            if segment == EVERYTHING and all(chosen.name in e.measures for e in found):
                return _series_of(record, chosen, spec, found)
            return _measured_now(connection, record, monitor, [chosen], spec, found, segment)[
                chosen.name
            ]

    def numbers(
        self,
        name: str,
        *,
        window: int | None = None,
        span: int = 30 * DAY,
        segment: str = EVERYTHING,
    ) -> dict[str, Series]:
        """All metrics as `series` gives one, in one pass.

        Raises: UnknownModelError, InvalidInputError.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            check_segment(record, segment)
            spec = _spec(monitor, window)
            found = _evaluations(connection, record, spec, span, MOST_POINTS)
            metrics = list(monitor.metrics.values())
            if segment != EVERYTHING:
                return _measured_now(connection, record, monitor, metrics, spec, found, segment)
            return {m.name: _series_of(record, m, spec, found) for m in metrics}

    def drift(
        self, name: str, *, window: int | None = None, span: int = 7 * DAY, most: int = 120
    ) -> list[DriftPoint]:
        """The verdicts over the newest `span`, at most `most` windows, the oldest first."""
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            spec = _spec(monitor, monitor.windows[0].size if window is None else window)
            found = _evaluations(connection, record, spec, span, most)
            return [DriftPoint(e.window, e.rows, dict(e.shifts)) for e in found]

    def feature(self, name: str, feature: str, *, window: int | None = None) -> FeatureView | None:
        """A feature in the newest window; None when the model has no such feature or no window."""
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            latest = _latest(connection, record, _spec(monitor, window))
            if latest is None or feature not in {f.name for f in monitor.schema.features}:
                return None
            stack, _ = window_profiles(connection, record, monitor.granularity, [latest.window])
            now = Profile(stack.plan, stack.vector[0]).feature(feature)
            before = record.reference.feature(feature)
            return FeatureView(
                feature,
                latest.window,
                now.bins.labels,
                now.bins.regular,
                reference=tuple(before.shares.tolist()),
                current=tuple(now.shares.tolist()),
                shift=latest.shifts.get(feature),
            )

    def segments(
        self, name: str, *, metric: str | None = None, window: int | None = None
    ) -> SegmentsView | None:
        """The newest window by segments; None without a window.

        metric: the headline's when None. Raises: UnknownModelError, InvalidInputError.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            chosen = _headline(monitor) if metric is None else metric_named(monitor, metric)
            latest = _latest(connection, record, _spec(monitor, window))
            if latest is None:
                return None
            return segments_of(connection, record, monitor, chosen, latest.window)

    def groups(self, name: str, attribute: str, *, window: int | None = None) -> GroupsView | None:
        """How the groups of an attribute are treated in the newest window; None without a window.

        window: size; the longest that has closed when None.
        Raises: UnknownModelError, InvalidInputError.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            segment = protected(record, attribute)
            # The longest that there is: groups are small.
            specs = monitor.windows[::-1] if window is None else (_spec(monitor, window),)
            latest = (_latest(connection, record, spec) for spec in specs)
            newest = next((found for found in latest if found is not None), None)
            if newest is None:
                return None
            return groups_of(connection, record, monitor, segment, newest.window)

    def incidents(self, *, model: str | None = None, open_only: bool = False) -> list[Incident]:
        """Incidents, the newest first. Raises: UnknownModelError."""
        with self._records.read() as connection:
            model_id = None if model is None else models.model_named(connection, model).id
            return alerts.list_incidents(connection, model_id=model_id, open_only=open_only)

    def incident(self, incident_id: int) -> IncidentDetail | None:
        """An incident by its number, None when there is none."""
        with self._records.read() as connection:
            found = alerts.incident(connection, incident_id)
            if found is None:
                return None
            return IncidentDetail(
                found,
                tuple(alerts.episodes_of(connection, incident_id)),
                tuple(alerts.timeline_of(connection, incident_id)),
            )

    def summary(self, name: str) -> dict[str, Any]:
        """Counts of everything that happened to a model. Raises: UnknownModelError."""
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            evaluated, windows = evaluations.total(connection, record.id)
            return {
                **models.counts(connection, record.id),
                "evaluations": evaluated,
                "windows_evaluated": windows,
                "alerts": alerts.fired_by_rule(connection, record.id),
            }

    def quarantine(self, name: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """The newest rows in quarantine, as they came. Raises: UnknownModelError."""
        with self._records.read() as connection:
            record = models.model_named(connection, name)
        monitor = parse_monitor(name, record.monitor)
        rows = self._lake.model(record.id, name, monitor.schema).quarantined(limit).to_pylist()
        return [
            {
                "received_at": row["timestamp"].isoformat(),
                "kind": row["kind"],
                "reason": row["reason"],
                "row": msgspec.json.decode(row["row"]),
            }
            for row in rows
        ]

    def changes(self, after: int) -> list[tuple[int, str]]:
        """(id, topic) of what changed after an id."""
        with self._records.read() as connection:
            return changes.since(connection, after)

    def newest_change(self) -> int:
        """The id of the newest change."""
        with self._records.read() as connection:
            return changes.newest(connection)

    def status(self) -> Status:
        """How far Tocsin itself is behind."""
        with self._records.read() as connection:
            waiting = inbox.waiting(connection)
            return Status(
                models=models.number(connection),
                waiting_rows=sum(rows for rows, _ in waiting.values()),
                waiting_since=min((since for _, since in waiting.values()), default=None),
                changed_models=len(models.names_with_changes(connection)),
                outbox=outbox.by_state(connection),
            )


def _overview(connection: Connection, record: ModelRecord) -> Overview:
    monitor = parse_monitor(record.name, record.monitor)
    spec = _spec(monitor, None)
    found = _evaluations(connection, record, spec, 14 * DAY, MOST_POINTS)
    headline = _series_of(record, _headline(monitor), spec, found)
    latest = headline.points[-1] if headline.points else None
    open_incidents = alerts.list_incidents(connection, model_id=record.id, open_only=True)
    return Overview(
        name=record.name,
        version=monitor.version if latest is None else _most_used(latest.versions),
        condition=_condition(connection, open_incidents, latest),
        headline=headline,
        coverage=None if latest is None else latest.coverage,
        rows_in_a_day=0 if latest is None else latest.rows,
        open_incidents=tuple(open_incidents),
        newest_event=record.newest_event,
    )


def _most_used(versions: Mapping[str, int]) -> str:
    return max(versions, key=lambda version: versions[version])


def _condition(
    connection: Connection, open_incidents: Sequence[Incident], latest: Point | None
) -> Condition:
    if open_incidents:
        firing = [
            episode.category
            for incident in open_incidents
            for episode in alerts.episodes_of(connection, incident.id)
            if episode.resolved is None
        ]
        return Condition.BREACH if "performance" in firing else Condition.WATCH
    if latest is None:
        return Condition.NO_DATA
    return Condition.HEALTHY if isinstance(latest.measure, Bounded) else Condition.WAITING


def _headline(monitor: Monitor) -> Metric:
    """The metric of the first rule that has one, else the one that tells most."""
    ruled = [rule.metric for rule in monitor.rules if rule.metric in monitor.metrics]
    return monitor.metrics[ruled[0] if ruled else monitor.metrics.headline]


def metric_named(monitor: Monitor, name: str) -> Metric:
    """A metric of the model. Raises: InvalidInputError."""
    return monitor.metrics.find(name)


def check_segment(record: ModelRecord, segment: str) -> None:
    """Raises: InvalidInputError for a segment that the model does not have."""
    known = [key for values in record.plan.segments for key in values.keys()]  # noqa: SIM118
    if segment != EVERYTHING and segment not in known:
        raise InvalidInputError(
            f"there is no segment {segment!r}; "
            + (f"there are {', '.join(known)}" if known else "declare some with `segments`")
        )


def _spec(monitor: Monitor, window: int | None) -> WindowSpec:
    """The windows of a size; of a day, or the longest, when None.

    Raises: InvalidInputError for a size that the monitor does not have.
    """
    if window is None:
        return next((s for s in monitor.windows if s.size == DAY), monitor.windows[-1])
    for spec in monitor.windows:
        if spec.size == window:
            return spec
    sizes = ", ".join(spec.name for spec in monitor.windows)
    raise InvalidInputError(f"window {format_duration(window)} is not one of {sizes}")


def _series_of(
    record: ModelRecord, metric: Metric, spec: WindowSpec, found: Sequence[Evaluation]
) -> Series:
    unknown = Undefined("this window was measured before the metric was declared")
    points = tuple(
        Point(
            e.window, e.revision, e.rows, e.coverage, e.versions,
            e.measures.get(metric.name, unknown),
        )
        for e in found
    )  # fmt: skip
    return Series(metric, spec, points, _reference(record, metric, EVERYTHING))


def _reference(record: ModelRecord, metric: Metric, segment: str) -> Measure:
    if segment != EVERYTHING:
        return Undefined("the reference is known of all rows only")
    return metric.measure(record.reference).at()


def _measured_now(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    metrics: Sequence[Metric],
    spec: WindowSpec,
    found: Sequence[Evaluation],
    segment: str,
) -> dict[str, Series]:
    """Metrics that are not stored, from the profiles of the evaluated windows."""
    stack, versions = window_profiles(
        connection, record, monitor.granularity, [e.window for e in found], segment=segment
    )
    rows, labelled = stack.total("n"), stack.total("labelled")
    coverage = labelled / np.maximum(rows, 1)

    def series(metric: Metric) -> Series:
        measured = metric.measure(stack)
        points = tuple(
            Point(
                e.window, e.revision, round(float(rows[i])), float(coverage[i]), versions[i],
                measured.at(i),
            )
            for i, e in enumerate(found)
        )  # fmt: skip
        return Series(metric, spec, points, _reference(record, metric, segment), segment)

    return {metric.name: series(metric) for metric in metrics}


def _evaluations(
    connection: Connection, record: ModelRecord, spec: WindowSpec, span: int, most: int
) -> list[Evaluation]:
    """The newest evaluations over a span, thinned evenly; the newest is always among them."""
    ends = evaluations.newest_ends(connection, record.id, spec, span)
    thinned = ends[:: max(1, -(-len(ends) // most))]
    found = evaluations.at(connection, record.id, spec.size, thinned)
    return [found[end] for end in sorted(found)]


def _latest(connection: Connection, record: ModelRecord, spec: WindowSpec) -> Evaluation | None:
    newest = evaluations.newest_end(connection, record.id, spec)
    if newest is None:
        return None
    return evaluations.at(connection, record.id, spec.size, [newest])[newest]
