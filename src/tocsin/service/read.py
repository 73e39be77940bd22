"""What the faces show: read only, from records and profiles, never from rows."""

from collections.abc import Mapping
from typing import Any

from tocsin.declared import ReferenceKind, parse_monitor
from tocsin.errors import InvalidInputError
from tocsin.lake import Lake
from tocsin.metrics import VOLUME_METRIC, Metric
from tocsin.profiles import EVERYTHING, Profile
from tocsin.quality import VOLUME
from tocsin.records import (
    Records,
    alerts,
    changes,
    channels,
    evaluations,
    inbox,
    models,
    outbox,
    positions,
)
from tocsin.records.alerts import Incident
from tocsin.service.estimated import EstimatedSeries, estimated_series
from tocsin.service.evaluated import evaluations_over, latest_evaluation
from tocsin.service.learning import learning_at
from tocsin.service.maturity import final_after
from tocsin.service.outlook import Outlook, outlook_of
from tocsin.service.overview import MOST_POINTS, headline_of, overview_of
from tocsin.service.segments import (
    GroupsView,
    SegmentsView,
    check_segment,
    groups_of,
    protected,
    segments_of,
)
from tocsin.service.series import measured_series, stored_series
from tocsin.service.stacks import window_profiles
from tocsin.service.statistics import ColumnStatistics, statistics_of
from tocsin.service.trailing import measured_from
from tocsin.service.versions import VersionsView, drift_of_version, versions_of
from tocsin.service.views import (
    Condition,
    DriftPoint,
    FeatureView,
    IncidentDetail,
    ModelDetail,
    Overview,
    Series,
    Status,
)
from tocsin.service.windows import spec_of
from tocsin.values import DAY


