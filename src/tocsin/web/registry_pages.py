"""Pages about versions and aliases, the forms that move them, and the audit."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from tocsin.api.asking import asked_mlflow
from tocsin.api.origin import refuse_other_sites
from tocsin.app import App
from tocsin.errors import AliasMovedError, InvalidInputError, RegistryError, UnavailableError
from tocsin.service.aliases import Wish
from tocsin.values import parse_duration
from tocsin.web.rendering import failed, page
from tocsin.web.route import PageRoute, spoken

_SPANS = ("1d", "7d", "30d", "90d")
_SHOWN = 100
_Fragment = Annotated[str | None, Query()]
_Text = Annotated[str, Query(max_length=300)]
_Word = Annotated[str, Form()]


def router(app: App) -> APIRouter:
    """`/models/X/versions`, its form, and `/audit`."""
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)

    @routes.get("/models/{name}/versions")
    def versions(
        name: str,
        span: Annotated[str, Query(pattern=r"^\d+[hd]$")] = "7d",
        moved: str | None = None,
        fragment: _Fragment = None,
    ) -> Response:
        newest = app.read.newest_change()
        detail = app.read.model(name)
        return page(
            "versions.html",
            fragment=fragment,
            newest=newest,
            detail=detail,
            view=app.read.versions(name, span=parse_duration(span)),
            span=span,
            spans=_SPANS,
            history=app.aliases.history(name),
            moved=moved,
        )

    @routes.post("/models/{name}/aliases")
    async def move(
        request: Request,
        name: str,
        alias: _Word,
        to: _Word,
        *,
        reason: _Word = "",
        actor: _Word = "",
        expected: _Word = "",
        incident: Annotated[int | None, Form()] = None,
    ) -> Response:
        refuse_other_sites(request, app.settings)
        wish = Wish(
            model=name,
            alias=alias.strip(),
            to=to.strip(),
            reason=reason.strip(),
            actor=actor.strip(),
            expected=expected,
            incident=incident,
        )
        what = "The alias was not moved"
        try:
            done = await asked_mlflow(app, lambda: app.aliases.move(wish))
        except AliasMovedError as error:
            return failed(409, "Somebody else moved the alias", spoken(str(error)))
        except InvalidInputError as error:
            return failed(422, what, spoken(str(error)))
        except RegistryError as error:
            return failed(502, what, spoken(str(error)))
        except UnavailableError as error:
            return failed(503, what, spoken(str(error)))
        said = f"{done.alias} is at version {done.after}" + ("" if done.changed else " already")
        back = f"/models/{quote(name, safe='')}/versions?moved={quote(said)}"
        return RedirectResponse(back, 303)

    @routes.get("/audit")
    def audit(
        *,
        object_like: Annotated[str, Query(alias="object", max_length=300)] = "",
        actor: _Text = "",
        event: _Text = "",
        before: Annotated[int | None, Query(ge=1)] = None,
    ) -> Response:
        verified = app.audit.verified()
        records = (
            app.audit.listed(
                object_like=object_like or None,
                actor=actor or None,
                event=event or None,
                before=before,
                limit=_SHOWN,
            )
            if verified.fault is None
            else []
        )
        return page(
            "audit.html",
            verified=verified,
            records=records,
            asked={"object": object_like, "actor": actor, "event": event},
            more=len(records) == _SHOWN,
        )

    return routes
