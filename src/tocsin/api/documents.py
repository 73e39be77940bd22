"""Values as JSON documents: times in ISO 8601, durations as people write them."""

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from tocsin.drift import Judgement
from tocsin.metrics.methods import method_of
from tocsin.records.alerts import Incident
from tocsin.records.erasures import Erasure
from tocsin.records.models import Rebuilding
from tocsin.service.estimated import EstimatedPoint, EstimatedSeries
from tocsin.service.grouped import cause_document
from tocsin.service.segments import GroupsView, SegmentsView
from tocsin.service.sentences import point_sentence
from tocsin.service.statistics import ColumnStatistics
from tocsin.service.trouble import Failing
from tocsin.service.versions import VersionsView
from tocsin.service.views import DriftPoint, IncidentDetail, ModelDetail, Overview, Series
from tocsin.values import Measure, Undefined, Window, format_duration, isoformat


def measure_document(measure: Measure) -> dict[str, Any]:
    """A number with its bounds, or the reason why there is none."""
    if isinstance(measure, Undefined):
        return {"value": None, "reason": measure.reason, "n": measure.n}
    # An end of which nothing is known is infinite, for which JSON has no word.
    return {k: v if v is None or isfinite(v) else None for k, v in asdict(measure).items()}


def overview_document(overview: Overview) -> dict[str, Any]:
    """A model in short."""
    told = overview.headline.telling
    return {
        "name": overview.name,
        "version": overview.version,
        "condition": str(overview.condition),
        "metric": overview.headline.metric.name,
        "latest": None if told is None else measure_document(told.measure),
        "latest_until": None if told is None else _time(told.window.end),
        "reference": measure_document(overview.headline.reference),
        "coverage": overview.coverage,
        "rows_in_a_day": overview.rows_in_a_day,
        "open_incidents": [incident.id for incident in overview.open_incidents],
        "newest_event": _time(overview.newest_event),
    }


def model_document(detail: ModelDetail) -> dict[str, Any]:
    """A model with its monitor."""
    monitor = detail.monitor
    return {
        **overview_document(detail.overview),
        "model_uri": monitor.model_uri,
        "schema": monitor.schema.to_dict(),
        "granularity": format_duration(monitor.granularity),
        "windows": [
            {"window": spec.name, "every": format_duration(spec.every)} for spec in monitor.windows
        ],
        "lateness": format_duration(monitor.lateness),
        "privacy": {
            "hash": sorted(monitor.privacy.hash),
            "drop": sorted(monitor.privacy.drop),
        },
        "labels": _labels_document(detail),
        "metrics": list(monitor.metrics),
        "segments": detail.segments,
        "rules": [
            {**asdict(rule), "window": format_duration(rule.window)} for rule in monitor.rules
        ],
        "notes": list(detail.notes),
        "counts": detail.counts,
        "reference_rows": detail.reference_rows,
        "rebuilding": None if detail.rebuilding is None else rebuilding_document(detail.rebuilding),
    }


def rebuilding_document(rebuilding: Rebuilding) -> dict[str, Any]:
    """How many days of the lake a rebuild has read; null before it begins."""
    return {
        "model": rebuilding.model,
        "days_done": rebuilding.done,
        "days": rebuilding.days,
    }


def _labels_document(detail: ModelDetail) -> dict[str, Any]:
    """How late labels come, and when windows are final."""
    learned = detail.maturity
    known = learned is not None and detail.monitor.label_delay is None
    return {
        "max": format_duration(detail.monitor.label_horizon),
        "final_after": format_duration(detail.final_after),
        "learned": known and learned is not None and learned.delay is not None,
        "seen": 0 if learned is None else learned.labels,
        "median_delay": None
        if learned is None or learned.median is None
        else format_duration(learned.median),
        "arrived": []
        if learned is None
        else [
            {"delay": format_duration(delay), "share": share} for delay, share in learned.arrived
        ],
    }


