"""How often rules would have fired."""

from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tocsin.app import App
from tocsin.service.backtest import Backtested, BacktestView
from tocsin.values import format_duration, from_datetime, isoformat


class _Asked(BaseModel):
    """Which rules, over which time, and how many alerts are wanted."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    rules: list[dict[str, Any]] | None = Field(
        default=None, description="in place of the model's own", min_length=1, max_length=100
    )
    start: AwareDatetime | None = Field(default=None, alias="from")
    end: AwareDatetime | None = Field(default=None, alias="to")
    alerts_per_month: float | None = Field(
        default=None, ge=0, le=10_000, allow_inf_nan=False, description="of each rule"
    )


def router(app: App) -> APIRouter:
    """Nothing is changed by it."""
    routes = APIRouter(tags=["rules"])

    @routes.post("/models/{model}/backtest")
    def backtest(model: str, asked: _Asked) -> dict[str, Any]:
        """Run rules over the stored windows: when they would have fired, and suggested thresholds.

        Rules are judged on windows as they are known now, with all labels that have come since.
        """
        found = app.backtest.run(
            model,
            rules=asked.rules,
            start=None if asked.start is None else from_datetime(asked.start),
            end=None if asked.end is None else from_datetime(asked.end),
            wanted=asked.alerts_per_month,
        )
        return {
            "from": isoformat(found.span.start),
            "to": isoformat(found.span.end),
            "rules": [_document(each, found) for each in found.rules],
        }

    return routes


def _document(found: Backtested, view: BacktestView) -> dict[str, Any]:
    rule, suggestion = found.rule, found.suggestion
    return {
        "alert": rule.name,
        "metric": rule.metric,
        "window": format_duration(rule.window),
        "op": rule.op,
        "value": rule.value,
        "windows": found.windows,
        "judged": found.judged,
        "alerts": len(found.fired),
        "alerts_per_month": round(found.a_month(view.span), 2),
        "marked_real": sum(each.marked == "real" for each in found.fired),
        "marked_false": sum(each.marked == "false" for each in found.fired),
        "real_incidents": found.real,
        "real_incidents_caught": found.caught,
        "suggestion": None
        if suggestion is None
        else {"value": suggestion.value, "alerts": suggestion.alerts},
        "fired": [
            {
                "instance": each.instance,
                "started": isoformat(each.span.started),
                "fired": isoformat(each.span.fired),
                "resolved": None if each.span.resolved is None else isoformat(each.span.resolved),
                "marked": each.marked,
            }
            for each in found.fired
        ],
    }
