"""How far named sources were read: exactly once for those who read them."""

from typing import Any

from fastapi import APIRouter, Request

from tocsin.app import App
from tocsin.errors import InvalidInputError
from tocsin.records.positions import Move
from tocsin.values import isoformat

# Two of them have to fit into an address.
_MOST, _LONGEST_NAME = 16_000, 500
# The step as the OpenAPI document has it.
STEP: list[dict[str, Any]] = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {"type": "string", "maxLength": most} | ({"minLength": 1} if least else {}),
    }
    for name, least, most in (
        ("source", 1, _LONGEST_NAME),
        ("after", 0, _MOST),
        ("position", 0, _MOST),
    )
]


def step(request: Request) -> Move | None:
    """The step of a source that rows are posted with, if they are.

    Raises: InvalidInputError when a part of it is missing or too long.
    """
    if not request.url.query:
        return None
    given = request.query_params
    source, after, position = (given.get(name, "") for name in ("source", "after", "position"))
    if not source and not after and not position and "source" not in given:
        return None
    if not source or not position:
        raise InvalidInputError(
            "rows of a source need all of ?source=NAME&after=WHERE_IT_WAS&position=WHERE_IT_IS"
        )
    for name, text, most in (
        ("source", source, _LONGEST_NAME),
        ("after", after, _MOST),
        ("position", position, _MOST),
    ):
        if len(text) > most:
            raise InvalidInputError(f"{name} has {len(text)} letters, more than {most}")
    return Move(source, after, position)


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
