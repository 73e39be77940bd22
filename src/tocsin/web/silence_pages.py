"""`/silences`: what nobody is told of, the form for another one, and what that would cover."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from tocsin.api.documented import MOST
from tocsin.api.origin import refuse_other_sites
from tocsin.app import App
from tocsin.errors import InvalidInputError
from tocsin.records.alerts import Episode
from tocsin.routing import parse_matchers
from tocsin.web.rendering import failed, not_found, page
from tocsin.web.route import PageRoute, spoken

_DURATIONS = ("30m", "2h", "8h", "24h", "7d")
_SHOWN_EXPIRED = 20
_Word = Annotated[str, Form()]
_Text = Annotated[str, Query(max_length=4_000)]


def router(app: App) -> APIRouter:
    """The page and its forms."""
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)

    @routes.get("/silences")
    def silences(
        matchers: _Text = "",
        duration: Annotated[str, Query(max_length=10)] = "2h",
        comment: _Text = "",
        author: _Text = "",
        done: _Text = "",
        fragment: Annotated[str | None, Query()] = None,
    ) -> Response:
        newest = app.read.newest_change()
        covered, fault = _previewed(app, matchers)
        known = app.silences.listed(expired=True)
        return page(
            "silences.html",
            disabled=app.read.status().disabled,
            fragment=fragment,
            newest=newest,
            current=[found for found in known if found.state != "expired"],
            over=[found for found in known if found.state == "expired"][:_SHOWN_EXPIRED],
            asked={
                "matchers": matchers,
                "duration": duration,
                "comment": comment,
                "author": author,
            },
            durations=_DURATIONS,
            covered=covered,
            fault=fault,
            done=done,
        )

    @routes.post("/silences")
    def add(
        request: Request,
        matchers: _Word,
        duration: _Word,
        *,
        comment: _Word = "",
        author: _Word = "",
    ) -> Response:
        refuse_other_sites(request, app.settings)
        try:
            document = {
                "matchers": [str(matcher) for matcher in parse_matchers(matchers)],
                "duration": duration,
                "comment": comment.strip(),
                "author": author.strip(),
            }
            made = app.silences.add(document, actor=author.strip())
        except InvalidInputError as error:
            return failed(422, "The silence was not made", spoken(str(error)))
        return _back(f"Silence {made.silence.id} holds")

    @routes.post("/silences/{number}/expire")
    def expire(
        request: Request, number: Annotated[int, Path(ge=1, le=MOST)], author: _Word = ""
    ) -> Response:
        refuse_other_sites(request, app.settings)
        ended = app.silences.expire(number, actor=author.strip() or "unknown")
        if ended is None:
            return not_found(f"There is no silence {number}.")
        return _back(f"Silence {number} is over")

    return routes


def _previewed(app: App, matchers: str) -> tuple[tuple[Episode, ...] | None, str | None]:
    """What the matchers of the form cover now, None where there are none; or what is wrong."""
    if not matchers.strip():
        return None, None
    try:
        return app.silences.preview(matchers), None
    except InvalidInputError as error:
        return None, spoken(str(error))


def _back(said: str) -> Response:
    return RedirectResponse(f"/silences?done={quote(said)}", 303)
