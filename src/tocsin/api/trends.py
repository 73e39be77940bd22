"""Where a model is going, as JSON."""

from typing import Any

from fastapi import APIRouter

from tocsin.api.documents import window_document
from tocsin.app import App
from tocsin.service.outlook import Crossing, RuleTrend
from tocsin.service.sentences import crossing_sentence, trend_sentence
from tocsin.values import format_duration, isoformat


def router(app: App) -> APIRouter:
    """Trends and forecasts of a model."""
    routes = APIRouter(tags=["models"])

    @routes.get("/models/{model}/trends")
    def trends(model: str) -> dict[str, Any]:
        """The series of rules that are `auto`, and the thresholds that are ahead of the others."""
        outlook = app.read.outlook(model)
        return {
            "false_alarms_a_month": outlook.false_alarms,
            "series": [_trend_document(found) for found in outlook.trends],
            "forecasts": [_crossing_document(found) for found in outlook.crossings],
        }

    return routes


def _trend_document(found: RuleTrend) -> dict[str, Any]:
    trend = found.trend
    return {
        "rule": found.rule.name,
        "metric": found.rule.metric,
        "instance": found.instance,
        "window": format_duration(found.rule.window),
        **window_document(found.window),
        "state": trend.pace.name.lower(),
        "value": trend.value,
        "usual": trend.usual,
        "spread": trend.spread,
        "z": trend.z,
        "side": "higher" if trend.rising else "lower",
        "evidence": trend.evidence,
        "alarm_at": found.alarm,
        "since": None if trend.since is None else isoformat(trend.since),
        "method": "mixture of Shiryaev-Roberts detectors, priced by history",
        "sentence": trend_sentence(found),
    }


def _crossing_document(found: Crossing) -> dict[str, Any]:
    return {
        "rule": found.rule.name,
        "metric": found.rule.metric,
        "instance": found.instance,
        "window": format_duration(found.rule.window),
        **window_document(found.window),
        "value": found.value,
        "threshold": found.rule.value,
        "early": isoformat(found.early),
        "likely": isoformat(found.likely),
        "late": isoformat(found.late),
        "slope": found.forecast.slope,
        "each": format_duration(found.step),
        "n": found.forecast.windows,
        "p_value": found.forecast.p_value,
        "method": "Theil-Sen line, 5 % to 95 % range by sampling",
        "sentence": crossing_sentence(found),
    }
