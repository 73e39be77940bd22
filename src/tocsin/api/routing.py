"""Who is told: the routing that holds, another one in its place, and what it would do."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tocsin.api.documented import problems
from tocsin.api.origin import actor_of, refuse_other_sites
from tocsin.app import App
from tocsin.service.routing import MOST_LABELS, WouldBeTold
from tocsin.values import format_duration


class _Labels(BaseModel):
    """Of an alert that might be."""

    model_config = ConfigDict(extra="forbid")

    labels: dict[str, str] = Field(max_length=MOST_LABELS)


def router(app: App) -> APIRouter:
    """`GET` and `PUT /routing`, `POST /routing/test`."""
    routes = APIRouter(prefix="/routing", tags=["routing"])

    @routes.get("")
    def routing() -> dict[str, Any]:
        """What was written, null where nobody did, and what holds with all that it inherits."""
        return app.routings.document()

    @routes.put("", responses={**problems(403)})
    def put(
        document: dict[str, Any],
        asked: Request,
        reason: Annotated[str, Query(max_length=1_000)] = "",
    ) -> dict[str, Any]:
        """Replace `route`, `inhibit_rules` and `mute_times`; open alerts are routed anew.

        Without `route` every receiver is told; without `inhibit_rules` those of Tocsin hold.
        """
        refuse_other_sites(asked, app.settings)
        app.routings.put(document, actor=actor_of(asked), reason=reason)
        return app.routings.document()

    @routes.post("/test")
    def test(request: _Labels) -> list[dict[str, Any]]:
        """Who would be told now of an alert with these labels, and by which branch."""
        return [told_document(found) for found in app.routings.test(request.labels)]

    return routes


def told_document(found: WouldBeTold) -> dict[str, Any]:
    """A receiver and why it is told, or is not now."""
    route, hold = found.route, found.hold
    return {
        "receiver": found.receiver,
        "route": found.where,
        "matchers": list(found.matchers),
        "group": found.group,
        "group_wait": format_duration(route.group_wait),
        "group_interval": format_duration(route.group_interval),
        "repeat_interval": format_duration(route.repeat_interval),
        "held": None if hold is None else {"reason": str(hold.reason), "words": hold.words},
    }
