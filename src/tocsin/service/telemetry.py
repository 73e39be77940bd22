"""What Prometheus scrapes: models as they were last measured, and Tocsin itself."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, parse_monitor
from tocsin.records import Records, alerts, models, outbox
from tocsin.records.alerts import SEVERITIES
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.rules import Phase
from tocsin.service.deliver import Deliver
from tocsin.service.evaluated import latest_evaluation
from tocsin.service.overview import headline_of
from tocsin.service.segments import segments_of
from tocsin.service.watch_self import WatchSelf
from tocsin.service.windows import spec_of
from tocsin.values import SECOND, Bounded

# More would make Prometheus expensive, and nobody looks at them there.
MOST_FEATURES = MOST_SEGMENTS = 50

# Name, kind and meaning of every family, in the order in which they are told.
FAMILIES: dict[str, tuple[str, str]] = {
    "tocsin_model_info": ("gauge", "Models that are monitored; always 1."),
    "tocsin_performance": ("gauge", "A metric of the newest window."),
    "tocsin_drift": ("gauge", "How far a column is from its reference, by the method's statistic."),
    "tocsin_features_dropped": ("gauge", "Columns that tocsin_drift leaves out, the least moved."),
    "tocsin_window_samples": ("gauge", "Predictions in the newest window."),
    "tocsin_window_end_timestamp_seconds": ("gauge", "Event time at which the newest window ends."),
    "tocsin_label_coverage_ratio": ("gauge", "Labelled share of the newest window."),
    "tocsin_alerts": ("gauge", "Alerts by where they stand."),
    "tocsin_ingested_rows_total": ("counter", "Rows that were accepted."),
    "tocsin_quarantined_rows_total": ("counter", "Rows that did not fit the schema."),
    "tocsin_fold_lag_seconds": ("gauge", "Age of the oldest row that is not folded."),
    "tocsin_evaluation_lag_seconds": ("gauge", "For how long a window waits to be evaluated."),
    "tocsin_outbox_pending": ("gauge", "Messages that wait to be sent."),
    "tocsin_outbox_dead": ("gauge", "Messages that were given up."),
    "tocsin_outbox_oldest_age_seconds": ("gauge", "Age of the oldest message that waits."),
    "tocsin_notifications_total": ("counter", "Tries to deliver, by how they ended."),
}


@dataclass(frozen=True)
class Sample:
    """One number of a family."""

    family: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Telemetry:
    """Reads all numbers at once; never by run, window or user, whose number has no bound."""

    def __init__(self, records: Records, watch_self: WatchSelf, deliver: Deliver) -> None:
        self._records = records
        # By model: what its segments were measured on, and what came of it.
        self._segments: dict[int, tuple[tuple[int, int], list[Sample]]] = {}
        self._watch_self = watch_self
        self._deliver = deliver

    def samples(self) -> list[Sample]:
        """All numbers."""
        lags = self._watch_self.lags()
        with self._records.read() as connection:
            found = [
                sample
                for record in models.all_models(connection)
                for sample in self._of_model(connection, record)
            ]
            found += _alerts(connection)
            waiting = outbox.by_state(connection)
        pending = waiting.get("pending", 0) + waiting.get("leased", 0)
        found += [
            Sample("tocsin_fold_lag_seconds", lags.fold / SECOND),
            Sample("tocsin_evaluation_lag_seconds", lags.evaluation / SECOND),
            Sample("tocsin_outbox_pending", pending),
            Sample("tocsin_outbox_dead", waiting.get("dead", 0)),
            Sample("tocsin_outbox_oldest_age_seconds", lags.oldest_message / SECOND),
        ]
        for (receiver, outcome), n in sorted(self._deliver.counts.items()):
            labels = {"receiver": receiver, "outcome": outcome}
            found.append(Sample("tocsin_notifications_total", n, labels))
        return found

    def _of_model(self, connection: Connection, record: ModelRecord) -> Iterator[Sample]:
        monitor = parse_monitor(record.name, record.monitor)
        yield from _counted(models.counts(connection, record.id), record.name)
        latest = latest_evaluation(connection, record, spec_of(monitor, None))
        # Of rows of several versions it is told as that of most of them.
        versions = {} if latest is None else latest.versions
        version = max(versions, key=lambda v: versions[v]) if versions else monitor.version
        named = {"model": record.name, "version": version}
        yield Sample("tocsin_model_info", 1, {**named, "task": str(monitor.schema.task)})
        if latest is None:
            return
        yield Sample("tocsin_window_samples", latest.rows, named)
        yield Sample("tocsin_window_end_timestamp_seconds", latest.window.end / SECOND, named)
        yield Sample("tocsin_label_coverage_ratio", latest.coverage, named)
        for metric, measure in latest.measures.items():
            # Not the numbers that are made for rules, some of one segment or version each.
            if isinstance(measure, Bounded) and metric in monitor.metrics:
                labels = {**named, "metric": metric, "segment": ""}
                yield Sample("tocsin_performance", measure.value, labels)
        yield from self._of_segments(connection, record, monitor, latest, named)
        yield from _drift(latest, named)

    def _of_segments(
        self,
        connection: Connection,
        record: ModelRecord,
        monitor: Monitor,
        latest: Evaluation,
        named: Mapping[str, str],
    ) -> list[Sample]:
        """The headline metric by segment: measured once for each revision of a window."""
        key = (latest.window.end, latest.known_offset)
        known = self._segments.get(record.id)
        if known is None or known[0] != key:
            headline = headline_of(monitor)
            view = segments_of(connection, record, monitor, headline, latest.window)
            found = [
                Sample(
                    "tocsin_performance",
                    value.measure.value,
                    {**named, "metric": headline.name, "segment": value.key},
                )
                for values in view.segments.values()
                for value in values[:MOST_SEGMENTS]
                if isinstance(value.measure, Bounded)
            ]
            known = self._segments[record.id] = (key, found)
        return known[1]


def _counted(counts: Mapping[str, int], model: str) -> Iterator[Sample]:
    for kind in ("predictions", "outcomes"):
        labels = {"model": model, "kind": kind}
        yield Sample("tocsin_ingested_rows_total", counts[kind], labels)
    yield Sample("tocsin_quarantined_rows_total", counts["quarantined"], {"model": model})


def _drift(latest: Evaluation, named: Mapping[str, str]) -> Iterator[Sample]:
    moved = sorted(latest.shifts.items(), key=lambda item: -item[1].js_distance)
    for feature, shift in moved[:MOST_FEATURES]:
        labels = {**named, "feature": feature, "method": shift.method or "js_distance"}
        value = shift.js_distance if shift.value is None else shift.value
        yield Sample("tocsin_drift", value, labels)
    yield Sample("tocsin_features_dropped", max(0, len(moved) - MOST_FEATURES), named)


def _alerts(connection: Connection) -> Iterator[Sample]:
    """How many alerts are pending, fire, or recover, of all models together."""
    counts: Counter[tuple[str, str]] = Counter()
    for record in models.all_models(connection):
        rules = parse_monitor(record.name, record.monitor).rules
        severities = {rule.name: rule.severity for rule in rules}
        for (rule, phase), n in alerts.phases(connection, record.id).items():
            if rule in severities:
                counts[str(phase), severities[rule]] += n
    for phase in (Phase.PENDING, Phase.FIRING, Phase.RECOVERING):
        for severity in SEVERITIES:
            labels = {"state": str(phase), "severity": severity}
            yield Sample("tocsin_alerts", counts[str(phase), severity], labels)