class Read:
    """Answers questions; changes nothing."""

    def __init__(self, records: Records, lake: Lake) -> None:
        self._records = records
        self._lake = lake

    def overviews(self) -> list[Overview]:
        """All models, the worst first."""
        with self._records.read() as connection:
            found = [overview_of(connection, record) for record in models.all_models(connection)]
        order = list(Condition)
        return sorted(found, key=lambda o: (order.index(o.condition), o.name))

    def model(self, name: str) -> ModelDetail:
        """One model. Raises: UnknownModelError."""
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            overview = overview_of(connection, record)
            return ModelDetail(
                overview=overview,
                monitor=monitor,
                notes=record.notes,
                counts=models.counts(connection, record.id),
                reference_rows=round(float(record.reference.total("n"))),
                latest=latest_evaluation(connection, record, overview.headline.spec),
                segments={s.name: s.values for s in record.plan.segments},
                maturity=record.maturity,
                final_after=final_after(record, monitor),
                rebuilding=next((r for r in models.rebuilds(connection) if r.model == name), None),
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
        version: str | None = None,
        as_of: int | None = None,
    ) -> Series:
        """A metric over the newest `span` of event time, thinned evenly to at most `most` windows.

        window: size; the headline's when None. segment: such as `country=DE`. version: only its
        rows. as_of: a wall time; the numbers as they were known then, None for now.
        Raises: UnknownModelError; InvalidInputError for a metric or segment that there is not, and
        for an earlier time with a metric that was not stored.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            check_segment(record, segment)
            # What rules may look at has a series, though it is no metric of the model.
            chosen = VOLUME_METRIC if metric == VOLUME else monitor.metrics.find(metric)
            spec = spec_of(monitor, window)
            found = evaluations_over(connection, record, spec, span, most, as_of)
            whole = segment == EVERYTHING and version is None
            if whole and all(chosen.name in e.measures for e in found):
                return stored_series(record, monitor, chosen, spec, found, as_of)
            _check_stored(chosen, as_of)
            return measured_series(
                connection, record, monitor, [chosen], spec, found, segment, version
            )[chosen.name]

    def numbers(
        self,
        name: str,
        *,
        window: int | None = None,
        span: int = 30 * DAY,
        segment: str = EVERYTHING,
        version: str | None = None,
        as_of: int | None = None,
    ) -> dict[str, Series]:
        """All metrics as `series` gives one, in one pass.

        Raises: UnknownModelError, InvalidInputError.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            check_segment(record, segment)
            spec = spec_of(monitor, window)
            found = evaluations_over(connection, record, spec, span, MOST_POINTS, as_of)
            metrics = list(monitor.metrics.values())
            if segment != EVERYTHING or version is not None:
                _check_stored(metrics[0], as_of)
                return measured_series(
                    connection, record, monitor, metrics, spec, found, segment, version
                )
            return {m.name: stored_series(record, monitor, m, spec, found, as_of) for m in metrics}

    def estimates(
        self, name: str, *, window: int | None = None, span: int = 30 * DAY, most: int = MOST_POINTS
    ) -> Mapping[str, EstimatedSeries]:
        """What was estimated before labels, and what came out, by metric; empty where nothing is.

        Raises: UnknownModelError; InvalidInputError for a window that the monitor does not have.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            spec = spec_of(monitor, window)
            found = evaluations_over(connection, record, spec, span, most)
            return estimated_series(record, monitor, spec, found)

    def drift(
        self,
        name: str,
        *,
        window: int | None = None,
        span: int = 7 * DAY,
        most: int = 120,
        version: str | None = None,
        reference: ReferenceKind | None = None,
    ) -> list[DriftPoint]:
        """The verdicts over the newest `span`, at most `most` windows, the oldest first.

        version: only of its rows, against what is usual in all. reference: that which decides if
        None; of the other one nothing is known to be usual, so a column without a method is judged
        by its Jensen-Shannon distance alone.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            spec = spec_of(monitor, monitor.windows[0].size if window is None else window)
            found = evaluations_over(connection, record, spec, span, most)
            other = reference not in (None, monitor.drift.reference)
            if other:
                monitor = measured_from(monitor, reference or "frozen")
            if other or version is not None:
                return drift_of_version(connection, record, monitor, spec, found, version)
            return [DriftPoint(e.window, e.rows, dict(e.shifts)) for e in found]

    def versions(self, name: str, *, span: int) -> VersionsView | None:
        """The versions side by side over the newest `span`; None without any rows."""
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            return versions_of(connection, record, parse_monitor(name, record.monitor), span)

    def feature(
        self, name: str, feature: str, *, window: int | None = None, version: str | None = None
    ) -> FeatureView | None:
        """A feature in the newest window; None when the model has no such feature or no window."""
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            latest = latest_evaluation(connection, record, spec_of(monitor, window))
            if latest is None or feature not in {f.name for f in monitor.schema.features}:
                return None
            stack, _ = window_profiles(
                connection, record, monitor.granularity, [latest.window], version=version
            )
            shift = latest.shifts.get(feature)
            if version is not None:
                (point,) = drift_of_version(
                    connection, record, monitor, spec_of(monitor, window), [latest], version
                )
                shift = point.shifts.get(feature)
            now = Profile(stack.plan, stack.vector[0]).feature(feature)
            before = record.reference.feature(feature)
            return FeatureView(
                feature,
                latest.window,
                now.bins.labels,
                now.bins.regular,
                reference=tuple(before.shares.tolist()),
                current=tuple(now.shares.tolist()),
                shift=shift,
            )

    def statistics(
        self, name: str, column: str, *, window: int | None = None, version: str | None = None
    ) -> ColumnStatistics | None:
        """All statistics of a column in the newest window, against both references.

        None when no window has closed yet. Raises: UnknownModelError; InvalidInputError for a
        column that is not watched.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            latest = latest_evaluation(connection, record, spec_of(monitor, window))
            if latest is None:
                return None
            judged = None if version is not None else latest.shifts.get(column)
            return statistics_of(
                connection, record, monitor, latest.window, column, version, judged
            )

    def outlook(self, name: str) -> Outlook:
        """Where the series of a model's rules are going. Raises: UnknownModelError."""
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            return outlook_of(connection, record, parse_monitor(name, record.monitor))

    def segments(
        self, name: str, *, metric: str | None = None, window: int | None = None
    ) -> SegmentsView | None:
        """The newest window by segments; None without a window.

        metric: the headline's when None. Raises: UnknownModelError, InvalidInputError.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            chosen = headline_of(monitor) if metric is None else monitor.metrics.find(metric)
            latest = latest_evaluation(connection, record, spec_of(monitor, window))
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
            specs = monitor.windows[::-1] if window is None else (spec_of(monitor, window),)
            latest = (latest_evaluation(connection, record, spec) for spec in specs)
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
                learning_at(connection, found),
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

    def sources(self, name: str) -> list[positions.SourcePosition]:
        """How far the sources of a model were read. Raises: UnknownModelError."""
        with self._records.read() as connection:
            return positions.positions(connection, models.model_named(connection, name).id)

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
                rebuilding=tuple(models.rebuilds(connection)),
                disabled=tuple(channels.disabled(connection)),
            )


def _check_stored(metric: Metric, as_of: int | None) -> None:
    """Raises: InvalidInputError when a metric is measured from the profiles of now."""
    if as_of is not None:
        raise InvalidInputError(
            f"{metric.name!r} was not measured then: of an earlier time there are the metrics of "
            "all rows that the monitor had"
        )
