"""How a model is, in a word and in its most telling number."""

from collections.abc import Mapping, Sequence

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, parse_monitor
from tocsin.metrics import Metric
from tocsin.records import alerts
from tocsin.records.alerts import Incident
from tocsin.records.models import ModelRecord
from tocsin.service.evaluated import evaluations_over
from tocsin.service.outlook import crossings_of
from tocsin.service.series import stored_series
from tocsin.service.views import Condition, Overview, Point
from tocsin.service.windows import spec_of
from tocsin.values import DAY, Bounded

# Points that one picture can show.
MOST_POINTS = 500


def overview_of(connection: Connection, record: ModelRecord) -> Overview:
    """How a model is over the last two weeks."""
    monitor = parse_monitor(record.name, record.monitor)
    spec = spec_of(monitor, None)
    found = evaluations_over(connection, record, spec, 14 * DAY, MOST_POINTS)
    headline = stored_series(record, monitor, headline_of(monitor), spec, found)
    latest = headline.points[-1] if headline.points else None
    open_incidents = alerts.list_incidents(connection, model_id=record.id, open_only=True)
    return Overview(
        name=record.name,
        version=monitor.version if latest is None else _most_used(latest.versions),
        condition=_condition(connection, record, monitor, open_incidents, headline.telling),
        headline=headline,
        coverage=None if latest is None else latest.coverage,
        rows_in_a_day=0 if latest is None else latest.rows,
        open_incidents=tuple(open_incidents),
        newest_event=record.newest_event,
    )


def _most_used(versions: Mapping[str, int]) -> str:
    return max(versions, key=lambda version: versions[version])


def _condition(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    open_incidents: Sequence[Incident],
    told: Point | None,
) -> Condition:
    """Breach: measured; at risk: estimated or foreseen; watch: a fault without a known effect."""
    firing = {
        episode.category
        for incident in open_incidents
        for episode in alerts.episodes_of(connection, incident.id)
        if episode.resolved is None
    }
    if "performance" in firing:
        return Condition.BREACH
    if "early" in firing or crossings_of(connection, record, monitor):
        return Condition.AT_RISK
    if open_incidents:
        return Condition.WATCH
    if told is None:
        return Condition.NO_DATA
    return Condition.HEALTHY if isinstance(told.measure, Bounded) else Condition.WAITING


def headline_of(monitor: Monitor) -> Metric:
    """The metric of the first rule that has one, else the one that tells most."""
    ruled = [rule.metric for rule in monitor.rules if rule.metric in monitor.metrics]
    return monitor.metrics[ruled[0] if ruled else monitor.metrics.headline]
