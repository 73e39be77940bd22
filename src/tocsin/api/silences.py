"""Silences: what nobody is told of for a while, and what that covers now."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from tocsin.api.documented import MOST, problems
from tocsin.api.errors import not_found
from tocsin.api.origin import actor_of, refuse_other_sites
from tocsin.app import App
from tocsin.records.alerts import Episode
from tocsin.service.silences import Covering
from tocsin.values import isoformat


def router(app: App) -> APIRouter:
    """`GET` and `POST /silences`, `GET /silences/preview`, `DELETE /silences/N`."""
    routes = APIRouter(prefix="/silences", tags=["silences"])

    @routes.get("")
    def silences(*, expired: bool = False) -> list[dict[str, Any]]:
        """The newest first, each with the firing alerts that it covers; expired: also those."""
        return [silence_document(found) for found in app.silences.listed(expired=expired)]

    @routes.post("", status_code=201, responses={**problems(403)})
    def add(document: dict[str, Any], asked: Request) -> dict[str, Any]:
        """Tell nobody of what `matchers` cover; what they cover now is answered.

        From `starts_at` (now) to `ends_at`, or for `duration`; with a `comment`, and an `author`,
        else the header X-Tocsin-Actor: there are no logins yet.
        """
        refuse_other_sites(asked, app.settings)
        return silence_document(app.silences.add(document, actor=actor_of(asked)))

    @routes.get("/preview")
    def preview(matchers: Annotated[str, Query(max_length=4_000)]) -> list[dict[str, Any]]:
        """The firing alerts that matchers such as `model="flights", team!="a"` cover now."""
        return [alert_document(episode) for episode in app.silences.preview(matchers)]

    @routes.delete("/{number}", response_model=None, responses={**problems(403)})
    def expire(
        number: Annotated[int, Path(ge=1, le=MOST)], asked: Request
    ) -> dict[str, Any] | Response:
        """End a silence now; what still fires is told again, with the reason."""
        refuse_other_sites(asked, app.settings)
        found = app.silences.expire(number, actor=actor_of(asked))
        if found is None:
            return not_found(f"there is no silence {number}")
        return silence_document(found)

    return routes


def silence_document(found: Covering) -> dict[str, Any]:
    """A silence with its state and what it covers now."""
    silence = found.silence
    return {
        "id": silence.id,
        "state": found.state,
        "matchers": [str(matcher) for matcher in silence.matchers],
        "starts_at": isoformat(silence.start),
        "ends_at": isoformat(silence.end),
        "author": silence.author,
        "comment": silence.comment,
        "covers": [alert_document(episode) for episode in found.episodes],
    }


def alert_document(episode: Episode) -> dict[str, Any]:
    """A firing alert in short."""
    return {
        "episode": episode.id,
        "incident": episode.incident_id,
        "labels": episode.labels,
        "text": episode.text,
    }
