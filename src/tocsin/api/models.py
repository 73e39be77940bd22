"""Models, their numbers and incidents; the server's own state."""

import io
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import APIRouter, File, Form, Path, Query, Request, UploadFile
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, ValidationError

import tocsin
from tocsin.api.asking import asked_mlflow
from tocsin.api.documented import MOST, problems
from tocsin.api.documents import (
    drift_document,
    estimates_document,
    groups_document,
    incident_document,
    model_document,
    overview_document,
    rebuilding_document,
    segments_document,
    series_document,
    statistics_document,
    trouble_document,
    versions_document,
)
from tocsin.api.errors import not_found
from tocsin.api.origin import actor_of
from tocsin.api.receivers import disabled_document
from tocsin.app import App
from tocsin.declared import ReferenceKind
from tocsin.errors import InvalidInputError, MalformedBodyError
from tocsin.registry import Roles, registered_model
from tocsin.schema import Task
from tocsin.values import DAY, from_datetime, parse_duration

# A year of hours; beyond that every second one is given, or every third.
_MOST_WINDOWS = 10_000
Duration = Annotated[str | None, Query(pattern=r"^\d+[smhd]$")]
_Version = Annotated[str | None, Query(max_length=200, description="only rows of this version")]


class _Watch(BaseModel):
    """A model of the registry, what has to be said of it, and fields of a monitor."""

    model_config = ConfigDict(extra="allow")

    # Without one, the registry says how it is to be written.
    uri: str = ""
    task: Task | None = None
    label: str | None = None
    score: str | None = None
    prediction: str | None = None
    scores: dict[str, str] | tuple[str, ...] | None = None
    positive: str | None = None
    negative: str | None = None

    def roles(self) -> Roles:
        """What is said of the task and of the columns of the training dataset."""
        return Roles(**{field.name: getattr(self, field.name) for field in fields(Roles)})


