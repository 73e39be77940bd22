"""The ASGI application: API and pages on one set of services, worker and watcher beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

import tocsin
from tocsin.api import (
    audit,
    backtest,
    configuration,
    events,
    health,
    importance,
    ingest,
    metrics,
    models,
    multivariate,
    operations,
    outbox,
    people,
    quality,
    receivers,
    registry,
    routing,
    rows,
    silences,
    sources,
    trends,
)
from tocsin.api.documented import USUAL
from tocsin.api.errors import add_handlers
from tocsin.app import App
from tocsin.web import add_pages

# SQLite has one writer: more threads would only wait, each with a heap of its own.
_THREADS = 8
_PREFIX = "/api/v1"


def application(app: App) -> FastAPI:
    """The application; its worker and its watcher run while it does."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = _THREADS
        app.worker.start()
        app.watcher.start()
        app.publisher.start()
        app.self_watcher.start()
        if app.follower is not None:
            app.follower.start()
        try:
            yield
        finally:
            if app.follower is not None:
                app.follower.stop()
            app.self_watcher.stop()
            app.publisher.stop()
            app.watcher.stop()
            app.worker.stop()

    server = FastAPI(
        title="Tocsin",
        version=tocsin.__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    parts = (
        *(sources, models, multivariate, trends, quality, operations, rows, importance),
        *(people, backtest, receivers, outbox, routing, silences, registry, audit, events),
        configuration,
    )
    for part in parts:
        server.include_router(part.router(app), prefix=_PREFIX, responses=USUAL)
    taking = ingest.router(app)
    server.include_router(taking, prefix=_PREFIX, responses=USUAL)
    server.router.routes[:0] = _direct(taking)
    server.include_router(health.router(app))
    server.include_router(metrics.router(app))
    server.include_router(metrics.rules_router(app), prefix=_PREFIX, responses=USUAL)
    add_handlers(server)
    add_pages(server, app)
    return server


def _direct(router: APIRouter) -> list[Route]:
    """The routes of a router whose endpoints take the bare request, without FastAPI in between.

    What it does for each request takes longer than to store one row.
    """
    return [
        Route(_PREFIX + route.path, route.endpoint, methods=list(route.methods or ()))
        for route in router.routes
        if isinstance(route, APIRoute)
    ]
