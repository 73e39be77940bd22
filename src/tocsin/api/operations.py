"""What serving costs: summaries in, numbers by window out."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tocsin.api.documented import MOST
from tocsin.api.documents import measure_document
from tocsin.app import App
from tocsin.errors import InvalidInputError
from tocsin.operations import Summary
from tocsin.service.operations import OperationsPoint
from tocsin.values import DAY, HOUR, from_datetime, isoformat, parse_duration

# Sums of these still fit where they are added.
_MOST_COUNT = 2**40
_MOST_SPAN = 400 * DAY
_MOST_REASONS = 3
Count = Annotated[int, Field(ge=0, le=_MOST_COUNT)]
Version = Annotated[str | None, Query(max_length=200, description="only this version")]
Duration = Annotated[str | None, Query(pattern=r"^\d+[smhd]$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Told(BaseModel):
    """What one process did for one version between two times; sequence: counted by the process."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    process: Name
    sequence: Annotated[int, Field(ge=0, le=MOST)]
    start: Annotated[AwareDatetime, Field(alias="from")]
    end: Annotated[AwareDatetime, Field(alias="to")]
    model_version: Name
    counts: dict[str, Count] = {}
    latencies: dict[int, Count] = {}
    rss_bytes: Annotated[int, Field(ge=0, le=2**60)] = 0

    def summary(self) -> Summary:
        """The same as a value. Raises: InvalidInputError for a time that no clock can show."""
        return Summary(
            self.process,
            self.sequence,
            _time(self.start),
            _time(self.end),
            self.model_version,
            self.counts,
            self.latencies,
            self.rss_bytes,
        )


class Heard(BaseModel):
    """What became of summaries: added, known already, too old to be added, or impossible.

    reasons: why some are impossible, the first few.
    """

    added: int
    repeated: int
    late: int
    refused: int
    reasons: list[str]


def router(app: App) -> APIRouter:
    """`POST` and `GET /models/{model}/operations`."""
    routes = APIRouter(tags=["operations"])

    @routes.post("/models/{model}/operations")
    def add(
        model: str, summaries: Annotated[list[Told], Field(min_length=1, max_length=1000)]
    ) -> Heard:
        """Add what serving processes did; each summary counts once, however often it is sent."""
        heard = app.operations.add(model, [told.summary() for told in summaries])
        return Heard(
            added=heard.added,
            repeated=heard.repeated,
            late=heard.late,
            refused=heard.refused,
            reasons=list(heard.reasons[:_MOST_REASONS]),
        )

    @routes.get("/models/{model}/operations")
    def operations(
        model: str, window: Duration = None, span: Duration = None, version: Version = None
    ) -> list[dict[str, Any]]:
        """Requests, errors, latencies and memory of serving over the newest `span`, by windows.

        version: what it alone cost.
        """
        points = app.operations.points(
            model,
            window=HOUR if window is None else parse_duration(window),
            span=DAY if span is None else min(parse_duration(span), _MOST_SPAN),
            version=version,
        )
        return [_document(point) for point in points]

    return routes


def _time(moment: datetime) -> int:
    try:
        return from_datetime(moment)
    except OverflowError as error:
        raise InvalidInputError(f"{moment.isoformat()} is out of range") from error


def _document(point: OperationsPoint) -> dict[str, Any]:
    return {
        "start": isoformat(point.window.start),
        "end": isoformat(point.window.end),
        "complete": point.complete,
        **{name: n for name, n in point.counts.items() if not name.endswith("_us")},
        "versions": dict(point.versions),
        "error_rate": measure_document(point.error_rate),
        "latency_s": {name: measure_document(m) for name, m in point.latency.items()},
        "requests_per_second": point.per_second,
        "cpu": point.cpu,
        "rss_bytes": point.rss_bytes,
        "price_of_1000": None
        if point.price is None
        else {**measure_document(point.price), "currency": point.currency},
    }
