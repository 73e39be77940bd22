"""Messages on their way out: listed, sent again, dropped."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from tocsin.api.documented import MOST
from tocsin.api.origin import actor_of, refuse_other_sites
from tocsin.app import App
from tocsin.records.letters import Letter
from tocsin.service.outgoing import MOST_LETTERS
from tocsin.values import isoformat

_Text = Annotated[str | None, Query(max_length=300)]


class _Drop(BaseModel):
    """Why a message is given up."""

    reason: str = Field(min_length=1, max_length=1_000)


def router(app: App) -> APIRouter:
    """`GET /outbox`, and what is done to one message."""
    routes = APIRouter(prefix="/outbox", tags=["receivers"])

    @routes.get("")
    def outbox(
        *,
        state: _Text = None,
        receiver: _Text = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LETTERS)] = 100,
    ) -> list[dict[str, Any]]:
        """Messages, the newest first.

        state: pending, leased, standing, delivered, dead, cancelled, superseded or dropped.
        """
        found = app.outgoing.listed(state=state, receiver=receiver, limit=limit)
        return [letter_document(letter) for letter in found]

    @routes.post("/{message}/retry")
    def retry(message: int, asked: Request) -> dict[str, Any]:
        """Send a dead message again; refused when what follows it was delivered."""
        refuse_other_sites(asked, app.settings)
        found = app.outgoing.retry(_number(message), actor=actor_of(asked))
        return {"id": found.id, "state": "pending"}

    @routes.post("/{message}/drop")
    def drop(message: int, request: _Drop, asked: Request) -> dict[str, Any]:
        """Give up a message that waits or is dead; the reason goes into the audit."""
        refuse_other_sites(asked, app.settings)
        found = app.outgoing.drop(_number(message), reason=request.reason, actor=actor_of(asked))
        return {"id": found.id, "state": "dropped"}

    return routes


def _number(message: int) -> int:
    """As large as the database knows numbers."""
    return max(-1, min(message, MOST))


def letter_document(letter: Letter) -> dict[str, Any]:
    """A message without its payload, but for what it is about."""
    told = letter.payload
    return {
        "id": letter.id,
        "receiver": letter.receiver,
        "target": letter.target,
        "message": letter.message_id,
        "event": told.get("event", ""),
        "model": told.get("model", ""),
        "title": told.get("title", ""),
        "severity": letter.severity,
        "state": letter.state,
        "attempts": letter.attempts,
        "written_at": isoformat(letter.created_at),
        "due_at": isoformat(letter.due_at),
        "delivered_at": None if letter.delivered_at is None else isoformat(letter.delivered_at),
        "error": letter.last_error,
        "fallback": letter.fallback or None,
    }
