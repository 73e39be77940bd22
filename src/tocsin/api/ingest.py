"""Rows in: raw bodies, so that nothing is parsed twice."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from tocsin.api.documented import MODEL, ROWS, Received, problems
from tocsin.api.gather import Gathering
from tocsin.api.sources import STEP, step
from tocsin.app import App
from tocsin.errors import BodyTooLargeError
from tocsin.service import ingest
from tocsin.service.decoding import MOST_BYTES, Body
from tocsin.service.ingest import Kind, Receipt, first_reasons


async def _body(request: Request) -> Body:
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
    headers = request.headers
    return Body(
        b"".join(chunks), headers.get("content-type", ""), headers.get("content-encoding", "")
    )


def _dropped(request: Request) -> int:
    """What a client says that it let go of since it last was answered."""
    said = request.headers.get("tocsin-dropped", "")
    # Nine digits are more than any queue holds.
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0


def _answer(receipt: Receipt) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "accepted": receipt.accepted,
        "repeated": receipt.repeated,
        "quarantined": receipt.quarantined,
        "reasons": first_reasons(receipt.reasons),
    }
    if receipt.outcomes:
        answer["outcomes"] = receipt.outcomes
    if receipt.assigned:
        answer["prediction_ids"] = [
            {"row": row, "prediction_id": assigned} for row, assigned in receipt.assigned
        ]
    return answer


def router(app: App) -> APIRouter:
    """`POST /models/{model}/predictions` and `/outcomes`."""
    routes = APIRouter(tags=["ingest"])
    gathering = Gathering(app.ingest.accept_all)
    documented: dict[str, Any] = {
        "status_code": 202,
        "response_model": None,
        "responses": problems(409, 413, 415)
        | {202: {"model": Received, "description": "stored, or in quarantine with a reason"}},
        "openapi_extra": ROWS | {"parameters": [*MODEL, *STEP]},
    }

    async def accept(kind: Kind, request: Request) -> JSONResponse:
        # Not as parameters: FastAPI would take longer to look for them than all the rest takes.
        model, move = request.path_params["model"], step(request)
        body = await _body(request)
        dropped = _dropped(request)
        receipt = await gathering.accept(ingest.Request(model, kind, body, dropped, move))
        return JSONResponse(_answer(receipt), 202)

    @routes.post("/models/{model}/predictions", **documented)
    async def predictions(request: Request) -> JSONResponse:
        """Accept predictions, with their outcomes where known; answered once they are durable."""
        return await accept("predictions", request)

    @routes.post("/models/{model}/outcomes", **documented)
    async def outcomes(request: Request) -> JSONResponse:
        """Accept outcomes; their predictions may come later."""
        return await accept("outcomes", request)

    return routes
