"""Rows in: raw bodies, so that nothing is parsed twice."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from tocsin.app import App
from tocsin.errors import BodyTooLargeError
from tocsin.service.decoding import first_reasons
from tocsin.service.ingest import Kind

# A body becomes Python objects of about ten times its size.
MOST_BYTES = 64 * 2**20


async def _body(request: Request) -> bytes:
    """The body, up to `MOST_BYTES`. Raises: BodyTooLargeError."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise BodyTooLargeError(
                f"the body is larger than {MOST_BYTES // 2**20} MiB; send it in parts"
            )
        chunks.append(chunk)
    return b"".join(chunks)


def router(app: App) -> APIRouter:
    """`POST /models/{model}/predictions` and `/outcomes`."""
    routes = APIRouter(tags=["ingest"])

    async def accept(model: str, kind: Kind, request: Request) -> dict[str, Any]:
        body = await _body(request)
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
