"""Whether the process lives, and whether it can take rows: for load balancers and on-call."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from tocsin.api.documented import Readiness
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

        What keeps a model from being folded is told by `/api/v1/status`: its rows wait meanwhile.
        """
        reasons: list[str] = []
        try:
            lack = app.room.lack()
            if lack is not None:
                reasons.append(lack)
            app.room.try_to_store()
        except UnavailableError as error:
            reasons.append(str(error))
        status = 503 if reasons else 200
        return JSONResponse({"ready": not reasons, "reasons": reasons}, status)

    return routes
