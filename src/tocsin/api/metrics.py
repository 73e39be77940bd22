"""For Prometheus: `GET /metrics`, and rules on them."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from tocsin.app import App
from tocsin.service.telemetry import FAMILIES, Sample

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def router(app: App) -> APIRouter:
    """`GET /metrics`."""
    routes = APIRouter(tags=["health"])

    @routes.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Models as they were last measured, and Tocsin itself, in Prometheus' text format."""
        return Response(exposition(app.telemetry.samples()), media_type=_TYPE)

    return routes


def rules_router(app: App) -> APIRouter:
    """`GET /export/prometheus-rules`."""
    routes = APIRouter(tags=["health"])

    @routes.get("/export/prometheus-rules")
    def prometheus_rules() -> dict[str, Any]:
        """Alerting rules on /metrics as `groups`, and what was `left_out` of the monitors."""
        return app.prometheus_rules.document()

    return routes


def exposition(samples: Sequence[Sample]) -> str:
    """Numbers as Prometheus reads them.

    Source: https://prometheus.io/docs/instrumenting/exposition_formats/

    >>> print(exposition([Sample("tocsin_outbox_pending", 2.0)]), end="")
    # HELP tocsin_outbox_pending Messages that wait to be sent.
    # TYPE tocsin_outbox_pending gauge
    tocsin_outbox_pending 2.0
    """
    return "".join(f"{line}\n" for line in _lines(samples))


def _lines(samples: Sequence[Sample]) -> Iterator[str]:
    for family, (kind, meaning) in FAMILIES.items():
        mine = [sample for sample in samples if sample.family == family]
        if mine:
            yield f"# HELP {family} {meaning}"
            yield f"# TYPE {family} {kind}"
        for sample in mine:
            labels = ",".join(f'{name}="{_escaped(v)}"' for name, v in sample.labels.items())
            yield f"{family}{f'{{{labels}}}' if labels else ''} {float(sample.value)!r}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