def router(app: App) -> APIRouter:
    """Everything but ingest and events."""
    routes = APIRouter(tags=["models"])
    read = app.read

    @routes.get("/models")
    def models() -> list[dict[str, Any]]:
        """All models, the worst first."""
        return [overview_document(overview) for overview in read.overviews()]

    @routes.put("/models/{model}", status_code=201)
    def add(
        model: str,
        monitor: Annotated[str, Form(description="the monitor as JSON")],
        reference: Annotated[UploadFile, File(description="the reference as Parquet")],
        asked: Request,
    ) -> dict[str, Any]:
        """Monitor a model: its monitor, and a reference with features, label and score."""
        table = _parquet(reference.file.read())
        app.register.add(model, _json(monitor), table, actor=actor_of(asked))
        return model_document(read.model(model))

    @routes.patch("/models/{model}")
    def change(model: str, monitor: dict[str, Any], asked: Request) -> dict[str, Any]:
        """Replace the monitor; profiles that it makes different are rebuilt from the lake."""
        app.register.change(model, monitor, actor=actor_of(asked))
        app.worker.wake()
        return model_document(read.model(model))

    @routes.delete("/models/{model}", status_code=202)
    def delete(model: str, asked: Request) -> dict[str, Any]:
        """Delete a model with all that was recorded of it; its files go a moment later."""
        app.delete.delete(model, actor=actor_of(asked))
        app.worker.wake()
        return {"deleted": model}

    @routes.put("/models/{model}/reference")
    def reference(
        model: str,
        reference: Annotated[UploadFile, File(description="the reference as Parquet")],
        asked: Request,
    ) -> dict[str, Any]:
        """Replace the reference; the profiles are rebuilt on the bins that follow from it."""
        table = _parquet(reference.file.read())
        app.register.replace_reference(model, table, actor=actor_of(asked))
        app.worker.wake()
        return model_document(read.model(model))

    @routes.post("/models/{model}/watch", status_code=201, responses=problems(502, 503))
    async def watch(model: str, request: _Watch, asked: Request) -> dict[str, Any]:
        """Monitor a model of the MLflow registry: `{"uri": "models:/name@alias", ...}`.

        Schema and reference come from the registry; further fields are those of a monitor. Without
        `rules`, a few are made that fit the reference; the notes say which.
        """
        return await asked_mlflow(app, lambda: watched(model, request, None, actor_of(asked)))

    @routes.put("/models/{model}/watch", status_code=201, responses=problems(502, 503))
    async def watch_with_reference(
        model: str,
        request: Annotated[str, Form(description="what POST takes, as JSON")],
        reference: Annotated[UploadFile, File(description="the reference as Parquet")],
        asked: Request,
    ) -> dict[str, Any]:
        """The same for a model whose training rows the registry does not have."""
        try:
            said = _Watch.model_validate(_json(request))
        except ValidationError as error:
            raise InvalidInputError(f"the request cannot be used: {error}") from error

        def with_reference() -> dict[str, Any]:
            return watched(model, said, _parquet(reference.file.read()), actor_of(asked))

        return await asked_mlflow(app, with_reference)

    def watched(model: str, request: _Watch, given: pa.Table | None, actor: str) -> dict[str, Any]:
        found = registered_model(
            request.uri,
            tracking_uri=app.settings.tracking_uri,
            roles=request.roles(),
            given=given,
        )
        document = {
            "model": request.uri,
            "version": found.version,
            "schema": {key: part for key, part in found.schema.to_dict().items() if part},
            **(request.model_extra or {}),
        }
        app.register.add(
            model, document, found.reference, found.notes, logged=found.baseline, actor=actor
        )
        app.watcher.wake()
        return model_document(read.model(model))

    @routes.get("/models/{model}")
    def model(model: str) -> dict[str, Any]:
        """One model with what was declared, derived and counted."""
        return model_document(read.model(model))

    @routes.get("/models/{model}/summary")
    def summary(model: str) -> dict[str, Any]:
        """Counts of everything that happened to a model."""
        return read.summary(model)

    @routes.get("/models/{model}/metrics/{metric}")
    def metric(
        model: str,
        metric: str,
        window: Duration = None,
        span: Duration = None,
        segment: str = "",
        version: _Version = None,
        as_of: datetime | None = None,
    ) -> dict[str, Any]:
        """A metric over time, with bounds, intervals and the reference.

        segment, version: only of these rows.

        as_of: as it was known then, with the revisions of that time.
        """
        return series_document(
            read.series(
                model,
                metric,
                window=None if window is None else parse_duration(window),
                span=30 * DAY if span is None else span_of(span),
                most=_MOST_WINDOWS,
                segment=segment,
                version=version,
                as_of=None if as_of is None else from_datetime(as_of),
            )
        )

    @routes.get("/models/{model}/estimates")
    def estimates(
        model: str, window: Duration = None, span: Duration = None
    ) -> list[dict[str, Any]]:
        """What was estimated before labels, what came out, and how estimates did, by metric."""
        found = read.estimates(
            model,
            window=None if window is None else parse_duration(window),
            span=30 * DAY if span is None else span_of(span),
            most=_MOST_WINDOWS,
        )
        return [estimates_document(series) for series in found.values()]

    @routes.get("/models/{model}/drift")
    def drift(
        model: str,
        window: Duration = None,
        span: Duration = None,
        version: _Version = None,
        reference: ReferenceKind | None = None,
    ) -> list[dict[str, Any]]:
        """The drift verdict of every column over time; of one version's rows if asked.

        reference: frozen or trailing; that which decides if it is left out.
        """
        points = read.drift(
            model,
            window=None if window is None else parse_duration(window),
            span=7 * DAY if span is None else span_of(span),
            most=_MOST_WINDOWS,
            version=version,
            reference=reference,
        )
        return [drift_document(point) for point in points]

    @routes.get("/models/{model}/features/{feature:path}/drift", response_model=None)
    def statistics(
        model: str, feature: str, window: Duration = None, version: _Version = None
    ) -> dict[str, Any] | JSONResponse:
        """Every statistic of a column in the newest window, against both references.

        feature: or the output, `prediction` or `label`, as the drift of the model calls them.
        """
        size = None if window is None else parse_duration(window)
        view = read.statistics(model, feature, window=size, version=version)
        return not_found("no window has closed yet") if view is None else statistics_document(view)

    @routes.get("/models/{model}/versions", response_model=None)
    def versions(model: str, span: Duration = None) -> dict[str, Any] | JSONResponse:
        """The versions side by side over the newest span (7d): rows, share, all metrics."""
        view = read.versions(model, span=7 * DAY if span is None else span_of(span))
        return (
            not_found("no prediction was folded yet") if view is None else versions_document(view)
        )

    @routes.get("/models/{model}/segments", response_model=None)
    def segments(
        model: str, metric: str | None = None, window: Duration = None
    ) -> dict[str, Any] | JSONResponse:
        """One metric of the newest window by every value of every segment."""
        size = None if window is None else parse_duration(window)
        view = read.segments(model, metric=metric, window=size)
        return not_found("no window has closed yet") if view is None else segments_document(view)

    @routes.get("/models/{model}/groups/{attribute}", response_model=None)
    def groups(
        model: str, attribute: str, window: Duration = None
    ) -> dict[str, Any] | JSONResponse:
        """How the groups of a protected attribute are treated in the newest window."""
        size = None if window is None else parse_duration(window)
        view = read.groups(model, attribute, window=size)
        return not_found("no window has closed yet") if view is None else groups_document(view)

    @routes.get("/incidents")
    def incidents(
        *, model: str | None = None, open_only: Annotated[bool, Query(alias="open")] = False
    ) -> list[dict[str, Any]]:
        """Incidents, the newest first."""
        return [incident_document(i) for i in read.incidents(model=model, open_only=open_only)]

    @routes.get("/incidents/{number}", response_model=None)
    def incident(number: Annotated[int, Path(ge=1, le=MOST)]) -> dict[str, Any] | JSONResponse:
        """One incident with its causes, alerts and timeline."""
        found = read.incident(number)
        if found is None:
            return not_found(f"there is no incident {number}")
        return incident_document(found.incident, found)

    @routes.get("/status")
    def status() -> dict[str, Any]:
        """How far the server is behind, and what keeps failing in it."""
        found = read.status()
        return {
            "version": tocsin.__version__,
            "models": found.models,
            "waiting_rows": found.waiting_rows,
            "waiting_since": found.waiting_since,
            "changed_models": found.changed_models,
            "outbox": found.outbox,
            "disabled": [disabled_document(channel) for channel in found.disabled],
            "rebuilding": [rebuilding_document(each) for each in found.rebuilding],
            "trouble": trouble_document(
                [
                    *app.worker.trouble,
                    *app.watcher.trouble,
                    *app.publisher.trouble,
                    *(() if app.follower is None else app.follower.trouble),
                ]
            ),
        }

    return routes


def span_of(text: str) -> int:
    """A span of the past. Raises: InvalidInputError for one without a window."""
    span = parse_duration(text)
    if span == 0:
        raise InvalidInputError("span 0 holds no window; write how far to look back, such as 30d")
    # Beyond what anybody recorded it makes no difference, but no database counts so far.
    return min(span, MOST // 2)


def _json(text: str) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise MalformedBodyError(f"the monitor is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidInputError("the monitor has to be a JSON object")
    return document


def _parquet(data: bytes) -> pa.Table:
    try:
        return pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInputError(f"the reference is not Parquet: {error}") from error
