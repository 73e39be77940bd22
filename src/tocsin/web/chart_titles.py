"""What charts find, as their titles say it."""

from collections.abc import Sequence

from tocsin.service.operations import OperationsPoint
from tocsin.service.views import Series
from tocsin.values import Undefined
from tocsin.web.words import against, count, level, seconds


def latency_title(points: Sequence[OperationsPoint]) -> str:
    """How long the newest window with requests took, as a sentence."""
    latency = next((p.latency for p in reversed(points) if p.counts["requests"]), None)
    if latency is None:
        return "No requests"
    half, most = seconds(latency["p50"]), seconds(latency["p99"])
    return f"Half of the requests take up to {half}, 1 % more than {most}"


def requests_title(points: Sequence[OperationsPoint]) -> str:
    """How many requests there were, and how many failed."""
    total = sum(p.counts["requests"] for p in points)
    failed = sum(p.counts["server_errors"] + p.counts["timeouts"] for p in points)
    return f"{count(total)} requests, {count(failed) if failed else 'none'} failed"


def chart_title(series: Series) -> str:
    """The finding of a metric's chart."""
    metric = series.metric
    if not series.points:
        return f"{metric.title}: no window has closed yet"
    point = series.points[-1]
    if isinstance(point.measure, Undefined):
        return f"{metric.title} has no value now: {point.measure.reason}"
    value = level(series.metric, point.measure.value)
    return f"{metric.title} is {value}{against(series, point)}"