def series_document(series: Series) -> dict[str, Any]:
    """A metric over time."""
    return {
        "metric": series.metric.name,
        "title": series.metric.title,
        "unit": series.metric.unit,
        "higher_is_better": series.metric.higher_is_better,
        "method": method_of(series.metric),
        "segment": series.segment or None,
        "version": series.version,
        "window": series.spec.name,
        "every": format_duration(series.spec.every),
        "reference": measure_document(series.reference),
        "points": [
            {
                **window_document(point.window),
                "revision": point.revision,
                "known_at": isoformat(point.known_at),
                "state": "final" if point.final else "provisional",
                "rows": point.rows,
                "coverage": point.coverage,
                **measure_document(point.measure),
                "sentence": point_sentence(series, point),
            }
            for point in series.points
        ],
    }


def estimates_document(series: EstimatedSeries) -> dict[str, Any]:
    """The estimates of a metric beside what came out, and their backtest."""
    tested = series.backtest
    return {
        "metric": series.metric.name,
        "window": series.spec.name,
        "every": format_duration(series.spec.every),
        "reference": measure_document(series.reference),
        "sentence": series.sentence(),
        "backtest": {
            "windows": tested.windows,
            "mae": tested.mae if tested.windows else None,
            "mae_no_change": tested.mae_no_change if tested.windows else None,
            "coverage": tested.coverage if tested.windows else None,
            "skill": tested.skill,
            "failed": tested.failed,
        },
        "points": [_estimated(point) for point in series.points],
    }


def _estimated(point: EstimatedPoint) -> dict[str, Any]:
    made = point.estimate
    return {
        **window_document(point.window),
        "rows": point.rows,
        "coverage": point.coverage,
        "state": "final" if point.final else "provisional",
        "estimate": None if made is None else measure_document(made.measure),
        "method": None if made is None else made.method,
        "trusted": made is not None and made.trusted,
        "flags": [] if made is None else [str(flag.name).lower() for flag in made.flags],
        "reasons": [] if made is None else list(made.reasons),
        "realised": measure_document(point.realised),
    }


def versions_document(view: VersionsView) -> dict[str, Any]:
    """All metrics by version, over one window."""
    return {
        **window_document(view.window),
        "versions": [
            {
                "version": column.version,
                "rows": column.rows,
                "labelled": column.labelled,
                "share": column.share,
                "first": isoformat(column.first),
                "last": isoformat(column.last),
                "metrics": {n: measure_document(m) for n, m in column.measures.items()},
            }
            for column in view.columns
        ],
        "reference": {name: measure_document(m) for name, m in view.reference.items()},
    }


def segments_document(view: SegmentsView) -> dict[str, Any]:
    """One metric by segments."""
    return {
        **window_document(view.window),
        "metric": view.metric.name,
        "all": measure_document(view.whole),
        "segments": {
            name: [
                {"segment": v.key, "value": v.value, "rows": v.rows}
                | {"measure": measure_document(v.measure)}
                for v in values
            ]
            for name, values in view.segments.items()
        },
    }


def groups_document(view: GroupsView) -> dict[str, Any]:
    """The criteria of fairness for the groups of one attribute."""
    return {
        **window_document(view.window),
        "attribute": view.attribute,
        "criteria": [
            {
                "criterion": criterion.name,
                "title": criterion.title,
                "metric": found.metric,
                "groups": {name: measure_document(m) for name, m in found.groups.items()},
                "difference": measure_document(found.difference),
                "ratio": measure_document(found.ratio),
                "p_value": found.p_value,
                "lowest": found.lowest,
                "highest": found.highest,
            }
            for criterion, found in view.comparisons
        ],
    }


def drift_document(point: DriftPoint) -> dict[str, Any]:
    """The verdicts of one window."""
    return {
        **window_document(point.window),
        "rows": point.rows,
        "columns": {name: asdict(shift) for name, shift in point.shifts.items()},
    }


