"""A rule from a form: its YAML before it is saved, and what is wrong beside the fields."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from tocsin.api.origin import refuse_other_sites
from tocsin.app import App
from tocsin.declared.looked_at import SIGNALS
from tocsin.service.drafts import FIELDS, Draft
from tocsin.service.views import ModelDetail
from tocsin.web.rendering import page
from tocsin.web.route import PageRoute

_Word = Annotated[str, Form(max_length=1_000)]
_EMPTY = dict.fromkeys(FIELDS, "")
# What a form begins with: the one rule that most people want first.
_USUAL = {"severity": "warning", "for": "1", "op": "<"}


def router(app: App) -> APIRouter:
    """`/models/X/rules/new`."""
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)

    def shown(
        detail: ModelDetail, fields: dict[str, str], draft: Draft | None, status: int = 200
    ) -> Response:
        name = detail.overview.name
        return page(
            "rule.html",
            status=status,
            detail=detail,
            fields=fields,
            draft=draft,
            metrics=[*detail.monitor.metrics, *SIGNALS],
            owner=app.drafts.owner(name),
        )

    @routes.get("/models/{name}/rules/new")
    def new(name: str) -> Response:
        detail = app.read.model(name)
        headline = detail.overview.headline
        first = {"metric": headline.metric.name, "window": headline.spec.name}
        return shown(detail, {**_EMPTY, **_USUAL, **first}, None)

    @routes.post("/models/{name}/rules/new")
    def add(
        request: Request,
        name: str,
        alert: _Word = "",
        metric: _Word = "",
        window: _Word = "",
        op: _Word = "",
        value: _Word = "",
        clear: _Word = "",
        patience: Annotated[str, Form(alias="for", max_length=100)] = "",
        min_samples: _Word = "",
        severity: _Word = "",
        summary: _Word = "",
        actor: _Word = "",
        save: _Word = "",
    ) -> Response:
        refuse_other_sites(request, app.settings)
        given = (alert, metric, window, op, value, clear, patience, min_samples, severity, summary)
        fields = dict(zip(FIELDS, given, strict=True))
        detail = app.read.model(name)
        if not save:
            draft = app.drafts.rule(name, fields)
            return shown(detail, fields, draft, 422 if draft.errors else 200)
        draft = app.drafts.save(name, fields, actor=actor.strip() or "unknown")
        if draft.errors:
            return shown(detail, fields, draft, 422)
        app.worker.wake()
        said = f"rule {alert.strip()} looks at every window from now on"
        return RedirectResponse(f"/models/{quote(name, safe='')}?said={quote(said)}#rules", 303)

    return routes
