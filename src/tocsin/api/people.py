"""What people do about incidents."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from tocsin.api.documented import MOST, problems
from tocsin.api.documents import incident_document
from tocsin.api.origin import actor_of, refuse_other_sites
from tocsin.app import App
from tocsin.records.alerts import Verdict
from tocsin.service.people import MOST_WORDS, Person
from tocsin.values import parse_duration

_Number = Annotated[int, Path(ge=1, le=MOST)]
_Note = Annotated[str, Field(max_length=MOST_WORDS)]


class _Act(BaseModel):
    """Who does it, and what they say."""

    model_config = ConfigDict(extra="forbid")

    actor: str | None = Field(
        default=None, description="else the header X-Tocsin-Actor", min_length=1, max_length=200
    )
    note: _Note = ""


class _Assign(_Act):
    to: str = Field(max_length=200, description="a person or a team; empty for nobody")


class _Comment(_Act):
    text: str = Field(min_length=1, max_length=MOST_WORDS)


class _Snooze(_Act):
    duration: str = Field(alias="for", description="such as 2h")


class _Mark(_Act):
    verdict: Literal["real", "false", "none"]


class _Merge(_Act):
    into: int = Field(ge=1, le=MOST)


class _Escalate(_Act):
    to: str = Field(min_length=1, max_length=200, description="the name of a receiver")
    reason: str = Field(min_length=1, max_length=MOST_WORDS)


def router(app: App) -> APIRouter:
    """Each answers with the incident as it is then. There are no logins: names are what is said."""
    routes = APIRouter(tags=["incidents"], prefix="/incidents/{number}")

    def person(asked: Request, act: _Act) -> Person:
        refuse_other_sites(asked, app.settings)
        return Person(act.actor or actor_of(asked))

    def answer(number: int) -> dict[str, Any]:
        found = app.read.incident(number)
        assert found is not None
        return incident_document(found.incident, found)

    @routes.post("/acknowledge", responses=problems(403, 404))
    def acknowledge(number: _Number, act: _Act, asked: Request) -> dict[str, Any]:
        """Somebody works on it: nobody is reminded any more, until it gets more severe."""
        app.people.acknowledge(number, person(asked, act), act.note)
        return answer(number)

    @routes.post("/withdraw", responses=problems(403, 404))
    def withdraw(number: _Number, act: _Act, asked: Request) -> dict[str, Any]:
        """Nobody works on it any more, and it is not snoozed."""
        app.people.withdraw(number, person(asked, act), act.note)
        return answer(number)

    @routes.post("/assign", responses=problems(403, 404))
    def assign(number: _Number, act: _Assign, asked: Request) -> dict[str, Any]:
        """It is somebody's."""
        app.people.assign(number, person(asked, act), act.to)
        return answer(number)

    @routes.post("/comments", responses=problems(403, 404))
    def comment(number: _Number, act: _Comment, asked: Request) -> dict[str, Any]:
        """Say something on its timeline."""
        app.people.comment(number, person(asked, act), act.text)
        return answer(number)

    @routes.post("/snooze", responses=problems(403, 404))
    def snooze(number: _Number, act: _Snooze, asked: Request) -> dict[str, Any]:
        """Nobody is reminded for a while."""
        app.people.snooze(number, person(asked, act), parse_duration(act.duration), act.note)
        return answer(number)

    @routes.post("/escalate", responses=problems(403, 404))
    def escalate(number: _Number, act: _Escalate, asked: Request) -> dict[str, Any]:
        """Tell a receiver now of what fires, whatever the routes say; of its end it hears too."""
        app.people.escalate(number, person(asked, act), act.to, act.reason)
        return answer(number)

    @routes.post("/mark", responses=problems(403, 404))
    def mark(number: _Number, act: _Mark, asked: Request) -> dict[str, Any]:
        """It was a real problem, or a false alarm; backtests of rules go by that."""
        verdict = None if act.verdict == "none" else Verdict(act.verdict)
        app.people.mark(number, person(asked, act), verdict, act.note)
        return answer(number)

    @routes.post("/merge", responses=problems(403, 404))
    def merge(number: _Number, act: _Merge, asked: Request) -> dict[str, Any]:
        """Its alerts belong to another incident of the same model."""
        app.people.merge(number, person(asked, act), act.into, act.note)
        return answer(act.into)

    return routes
