"""How far named sources were read: exactly once for those who read them."""

from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request

from tocsin.app import App
from tocsin.errors import InvalidInputError
from tocsin.records.positions import Move
from tocsin.values import isoformat

_SOURCE, _AFTER, _POSITION = "Tocsin-Source", "Tocsin-After", "Tocsin-Position"
# How long each may be; two positions have to fit into what a server reads of headers.
_MOST = {_SOURCE: 1_500, _AFTER: 16_000, _POSITION: 16_000}
# The step as the OpenAPI document has it.
STEP: list[dict[str, Any]] = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": "text, percent-encoded where not ASCII",
        "schema": {"type": "string", "maxLength": most},
    }
    for name, most in _MOST.items()
]


def step(request: Request) -> Move | None:
    """The step of a source that rows are posted with, if they are.

    In headers: addresses are kept in logs, and a position may hold values of rows.
    Raises: InvalidInputError when half of it is missing, it is too long or no UTF-8, or it stands
    in the address.
    """
    _check_address(request)
    headers = request.headers
    if _SOURCE not in headers and _POSITION not in headers and not headers.get(_AFTER):
        return None
    source, after, position = (_text(name, headers.get(name, "")) for name in _MOST)
    if not source or not position:
        raise InvalidInputError(
            "rows of a source need all of the headers Tocsin-Source: NAME, Tocsin-After: "
            "WHERE_IT_WAS (none at first) and Tocsin-Position: WHERE_IT_IS"
        )
    return Move(source, after, position)


def _check_address(request: Request) -> None:
    """Raises: InvalidInputError for a step in the address: unheeded, its rows would count twice."""
    if not request.scope["query_string"]:
        return
    former = sorted({"source", "after", "position"} & request.query_params.keys())
    if former:
        raise InvalidInputError(
            f"{', '.join(former)} in the address: a step of a source goes in the headers "
            "Tocsin-Source, Tocsin-After and Tocsin-Position, as addresses are kept in logs"
        )


def _text(name: str, header: str) -> str:
    if len(header) > _MOST[name]:
        raise InvalidInputError(
            f"the header {name} has {len(header)} letters, more than {_MOST[name]}"
        )
    try:
        return unquote(header, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"the header {name}: {header!r:.80} is not percent-encoded UTF-8"
        ) from error


def router(app: App) -> APIRouter:
    """`GET /models/{model}/sources`."""
    routes = APIRouter(tags=["ingest"])

    @routes.get("/models/{model}/sources")
    def sources(model: str) -> list[dict[str, Any]]:
        """The named sources of a model, how far each was read, and when."""
        return [
            {
                "source": found.source,
                "position": found.position,
                "moved_at": isoformat(found.moved_at),
            }
            for found in app.read.sources(model)
        ]

    return routes
