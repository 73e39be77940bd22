"""The chart of an alert as PNG, for channels that can show one."""

import logging
from collections.abc import Mapping
from typing import Any

from tocsin.charts import LIGHT, Moment, Span, Threshold, cause_evidence, over_time, themed
from tocsin.errors import TocsinError
from tocsin.service.read import Read
from tocsin.values import DAY, parse_duration

# Twice as many points as are drawn, for screens that have them.
_SCALE = 2.0
_WIDTH = 600
_SPAN = 14 * DAY

_log = logging.getLogger(__name__)


class Picture:
    """Draws what an alert is about, as it is when it is told."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def of(self, told: Mapping[str, Any]) -> bytes | None:
        """The number over two weeks, else the evidence of the first cause; None without either.

        A chart is no reason not to tell: what cannot be drawn is logged.
        """
        try:
            spec = self._series(told) or self._evidence(told)
            return None if spec is None else _png(spec)
        except (TocsinError, ValueError, KeyError) as error:
            _log.warning("no chart of %s: %s", told.get("title"), error)
            return None

    def _series(self, told: Mapping[str, Any]) -> dict[str, Any] | None:
        facts = told.get("facts") or {}
        detail = self._read.model(told["model"]) if facts.get("metric") else None
        if detail is None or facts["metric"] not in detail.monitor.metrics:
            return None
        series = self._read.series(
            told["model"], facts["metric"], window=parse_duration(facts["window"]), span=_SPAN
        )
        if not series.points:
            return None
        needs_labels = series.metric.needs_labels
        threshold = facts.get("threshold")
        return over_time(
            [Moment(p.window.end, p.measure, needs_labels and not p.final) for p in series.points],
            title=f"{told['model']}: {told['title']}",
            unit=series.metric.title,
            every=series.spec.every,
            reference=series.reference,
            thresholds=[] if threshold is None else [Threshold(threshold, f"{threshold:g}")],
            spans=[
                Span(incident.opened, incident.resolved, f"#{incident.id}")
                for incident in reversed(self._read.incidents(model=told["model"]))
            ],
        )

    def _evidence(self, told: Mapping[str, Any]) -> dict[str, Any] | None:
        found = self._read.incident(told["incident"]) if told.get("incident") else None
        causes = found.incident.causes if found is not None else []
        return cause_evidence(causes[0]) if causes else None


def _png(spec: dict[str, Any]) -> bytes:
    # Some 100 MB of a script engine, which a server without mail never needs.
    import vl_convert

    # Mail readers in the dark show a transparent picture on black.
    drawn = {**themed(spec, LIGHT), "width": _WIDTH, "background": LIGHT.paper}
    return bytes(vl_convert.vegalite_to_png(drawn, scale=_SCALE))
