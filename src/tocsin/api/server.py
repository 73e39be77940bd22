"""The ASGI application: API and pages on one set of services, the worker beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI

import tocsin
from tocsin.api import events, health, ingest, models, operations, rows, sources
from tocsin.api.documented import USUAL
from tocsin.api.errors import add_handlers
from tocsin.app import App
from tocsin.web import add_pages

# SQLite has one writer: more threads would only wait, each with a heap of its own.
_THREADS = 8


def application(app: App) -> FastAPI:
    """The application; its worker runs while it does."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = _THREADS
        app.worker.start()
        try:
            yield
        finally:
            app.worker.stop()

    server = FastAPI(
        title="Tocsin",
        version=tocsin.__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    for part in (ingest, sources, models, operations, rows, events):
        server.include_router(part.router(app), prefix="/api/v1", responses=USUAL)
    server.include_router(health.router(app))
    add_handlers(server)
    add_pages(server, app)
    return server
