"""What models rely on: rows to find it out with, and what was found."""

import io
from typing import Annotated, Any

import pyarrow.parquet as pq
from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from tocsin.api.documented import MOST
from tocsin.api.errors import not_found
from tocsin.app import App
from tocsin.explain import FeatureImportance, Importance, Measured, Method, described
from tocsin.records.importances import StoredImportance
from tocsin.values import isoformat

_PARQUET = "application/vnd.apache.parquet"
_MOST_ROWS = 100_000
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Feature(_Strict):
    """The importance of a feature, and its standard error."""

    feature: str
    value: Number
    error: Annotated[Number, Field(ge=0)]


class Found(_Strict):
    """What was found for a version, on rows of the reference that has this plan."""

    version: Annotated[str, Field(min_length=1, max_length=200)]
    plan: str
    method: Method
    measured: Measured
    rows: Annotated[int, Field(ge=1, le=MOST)]
    repeats: Annotated[int, Field(ge=1, le=MOST)] = 1
    seed: Annotated[int, Field(ge=0, le=MOST)] = 0
    features: Annotated[list[Feature], Field(min_length=1, max_length=10_000)]

    def importance(self) -> Importance:
        """The same as a value."""
        features = [FeatureImportance(f.feature, f.value, f.error) for f in self.features]
        return Importance.of(
            self.method, self.measured, self.rows, self.repeats, self.seed, features
        )


def router(app: App) -> APIRouter:
    """`GET` and `PUT /models/{model}/importance`, and `GET /models/{model}/reference`."""
    routes = APIRouter(tags=["importance"])

    @routes.get("/models/{model}/importance", response_model=None)
    def importance(
        model: str, version: str | None = None, method: Method | None = None
    ) -> dict[str, Any] | JSONResponse:
        """How much a version relies on each feature; without one, that which was computed last."""
        found = app.importances.find(model, version=version, method=method)
        if found is None:
            of = "" if version is None else f" for version {version}"
            return not_found(
                f"no importance is known{of} on the reference of now: "
                f"tocsin importance {model} --compute"
            )
        return _document(found)

    @routes.put("/models/{model}/importance", status_code=201)
    def put(model: str, found: Found) -> dict[str, Any]:
        """Store what was found, in place of what was before; `plan` is that of the reference."""
        stored = app.importances.put(model, found.version, found.importance(), plan=found.plan)
        return _document(stored)

    @routes.get(
        "/models/{model}/reference",
        response_class=Response,
        responses={
            200: {
                "description": "rows as Parquet; the header Tocsin-Plan has the plan of them",
                "content": {_PARQUET: {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    def reference(
        model: str,
        rows: Annotated[int, Query(ge=1, le=_MOST_ROWS)] = 2_000,
        seed: Annotated[int, Query(ge=0, le=MOST)] = 0,
    ) -> Response:
        """Some rows of the reference, the same for the same seed; hashed fields as hashes."""
        table, plan = app.importances.reference(model, rows=rows, seed=seed)
        sink = io.BytesIO()
        pq.write_table(table, sink)
        return Response(sink.getvalue(), media_type=_PARQUET, headers={"Tocsin-Plan": plan})

    return routes


def _document(found: StoredImportance) -> dict[str, Any]:
    reliance = found.importance.reliance
    document = found.importance.to_dict()
    return {
        "version": found.version,
        "computed_at": isoformat(found.computed_at),
        "described": described(found.importance),
        **document,
        "features": [{**f, "reliance": reliance[f["feature"]]} for f in document["features"]],
    }
