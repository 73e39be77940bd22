"""Errors as answers: `{"error": {"type", "message", "position"}}`."""

from collections.abc import Sequence
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from tocsin.errors import (
    AliasMovedError,
    BodyTooLargeError,
    InvalidInputError,
    MalformedBodyError,
    NotAllowedError,
    RegistryError,
    SignatureError,
    SourceMovedError,
    TocsinError,
    UnavailableError,
    UnknownFormatError,
    UnknownIncidentError,
    UnknownModelError,
)

_STATUS: tuple[tuple[type[TocsinError], int], ...] = (
    (MalformedBodyError, 400),
    (BodyTooLargeError, 413),
    (UnknownFormatError, 415),
    (UnknownModelError, 404),
    (UnknownIncidentError, 404),
    (SourceMovedError, 409),
    (AliasMovedError, 409),
    (SignatureError, 401),
    (NotAllowedError, 403),
    (InvalidInputError, 422),
    (RegistryError, 502),
    (UnavailableError, 503),
    (TocsinError, 500),
)


def add_handlers(server: FastAPI) -> None:
    """Answer every error of ours, and of a request's parameters, in one form."""
    server.add_exception_handler(TocsinError, _ours)
    server.add_exception_handler(RequestValidationError, _parameters)


def not_found(what: str) -> JSONResponse:
    """The answer when something does not exist."""
    return JSONResponse(_body("NotFound", what), 404)


async def _ours(_: Request, error: Exception) -> JSONResponse:
    status = next(code for kind, code in _STATUS if isinstance(error, kind))
    name = type(error).__name__.removesuffix("Error")
    position = error.position if isinstance(error, MalformedBodyError | SourceMovedError) else None
    headers = {}
    if isinstance(error, UnavailableError):
        headers["Retry-After"] = str(ceil(error.retry_after_s))
    return JSONResponse(_body(name, str(error), position), status, headers)


async def _parameters(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = "; ".join(_fault(fault["loc"], fault["msg"]) for fault in error.errors())
    return JSONResponse(_body("InvalidInput", faults), 422)


def _fault(place: Sequence[str | int], message: str) -> str:
    """What is wrong with a parameter, by its own name: not where HTTP has it."""
    name = ".".join(str(part) for part in place[1:])
    said = message.removeprefix("Value error, ")
    return f"`{name}`: {said}" if name else said


def _body(kind: str, message: str, position: int | str | None = None) -> dict[str, Any]:
    described: dict[str, Any] = {"type": kind, "message": message}
    if position is not None:
        described["position"] = position
    return {"error": described}
