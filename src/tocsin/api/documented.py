"""What the OpenAPI document says beside the types of the routes: errors, and raw bodies."""

from typing import Any

from pydantic import BaseModel

from tocsin.service.decoding import MEDIA_TYPES


class _Error(BaseModel):
    """What is wrong; position: where in the body, or of a source, where it is known."""

    type: str
    message: str
    position: int | str | None = None


class Problem(BaseModel):
    """Why a request was refused."""

    error: _Error


class Reason(BaseModel):
    """Why a row of the request, counted from 0, is in quarantine."""

    row: int
    reason: str


class Assigned(BaseModel):
    """The id that was made for a row that came without one."""

    row: int
    prediction_id: str


class Received(BaseModel):
    """What became of the rows of a request; reasons: the first ones."""

    accepted: int
    repeated: int
    quarantined: int
    reasons: list[Reason]
    outcomes: int | None = None
    prediction_ids: list[Assigned] | None = None


class Failing(BaseModel):
    """Work that failed when it was last tried; model: none where it is not a model's."""

    work: str
    model: str | None
    error: str
    failures: int
    again_s: float


class Readiness(BaseModel):
    """Whether rows can be stored, what is in the way, and what keeps failing meanwhile."""

    ready: bool
    reasons: list[str]
    trouble: list[Failing]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers with these statuses as routes declare them."""
    return {status: {"model": Problem, "description": _MEANING[status]} for status in statuses}


_MEANING = {
    400: "the body cannot be read; nothing of it was taken",
    401: "the signature is wrong, or too old",
    403: "this is not allowed here",
    404: "there is no such model or incident, or nothing is known of it yet",
    409: "somebody else was faster: a source was read on, or an alias was moved",
    413: "the body is larger than one request may be",
    415: "nobody reads this content type or encoding",
    422: "what was given cannot be used",
    502: "the model registry cannot be reached",
    503: "nothing can be stored now; try again after Retry-After seconds",
}
# What databases count to.
MOST = 2**63 - 1
# What every route may answer.
USUAL = problems(400, 404, 422, 503)
# The model in the path, for routes that read it themselves.
MODEL: list[dict[str, Any]] = [
    {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
]
# Rows in any form; a record at least says what it is about.
ROWS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "JSON records, columns, lines, Arrow or Parquet; gzip or zstd by header",
        "content": {
            media: {
                "schema": {
                    "anyOf": [{"type": "array", "items": {"type": "object"}}, {"type": "object"}]
                }
            }
            if media == "application/json"
            else {"schema": {"type": "string", "format": "binary"}}
            for media in MEDIA_TYPES
        },
    }
}
