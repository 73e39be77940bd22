"""How good a model's data is, and what is expected of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from tocsin.api.documents import measure_document
from tocsin.api.models import Duration, span_of
from tocsin.app import App
from tocsin.quality import Expectation, Finding, Freshness, expected_words
from tocsin.service.data_quality import (
    ExpectationsView,
    Labels,
    Measured,
    QualityPoint,
    QualityView,
)
from tocsin.service.quality_words import (
    as_sentence,
    freshness_sentence,
    labels_sentence,
    measured_sentence,
)
from tocsin.values import DAY, format_duration, isoformat, parse_duration

METHOD = "Wilson interval, 95 %"


def router(app: App) -> APIRouter:
    """`GET /models/{model}/quality` and `/models/{model}/expectations`."""
    routes = APIRouter(tags=["models"])

    @routes.get("/models/{model}/quality")
    def quality(
        model: str,
        window: Duration = None,
        span: Duration = None,
        points: Annotated[int, Query(ge=1, le=10_000)] = 200,
    ) -> dict[str, Any]:
        """The newest window's checks of every feature, and how they went over the span (7d)."""
        return quality_document(
            app.quality.view(
                model,
                window=None if window is None else parse_duration(window),
                span=7 * DAY if span is None else span_of(span),
                most=points,
            )
        )

    @routes.get("/models/{model}/expectations")
    def expectations(model: str) -> dict[str, Any]:
        """What is expected of the data, and why; `quality` can be put into the monitor."""
        return expectations_document(app.quality.expectations(model))

    return routes


def quality_document(view: QualityView) -> dict[str, Any]:
    """The newest window in full, and all of them in short."""
    newest = view.points[-1] if view.points else None
    return {
        "window": view.spec.name,
        "every": format_duration(view.spec.every),
        "freshness": freshness_document(view.freshness),
        "newest": None if newest is None else _newest(newest, view.because),
        "points": [_point(point) for point in view.points],
    }


def freshness_document(found: Freshness) -> dict[str, Any]:
    """How long ago the newest prediction was made; durations in seconds."""
    return {
        "age_s": _seconds(found.age),
        "usual_gap_s": _seconds(found.usual),
        "limit_s": _seconds(found.limit),
        "source": "declared" if found.declared else "learned",
        "stale": found.stale,
        "sentence": freshness_sentence(found),
    }


def _newest(point: QualityPoint, because: dict[str, int]) -> dict[str, Any]:
    features: dict[str, dict[str, Any]] = {}
    rows: dict[str, Any] = {}
    for measured in point.measured:
        cell = measured.cell
        into = features.setdefault(cell.feature, {}) if cell.feature else rows
        into[cell.check.name] = _measured(measured)
    return {
        **_short(point),
        "features": features,
        "all_rows": rows,
        "labels": _labels(point.labels),
        "quarantined_because": because,
    }


def _measured(measured: Measured) -> dict[str, Any]:
    return {
        **measure_document(measured.measure),
        "verdict": str(measured.verdict),
        "expectation": expectation_document(measured.expectation),
        "method": METHOD if measured.cell.check.share else "count of known values",
        "reference": measured.expectation.reference,
        "sentence": measured_sentence(measured),
    }


def expectation_document(expectation: Expectation) -> dict[str, Any]:
    """What is expected of one check, and where that comes from."""
    return {
        "limit": expectation.limit,
        "source": "off"
        if expectation.off
        else "declared"
        if expectation.declared
        else "learned from the reference",
        "reference": expectation.reference,
        "reference_rows": expectation.n,
        "sentence": as_sentence(expected_words(expectation)),
    }


def _labels(labels: Labels) -> dict[str, Any]:
    return {
        "labelled": labels.labelled,
        "expected_by_now": labels.expected,
        "missing_label_rate": labels.missing,
        "late_label_rate": measure_document(labels.late),
        "sentence": labels_sentence(labels),
    }


def _short(point: QualityPoint) -> dict[str, Any]:
    return {
        "start": isoformat(point.window.start),
        "end": isoformat(point.window.end),
        "rows": point.rows,
        "findings": [finding_document(finding) for finding in point.findings],
    }


def _point(point: QualityPoint) -> dict[str, Any]:
    rates: dict[str, dict[str, float | None]] = {}
    for measured in point.measured:
        value = measure_document(measured.measure)["value"]
        rates.setdefault(measured.cell.feature, {})[measured.cell.check.name] = value
    return {**_short(point), "all_rows": rates.pop("", {}), "features": rates}


def finding_document(finding: Finding) -> dict[str, Any]:
    """What is not as expected."""
    return {
        "feature": finding.feature or None,
        "check": finding.check,
        "verdict": str(finding.verdict),
        "value": finding.value,
        "n": finding.n,
        "limit": finding.limit,
        "usual": finding.usual,
        "sentence": as_sentence(finding.reason),
    }


def expectations_document(view: ExpectationsView) -> dict[str, Any]:
    """All that is expected, by feature, and as a monitor has it."""
    features: dict[str, dict[str, Any]] = {}
    rows: dict[str, Any] = {}
    for expectation in view.expectations:
        cell = expectation.cell
        into = features.setdefault(cell.feature, {}) if cell.feature else rows
        into[cell.check.name] = expectation_document(expectation)
    for feature in view.monitor.schema.features:
        said = feature.range is not None or feature.values is not None
        features[feature.name]["values"] = {
            **view.within[feature.name],
            "source": "declared" if said else "learned from the reference",
        }
    volume = view.monitor.quality.volume
    return {
        "features": features,
        "all_rows": rows,
        "volume": {
            "min": volume.min,
            "max": volume.max,
            "source": "learned from earlier windows"
            if volume.min is None and volume.max is None
            else "declared",
        },
        "quality": view.document,
    }


def _seconds(duration: int | None) -> float | None:
    return None if duration is None else duration / 1_000_000
