"""The pages: what each one reads, and which template shows it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tocsin.app import App
from tocsin.charts import Mark
from tocsin.errors import InvalidInputError, UnavailableError
from tocsin.quality import FEATURE_CHECKS
from tocsin.records.importances import StoredImportance
from tocsin.service.clock import wall_clock
from tocsin.service.multivariate import TogetherView
from tocsin.service.views import ModelDetail
from tocsin.values import DAY, HOUR, MINUTE, WindowSpec, parse_duration
from tocsin.web import (
    assets,
    code_pages,
    people_pages,
    pictures,
    registry_pages,
    silence_pages,
    words,
)
from tocsin.web.people_pages import NAME_COOKIE
from tocsin.web.rendering import failed, not_found, page
from tocsin.web.route import PageRoute

Duration = Annotated[str | None, Query(pattern=r"^\d+[smhd]$")]
Fragment = Annotated[str | None, Query()]
Version = Annotated[str | None, Query(max_length=200)]
# What serving costs is shown of a day, however old the predictions are.
_SERVING_WINDOW, _SERVING_SPAN = 10 * MINUTE, DAY
# As many bars as are looked at.
_MOST_FEATURES = 15
# How much of the past a page shows: a choice of spans for each size of window.
_SPANS = {HOUR: ("2d", "7d", "14d"), DAY: ("7d", "30d", "90d"), 7 * DAY: ("30d", "90d", "365d")}


def add_pages(server: FastAPI, app: App) -> None:
    """The pages and their files on a server; errors outside the API become pages too."""
    server.include_router(assets.router())
    server.include_router(router(app))
    server.include_router(registry_pages.router(app))
    server.include_router(code_pages.router(app))
    server.include_router(silence_pages.router(app))
    server.include_router(people_pages.router(app))
    server.add_exception_handler(HTTPException, _no_such_page)
    server.add_exception_handler(Exception, _failed)


def router(app: App) -> APIRouter:
    """All pages. With `fragment`, each answers only that live section of itself."""
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    read = app.read

    def marks_of(name: str) -> list[Mark]:
        return pictures.moves(app.aliases.history(name))

    @routes.get("/")
    def overview(fragment: Fragment = None) -> Response:
        return page(
            "overview.html",
            fragment=fragment,
            newest=read.newest_change(),
            overviews=read.overviews(),
            disabled=read.status().disabled,
            url=app.settings.url,
        )

    @routes.get("/models/{name}/features/{feature:path}")
    def feature(
        name: str,
        feature: str,
        window: Duration = None,
        version: Version = None,
        fragment: Fragment = None,
    ) -> Response:
        newest = read.newest_change()
        detail = read.model(name)
        spec = _spec(detail.monitor.windows, window, detail.monitor.windows[0])
        described = next((f for f in detail.monitor.schema.features if f.name == feature), None)
        if described is None:
            return not_found(f"The model {name} has no feature called {feature}.")
        view = read.feature(name, feature, window=spec.size, version=version)
        statistics = read.statistics(name, feature, window=spec.size, version=version)
        past = read.drift(name, window=spec.size, span=120 * spec.every, version=version)
        # Rates are stored of all versions together.
        quality = None
        if version is None:
            quality = app.quality.view(name, window=spec.size, span=120 * spec.every)
        return page(
            "feature.html",
            fragment=fragment,
            newest=newest,
            detail=detail,
            feature=described,
            spec=spec,
            version=version,
            view=view,
            statistics=statistics,
            distribution=None if view is None else pictures.feature_distribution(view),
            distances=pictures.distances(past, feature, spec, marks_of(name)),
            checks=[m for m in quality.points[-1].measured if m.cell.feature == feature]
            if quality is not None and quality.points
            else [],
            rates=[] if quality is None else pictures.rates(quality, feature),
        )

    @routes.get("/models/{name}")
    def model(
        name: str,
        window: Duration = None,
        metric: str | None = None,
        span: Duration = None,
        segment: str = "",
        version: Version = None,
        *,
        together: Annotated[bool, Query()] = False,
        said: Annotated[str, Query(max_length=300)] = "",
        fragment: Fragment = None,
    ) -> Response:
        newest = read.newest_change()
        detail = read.model(name)
        monitor = detail.monitor
        spec = _spec(monitor.windows, window, detail.overview.headline.spec)
        spans = _SPANS.get(spec.size, ("7d", "30d", "90d"))
        span = span or spans[1]
        chosen = metric or detail.overview.headline.metric.name
        if chosen not in set(monitor.metrics):
            raise InvalidInputError(
                f"there is no metric {chosen!r}; there are {', '.join(monitor.metrics)}"
            )
        wanted = _wanted(fragment)
        marks = marks_of(name)
        numbers = (
            read.numbers(
                name,
                window=spec.size,
                span=parse_duration(span),
                segment=segment,
                version=version,
            )
            if wanted("live_performance")
            else {}
        )
        narrow = bool(segment or version)
        estimated = (
            {}
            if narrow or not numbers
            else read.estimates(name, window=spec.size, span=parse_duration(span))
        )
        incidents = read.incidents(model=name)
        shortest = monitor.windows[0]
        drift = (
            read.drift(name, window=shortest.size, span=120 * shortest.every, version=version)
            if wanted("live_drift")
            else []
        )
        costs = (
            app.operations.points(name, window=_SERVING_WINDOW, span=_SERVING_SPAN, version=version)
            if wanted("live_serving")
            else []
        )
        return page(
            "model.html",
            fragment=fragment,
            newest=newest,
            detail=detail,
            spec=spec,
            span=span,
            spans=spans,
            chosen=chosen,
            segment=segment,
            version=version,
            narrowed=words.narrowed(segment, version),
            parts=(
                read.segments(name, metric=chosen, window=spec.size)
                if detail.segments and wanted("live_segments")
                else None
            ),
            numbers=numbers,
            estimated=estimated.get(chosen),
            picture=(
                pictures.metric(numbers[chosen], monitor, incidents, marks, estimated.get(chosen))
                if numbers
                else None
            ),
            incidents=incidents,
            drift=drift,
            drift_picture=pictures.drift(drift, marks),
            last=pictures.telling(drift) if drift else None,
            costs=costs,
            serving_pictures=pictures.serving(costs, marks),
            quality=app.quality.view(name, window=shortest.size, span=max(DAY, shortest.size))
            if wanted("live_quality")
            else None,
            quality_checks=FEATURE_CHECKS,
            outlook=read.outlook(name),
            importance=_importance(app, detail),
            together=_together(app, name, spec, asked=together) if fragment is None else None,
            most_features=_MOST_FEATURES,
            fired=read.summary(name)["alerts"],
            code=app.drafts.code(name) if fragment is None else "",
            owner=app.drafts.owner(name) if fragment is None else None,
            said=said,
        )

    @routes.get("/incidents")
    def incidents(fragment: Fragment = None) -> Response:
        newest = read.newest_change()
        return page("incidents.html", fragment=fragment, newest=newest, incidents=read.incidents())

    @routes.get("/incidents/{number:int}")
    def incident(request: Request, number: int, fragment: Fragment = None) -> Response:
        newest = read.newest_change()
        detail = read.incident(number)
        if detail is None:
            return not_found(f"There is no incident {number}.")
        model = read.model(detail.incident.model)
        return page(
            "incident.html",
            fragment=fragment,
            newest=newest,
            detail=detail,
            model=model,
            now=wall_clock(),
            name=unquote(request.cookies.get(NAME_COOKIE, "")),
            features={f.name for f in model.monitor.schema.features},
            receivers=list(app.receivers.all()),
            evidence=pictures.evidence(detail, model, read, marks_of(detail.incident.model)),
            history=app.aliases.history(detail.incident.model),
        )

    return routes


def _together(app: App, name: str, spec: WindowSpec, *, asked: bool) -> TogetherView | str | None:
    """Whether all features together have moved; why that cannot be said; None if nobody asked."""
    try:
        find = app.multivariate.find if asked else app.multivariate.known
        return find(name, window=spec.size)
    except (InvalidInputError, UnavailableError) as error:
        return str(error) if asked else None


def _importance(app: App, detail: ModelDetail) -> StoredImportance | None:
    """What the version that predicts now relies on; where it is not known, another one."""
    overview = detail.overview
    found = app.importances.find(overview.name, version=overview.version)
    return found or app.importances.find(overview.name)


def _wanted(fragment: str | None) -> Callable[[str], bool]:
    """Whether a section is to be rendered: all are in a whole page."""
    return lambda section: fragment is None or section in fragment.split(",")


def _spec(specs: tuple[WindowSpec, ...], window: str | None, otherwise: WindowSpec) -> WindowSpec:
    """The windows of the size in the address. Raises: InvalidInputError."""
    if window is None:
        return otherwise
    found = next((spec for spec in specs if spec.size == parse_duration(window)), None)
    if found is None:
        sizes = ", ".join(spec.name for spec in specs)
        raise InvalidInputError(f"this model has no windows of {window}; it has {sizes}")
    return found


async def _no_such_page(request: Request, error: Exception) -> Response:
    """The API answers in JSON; a person gets a page."""
    assert isinstance(error, HTTPException)
    if request.url.path.startswith("/api/"):
        kind = HTTPStatus(error.status_code).phrase.replace(" ", "")
        message = error.detail
        if error.status_code in (404, 405) and message == HTTPStatus(error.status_code).phrase:
            message = (
                f"the API has no {request.method} {request.url.path}; no name is empty, and a / "
                "in one has to be percent-encoded"
            )
        body = {"error": {"type": kind, "message": message}}
        return JSONResponse(body, error.status_code, headers=error.headers)
    if error.status_code == 404:
        return not_found(f"No page has the address {request.url.path}.")
    return failed(error.status_code, error.detail, "Go back to the models and try again.")


async def _failed(request: Request, _: Exception) -> Response:
    """What nobody foresaw: the server logs it, and says no more than that."""
    if request.url.path.startswith("/api/"):
        message = "something failed; the server's log says what"
        return JSONResponse({"error": {"type": "InternalServerError", "message": message}}, 500)
    return failed(
        500, "This page could not be made", "Try again; the server's log says what failed."
    )
