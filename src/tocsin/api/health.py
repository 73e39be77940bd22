"""Whether the process lives, and whether it can take rows: for load balancers and on-call."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from tocsin.api.documented import Readiness
from tocsin.api.documents import trouble_document
from tocsin.app import App
from tocsin.errors import UnavailableError


def router(app: App) -> APIRouter:
    """`GET /health` and `GET /ready`."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health")
    async def health() -> dict[str, Any]:
        """Answers while the process lives, even if all its threads wait for the database."""
        return {"status": "ok"}

    @routes.get(
        "/ready",
        response_model=None,
        responses={status: {"model": Readiness} for status in (200, 503)},
    )
    def ready() -> JSONResponse:
        """200 while rows can be stored, else 503 with what is in the way.

        `trouble` says what keeps failing, of which model: it is tried again while its rows wait,
        and takes nothing from the readiness.
        """
        reasons: list[str] = []
        try:
            lack = app.room.lack()
            if lack is not None and lack.only is None:
                reasons.append(lack.reason)
            app.room.try_to_store()
        except UnavailableError as error:
            reasons.append(str(error))
        status = 503 if reasons else 200
        return JSONResponse(
            {
                "ready": not reasons,
                "reasons": reasons,
                "trouble": trouble_document(app.worker.trouble),
            },
            status,
        )

    return routes
