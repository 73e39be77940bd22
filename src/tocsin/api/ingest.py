"""Rows in: raw bodies, so that nothing is parsed twice."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from tocsin.app import App
from tocsin.service.decoding import first_reasons
from tocsin.service.ingest import Kind


def router(app: App) -> APIRouter:
    """`POST /models/{model}/predictions` and `/outcomes`."""
    routes = APIRouter(tags=["ingest"])

    async def accept(model: str, kind: Kind, request: Request) -> dict[str, Any]:
        body = await request.body()
        receipt = await run_in_threadpool(app.ingest.accept, model, kind, body)
        app.worker.wake()
        answer: dict[str, Any] = {
            "accepted": receipt.accepted,
            "quarantined": receipt.quarantined,
            "reasons": first_reasons(receipt.reasons),
        }
        if receipt.assigned:
            answer["prediction_ids"] = [
                {"row": row, "prediction_id": assigned} for row, assigned in receipt.assigned
            ]
        return answer

    @routes.post("/models/{model}/predictions", status_code=202)
    async def predictions(model: str, request: Request) -> dict[str, Any]:
        """Accept one prediction or an array of them; answered once they are durable."""
        return await accept(model, "predictions", request)

    @routes.post("/models/{model}/outcomes", status_code=202)
    async def outcomes(model: str, request: Request) -> dict[str, Any]:
        """Accept one outcome or an array of them; their predictions may come later."""
        return await accept(model, "outcomes", request)

    return routes
