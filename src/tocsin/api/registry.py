"""Where aliases were, moving them by hand, and what MLflow's webhooks say."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from tocsin.api.asking import asked_mlflow
from tocsin.api.documented import MOST, problems
from tocsin.api.origin import actor_of, refuse_other_sites
from tocsin.app import App
from tocsin.errors import BodyTooLargeError
from tocsin.records.aliases import AliasMove
from tocsin.service.aliases import MOST_WORDS, History, Wish
from tocsin.values import isoformat

_MOST_BYTES = 2**20


class _Move(BaseModel):
    """Where an alias is wanted, why, and by whom."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field(description="a version, or `previous`", min_length=1, max_length=40)
    reason: str = Field(min_length=1, max_length=MOST_WORDS)
    actor: str | None = Field(
        default=None, description="else the header X-Tocsin-Actor", min_length=1, max_length=200
    )
    expected: str | None = Field(
        default=None, description="the version it is believed to be at; empty for none"
    )
    incident: int | None = Field(default=None, ge=1, le=MOST)


def router(app: App) -> APIRouter:
    """History, moves and webhooks."""
    routes = APIRouter(tags=["registry"])

    @routes.get("/models/{model}/history")
    def history(
        model: str, alias: Annotated[str | None, Query(max_length=300)] = None
    ) -> dict[str, Any]:
        """Which version each alias was at, and when; the oldest first."""
        return history_document(app.aliases.history(model), alias)

    @routes.post("/models/{model}/aliases/{alias}", responses={**problems(403, 409, 502, 503)})
    async def move(model: str, alias: str, request: _Move, asked: Request) -> dict[str, Any]:
        """Move an alias in the registry: read, set, read again, each of which is audited.

        409 when it is elsewhere than `expected`, or somebody else moved it meanwhile. There are no
        logins yet: `actor` is what the caller says.
        """
        refuse_other_sites(asked, app.settings)
        said = {**request.model_dump(), "actor": request.actor or actor_of(asked)}
        wish = Wish(model=model, alias=alias, **said)
        moved = await asked_mlflow(app, lambda: app.aliases.move(wish))
        return {
            "model": model,
            "registered": moved.registered,
            "alias": moved.alias,
            "before": moved.before,
            "after": moved.after,
            "changed": moved.changed,
        }

    @routes.post("/mlflow/webhook", responses={**problems(401, 403, 413)})
    async def webhook(request: Request) -> dict[str, Any]:
        """A signed webhook of MLflow: Tocsin looks at the registry at once, which is the truth.

        Signed as MLflow does it, in X-MLflow-Signature, X-MLflow-Timestamp, X-MLflow-Delivery-Id.
        """
        headers = request.headers
        body = await _body(request)
        new = await run_in_threadpool(
            app.webhook.take,
            body,
            delivery_id=headers.get("x-mlflow-delivery-id", ""),
            timestamp=headers.get("x-mlflow-timestamp", ""),
            signature=headers.get("x-mlflow-signature", ""),
        )
        if new:
            app.watcher.wake()
        return {"accepted": new}

    return routes


def history_document(history: History, alias: str | None) -> dict[str, Any]:
    """What is known of a registered model, for the API."""
    return {
        "registered": history.registered or None,
        "watched_alias": history.watched,
        "looked_at": None if history.looked_at is None else isoformat(history.looked_at),
        "aliases": {
            name: {"version": at, "previous": history.before(name)}
            for name, at in history.aliases.items()
            if alias in (None, name)
        },
        "moves": [_move_document(move) for move in history.moves if alias in (None, move.alias)],
        "versions": [
            {
                "version": version.version,
                "status": version.status,
                "created": isoformat(version.created_at),
                "run_id": version.run_id or None,
            }
            for version in history.versions
        ],
    }


def _move_document(move: AliasMove) -> dict[str, Any]:
    return {
        "alias": move.alias,
        "from": move.from_version,
        "to": move.to_version,
        "at": isoformat(move.moved_at),
        "not_before": None if move.after_at is None else isoformat(move.after_at),
        "first_seen": move.first_seen,
        "actor": move.actor,
        "reason": move.reason,
        "source": move.source,
    }


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise BodyTooLargeError(f"an event of MLflow has at most {_MOST_BYTES:,} bytes")
    return bytes(body)
