"""Templates to answers: whole pages, or the one live section of a page that changed."""

from functools import cache
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tocsin.charts.theme import Spec
from tocsin.service import quality_words, sentences
from tocsin.values import Bounded
from tocsin.web import (
    assets,
    incident_words,
    model_words,
    rule_words,
    silence_words,
    version_words,
    words,
)

# Nothing from elsewhere. Vega runs without eval: the charts are mounted with its interpreter.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def page(
    template: str, *, fragment: str | None = None, status: int = 200, **values: Any
) -> HTMLResponse:
    """A page, or only its live sections `fragment`: names of blocks with commas between."""
    found = _environment().get_template(template)
    if fragment is None:
        return HTMLResponse(found.render(values), status, _HEADERS)
    names = fragment.split(",")
    unknown = [name for name in names if not name.startswith("live_") or name not in found.blocks]
    if unknown:
        return not_found(f"This page has no section called {unknown[0]}.")
    context = found.new_context(values)
    sections = [
        Markup('<template data-fragment="{}">{}</template>').format(
            # The block escaped what it had to.
            name,
            Markup("".join(found.blocks[name](context))),
        )
        for name in names
    ]
    return HTMLResponse("".join(sections), status, _HEADERS)


def not_found(what: str) -> HTMLResponse:
    """The page when something does not exist."""
    return failed(404, "There is nothing here", what)


def failed(status: int, title: str, what: str) -> HTMLResponse:
    """The page when something went wrong; `what` says what to do."""
    return page("error.html", status=status, title=title, what=what)


def picture(spec: Spec, kind: str) -> dict[str, Any]:
    """A chart for the macro `figure`: the page sets the title itself, so that it can wrap."""
    rest = {key: part for key, part in spec.items() if key != "title"}
    return {
        "title": spec["title"],
        "alternative": spec["title"],
        "kind": kind,
        "height": spec["height"] + 60,
        "spec": rest,
    }


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tocsin.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number,
        "percent": words.percent,
        "count": words.count,
        "duration": words.duration,
        "lasting": words.lasting,
        "moment": words.time_element,
        "marked": words.marked,
        "sentence": words.sentence,
        "statement": words.statement,
        "segment": words.segment,
        "covers": silence_words.covers,
        "silence_link": silence_words.silence_link,
    }
    environment.tests["bounded"] = lambda measure: isinstance(measure, Bounded)
    environment.globals |= {
        "asset": assets.address,
        "themes": assets.themes,
        "words": words,
        "model_words": model_words,
        "rule_words": rule_words,
        "incident_words": incident_words,
        "version_words": version_words,
        "quality_words": quality_words,
        "sentences": sentences,
    }
    # Blocks are rendered alone as fragments too: macros are global, as imports would not be seen.
    environment.globals["ui"] = environment.get_template("macros.html").module
    return environment
