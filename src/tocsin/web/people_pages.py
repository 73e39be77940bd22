"""The forms of an incident's page: what people do about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from tocsin.api.origin import refuse_other_sites
from tocsin.app import App
from tocsin.errors import InvalidInputError, UnknownIncidentError
from tocsin.records.alerts import Verdict
from tocsin.service.people import People, Person
from tocsin.values import parse_duration
from tocsin.web.rendering import failed, not_found
from tocsin.web.route import PageRoute, spoken

NAME_COOKIE = "tocsin_name"
_YEAR_S = 365 * 86_400
_Word = Annotated[str, Form()]


@dataclass(frozen=True)
class _Form:
    """What was filled in."""

    number: int
    text: str
    to: str
    duration: str
    into: str
    receiver: str


_Act = Callable[[People, _Form, Person], None]
_ACTS: dict[str, _Act] = {
    "acknowledge": lambda people, form, by: people.acknowledge(form.number, by, form.text),
    "withdraw": lambda people, form, by: people.withdraw(form.number, by, form.text),
    "assign": lambda people, form, by: people.assign(form.number, by, form.to),
    "comment": lambda people, form, by: people.comment(form.number, by, form.text),
    "snooze": lambda people, form, by: people.snooze(
        form.number, by, parse_duration(form.duration), form.text
    ),
    "escalate": lambda people, form, by: people.escalate(form.number, by, form.receiver, form.text),
    "real": lambda people, form, by: people.mark(form.number, by, Verdict.REAL, form.text),
    "false": lambda people, form, by: people.mark(form.number, by, Verdict.FALSE, form.text),
    "unmark": lambda people, form, by: people.mark(form.number, by, None, form.text),
    "merge": lambda people, form, by: people.merge(form.number, by, _number(form.into), form.text),
}


def router(app: App) -> APIRouter:
    """One form, with a button for each of what may be done."""
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)

    @routes.post("/incidents/{number:int}")
    def act(
        request: Request,
        number: int,
        act: _Word,
        *,
        actor: _Word = "",
        text: _Word = "",
        to: _Word = "",
        duration: _Word = "1h",
        into: _Word = "",
        receiver: _Word = "",
    ) -> Response:
        refuse_other_sites(request, app.settings)
        name = actor.strip()
        form = _Form(number, text.strip(), to, duration.strip(), into, receiver)
        try:
            if act not in _ACTS:
                raise InvalidInputError(f"nothing is called {act!r}")
            _ACTS[act](app.people, form, Person(name))
        except UnknownIncidentError as error:
            return not_found(spoken(str(error)))
        except InvalidInputError as error:
            return failed(422, "That was not done", spoken(str(error)))
        answer = RedirectResponse(f"/incidents/{number}#people", 303)
        # Not to be typed each time; it proves nothing, and is read by this page alone.
        answer.set_cookie(
            NAME_COOKIE, quote(name), max_age=_YEAR_S, httponly=True, samesite="strict"
        )
        return answer

    return routes


def _number(text: str) -> int:
    if not text.strip().isdecimal():
        raise InvalidInputError(f"{text!r} is no number of an incident")
    return int(text)