def statistics_document(view: ColumnStatistics) -> dict[str, Any]:
    """Every statistic of one column in one window, by reference."""
    return {
        **window_document(view.window),
        "column": view.column,
        "method": view.method,
        "references": [
            {
                "reference": found.kind,
                **({} if found.window is None else {"covers": window_document(found.window)}),
                "rows": found.rows,
                "decides": found.decides,
                "reason": found.reason,
                "statistics": [_judgement_document(each) for each in found.judgements],
            }
            for found in view.references
        ],
    }


def _judgement_document(judgement: Judgement) -> dict[str, Any]:
    chosen = judgement.statistic
    return {
        "statistic": chosen.name,
        "title": chosen.title,
        "decides_by": chosen.decides,
        "value": _finite(judgement.value),
        "error": _finite(judgement.error),
        "threshold": judgement.threshold,
        "p_value": judgement.p_value,
        "n": judgement.n,
        "minimum_n": judgement.minimum_n,
        "verdict": str(judgement.verdict),
        "reason": judgement.reason,
    }


def _finite(number: float | None) -> float | None:
    return number if number is not None and isfinite(number) else None


def incident_document(incident: Incident, detail: IncidentDetail | None = None) -> dict[str, Any]:
    """An incident; with its detail also the alerts and the timeline."""
    document: dict[str, Any] = {
        "id": incident.id,
        "model": incident.model,
        "state": "open" if incident.resolved is None else "resolved",
        "severity": incident.severity,
        "title": incident.title,
        "opened": isoformat(incident.opened),
        "resolved": _time(incident.resolved),
        "opened_at": isoformat(incident.opened_at),
        "window": format_duration(incident.window_size),
        "window_end": isoformat(incident.window_end),
        "causes": [cause_document(cause) for cause in incident.causes],
        "acknowledged_by": incident.acknowledged_by,
        "acknowledged_at": _time(incident.acknowledged_at),
        "snoozed_until": _time(incident.snoozed_until),
        "assignee": incident.assignee,
        "verdict": incident.verdict,
        "merged_into": incident.merged_into,
    }
    if detail is not None:
        document["alerts"] = [
            {
                **asdict(episode),
                "started": isoformat(episode.started),
                "fired": isoformat(episode.fired),
                "resolved": _time(episode.resolved),
                "causes": [cause_document(cause) for cause in episode.causes],
            }
            for episode in detail.episodes
        ]
        document["learning"] = None if detail.learning is None else asdict(detail.learning)
        document["timeline"] = [
            {
                "event_time": isoformat(entry.event_time),
                "recorded_at": isoformat(entry.recorded_at),
                "kind": entry.kind,
                "text": entry.text,
                "actor": entry.actor or None,
            }
            for entry in detail.timeline
        ]
    return document


def trouble_document(failing: Sequence[Failing]) -> list[dict[str, Any]]:
    """What keeps failing, of which model, and when it is tried again."""
    return [{**asdict(each), "again_s": round(each.again_s, 1)} for each in failing]


def erasure_document(erasure: Erasure) -> dict[str, Any]:
    """A request to erase, and how many rows it took; no numbers before its turn."""
    counted = (erasure.predictions, erasure.outcomes, erasure.quarantined)
    done = erasure.done_at is not None
    return {
        "offset": erasure.offset,
        "state": "done" if done else "waiting" if counted[0] is None else "erasing",
        "requested": erasure.requested,
        "requested_at": isoformat(erasure.requested_at),
        "done_at": _time(erasure.done_at),
        **dict(zip(("predictions", "outcomes", "quarantined"), counted, strict=True)),
    }


def window_document(window: Window) -> dict[str, str]:
    """When a window starts and ends."""
    return {"start": isoformat(window.start), "end": isoformat(window.end)}


def _time(microseconds: int | None) -> str | None:
    return None if microseconds is None else isoformat(microseconds)
