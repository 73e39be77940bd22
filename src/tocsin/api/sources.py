"""How far named sources were read: exactly once for those who read them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from tocsin.app import App
from tocsin.errors import InvalidInputError
from tocsin.records.positions import Move
from tocsin.values import isoformat

# Two of them have to fit into an address.
_MOST = 16_000
Text = Annotated[str, Query(max_length=_MOST)]


def step(
    source: Annotated[str | None, Query(min_length=1, max_length=500)] = None,
    after: Text = "",
    position: Text = "",
) -> Move | None:
    """The step of a source that rows are posted with, if they are.

    Raises: InvalidInputError when half of it is missing.
    """
    if source is None and not after and not position:
        return None
    if source is None or not position:
        raise InvalidInputError(
            "rows of a source need all of ?source=NAME&after=WHERE_IT_WAS&position=WHERE_IT_IS"
        )
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
