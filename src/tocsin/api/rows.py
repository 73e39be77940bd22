"""Rows that did not fit, and rows that have to go."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from tocsin.api.documented import MOST
from tocsin.api.documents import erasure_document
from tocsin.api.errors import not_found
from tocsin.api.origin import actor_of
from tocsin.app import App
from tocsin.ids import MAX_ID_LENGTH

_MOST = 10_000


class _Replay(BaseModel):
    """Which rows to try again, and what their fields should have been called."""

    model_config = ConfigDict(extra="forbid")

    rename: dict[str, str] = {}
    reason: str | None = None


class _Erase(BaseModel):
    """Whose rows to erase: by prediction id, or by the keys that outcomes are joined on."""

    model_config = ConfigDict(extra="forbid")

    prediction_ids: list[Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH)]] = Field(
        default=[], max_length=_MOST
    )
    keys: list[dict[str, str | int]] = Field(default=[], max_length=_MOST)


def router(app: App) -> APIRouter:
    """`/models/{model}/quarantine` and `/models/{model}/erase`."""
    routes = APIRouter(tags=["rows"])

    @routes.get("/models/{model}/quarantine")
    def quarantine(
        model: str, limit: Annotated[int, Query(ge=1, le=_MOST)] = 100
    ) -> list[dict[str, Any]]:
        """The newest rows that did not fit, as they came, with the reason."""
        return app.quarantine.rows(model, limit=limit)

    @routes.get("/models/{model}/quarantine/reasons")
    def reasons(model: str) -> list[dict[str, Any]]:
        """Why rows did not fit, how many, since when and an example, the most frequent first."""
        return [asdict(group) for group in app.quarantine.groups(model)]

    @routes.post("/models/{model}/quarantine/replay", status_code=202)
    def replay(model: str, request: _Replay) -> dict[str, Any]:
        """Try the rows again, with the monitor of now and perhaps under other names."""
        done = app.quarantine.replay(model, rename=request.rename, reason=request.reason)
        app.worker.wake()
        return {
            "accepted": done.accepted,
            "kept": done.kept,
            "reasons": [{"reason": why, "rows": rows} for why, rows in done.reasons],
        }

    @routes.post("/models/{model}/erase", status_code=202)
    def erase(model: str, request: _Erase, asked: Request) -> dict[str, Any]:
        """Erase predictions and their outcomes, from the profiles as well.

        `GET /models/{model}/erasures/{offset}` tells what became of it.
        """
        keys = [{name: str(value) for name, value in each.items()} for each in request.keys]
        offset = app.erase.erase(
            model, prediction_ids=request.prediction_ids, keys=keys, actor=actor_of(asked)
        )
        app.worker.wake()
        return {"requested": len(request.prediction_ids) + len(request.keys), "offset": offset}

    @routes.get("/models/{model}/erasures")
    def erasures(
        model: str, limit: Annotated[int, Query(ge=1, le=_MOST)] = 100
    ) -> list[dict[str, Any]]:
        """The requests to erase, the newest first, and how many rows each took."""
        return [erasure_document(found) for found in app.erase.erasures(model, limit=limit)]

    @routes.get("/models/{model}/erasures/{offset}", response_model=None)
    def erasure(
        model: str, offset: Annotated[int, Path(ge=0, le=MOST)]
    ) -> dict[str, Any] | JSONResponse:
        """What became of one request to erase."""
        found = app.erase.erasure(model, offset)
        if found is None:
            return not_found(f"no erasure of {model!r} has offset {offset}")
        return erasure_document(found)

    return routes
