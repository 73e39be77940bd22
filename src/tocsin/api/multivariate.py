"""Whether all columns of a window together have moved."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from tocsin.api.documented import MOST
from tocsin.api.documents import measure_document
from tocsin.api.errors import not_found
from tocsin.app import App
from tocsin.estimation import CBPE, WEIGHTING
from tocsin.service.multivariate import TogetherView
from tocsin.service.weighting import BothEstimates, WeightedView
from tocsin.values import isoformat, parse_duration

Duration = Annotated[str | None, Query(pattern=r"^\d+[smhd]$")]
# What the classifier of scikit-learn takes.
Seed = Annotated[int, Query(ge=0, le=min(MOST, 2**32 - 1))]


def router(app: App) -> APIRouter:
    """`GET` and `POST /models/{model}/drift/multivariate`."""
    routes = APIRouter(tags=["models"])

    @routes.get("/models/{model}/drift/multivariate", response_model=None)
    def known(model: str, window: Duration = None, seed: Seed = 0) -> dict[str, Any] | JSONResponse:
        """What was found of the newest window, if somebody asked."""
        size = None if window is None else parse_duration(window)
        found = app.multivariate.known(model, window=size, seed=seed)
        if found is None:
            return not_found("nobody asked about this window yet: POST here, and it is found")
        return _document(found)

    @routes.post("/models/{model}/drift/multivariate")
    def find(model: str, window: Duration = None, seed: Seed = 0) -> dict[str, Any]:
        """Train a classifier to tell rows of the newest window from the reference; takes seconds.

        The same for the same seed. One at a time: 503 while another is trained.
        """
        size = None if window is None else parse_duration(window)
        return _document(app.multivariate.find(model, window=size, seed=seed))

    return routes


def _document(found: TogetherView) -> dict[str, Any]:
    told = found.told
    return {
        "start": isoformat(found.window.start),
        "end": isoformat(found.window.end),
        "rows": found.rows,
        "reference_rows": found.reference_rows,
        "seed": found.seed,
        "auc": told.auc,
        "low": told.low,
        "high": told.high,
        "p_value": told.p_value,
        "importances": dict(told.importances),
        "sentence": found.sentence,
        "estimates": None if found.estimates is None else _estimates(found.estimates),
    }


def _estimates(found: WeightedView) -> dict[str, Any]:
    return {
        "method": WEIGHTING,
        "reference_rows": found.cover.rows,
        "effective_rows": found.cover.worth,
        "needed_rows": found.cover.needed,
        "alone": found.cover.alone,
        "supported": found.cover.supported,
        "flags": list(found.flags),
        "reason": found.cover.reason,
        "sentence": found.sentence,
        "metrics": {name: _both(each) for name, each in found.metrics.items()},
    }


def _both(found: BothEstimates) -> dict[str, Any]:
    made = found.by_scores
    return {
        "title": found.metric.title,
        WEIGHTING: measure_document(found.weighted),
        CBPE: None
        if made is None
        else {
            **measure_document(made.measure),
            "flags": [str(flag.name).lower() for flag in made.flags],
            "reasons": list(made.reasons),
        },
        "sentence": found.sentence,
    }
