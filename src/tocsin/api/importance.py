"""What models rely on: rows to find it out with, and what was found."""

import io
from dataclasses import asdict
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from tocsin.api.documented import MOST
from tocsin.api.errors import not_found
from tocsin.app import App
from tocsin.errors import InvalidInputError
from tocsin.explain import (
    AttributionShift,
    FeatureImportance,
    Importance,
    Measured,
    Method,
    described,
)
from tocsin.records.importances import StoredImportance
from tocsin.values import isoformat, parse_duration

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


class OnRows(_Strict):
    """What was found on some rows."""

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


class Found(OnRows):
    """What was found for a version, on rows of the reference that has this plan."""

    version: Annotated[str, Field(min_length=1, max_length=200)]
    plan: str


class Compared(_Strict):
    """Importance on the reference with this plan and on recent rows, found in the same way.

    start, end: of the recent rows, microseconds.
    """

    version: Annotated[str, Field(min_length=1, max_length=200)]
    plan: str
    then: OnRows
    now: OnRows
    start: Annotated[int, Field(ge=-MOST, le=MOST)]
    end: Annotated[int, Field(ge=-MOST, le=MOST)]

    def shift(self) -> AttributionShift:
        """The same as a value. Raises: InvalidInputError when the two were found differently."""
        then, now = self.then, self.now
        if (then.method, then.measured) != (now.method, now.measured):
            raise InvalidInputError(
                "`then` and `now` have to be found by one method and measure: importances of the "
                "loss and of the output do not compare"
            )
        return AttributionShift(then.importance(), now.importance(), self.start, self.end)


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

    @routes.put("/models/{model}/importance/recent", status_code=201)
    def put_recent(model: str, compared: Compared) -> dict[str, Any]:
        """Keep how importance on recent rows compares with that of the reference."""
        shift = compared.shift()
        return _document(
            app.importances.put_recent(model, compared.version, shift, plan=compared.plan)
        )

    @routes.get(
        "/models/{model}/recent",
        response_class=Response,
        responses={
            200: {
                "description": "rows as Parquet; the headers Tocsin-Start and Tocsin-End have "
                "their times, microseconds",
                "content": {_PARQUET: {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    def recent(
        model: str,
        span: Annotated[str, Query(pattern=r"^\d{1,6}[smhd]$")] = "7d",
        rows: Annotated[int, Query(ge=1, le=_MOST_ROWS)] = 2_000,
        seed: Annotated[int, Query(ge=0, le=MOST)] = 0,
    ) -> Response:
        """Some of the newest rows with the labels that are known, the same for the same seed."""
        table, start, end = app.importances.recent(
            model, span=parse_duration(span), rows=rows, seed=seed
        )
        times = {"Tocsin-Start": str(start), "Tocsin-End": str(end)}
        return _parquet(table, times)

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
        return _parquet(table, {"Tocsin-Plan": plan})

    return routes


def _parquet(table: pa.Table, headers: dict[str, str]) -> Response:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return Response(sink.getvalue(), media_type=_PARQUET, headers=headers)


def _document(found: StoredImportance) -> dict[str, Any]:
    reliance = found.importance.reliance
    document = found.importance.to_dict()
    return {
        "version": found.version,
        "computed_at": isoformat(found.computed_at),
        "described": described(found.importance),
        **document,
        "features": [{**f, "reliance": reliance[f["feature"]]} for f in document["features"]],
        "recent": None if found.recent is None else _recent(found.recent),
    }


def _recent(shift: AttributionShift) -> dict[str, Any]:
    return {
        "start": isoformat(shift.start),
        "end": isoformat(shift.end),
        "described": described(shift.now),
        "ndcg": shift.ndcg,
        "low": shift.low,
        "high": shift.high,
        "worst": shift.worst,
        "changed": shift.changed,
        "sentence": shift.sentence,
        "features": [{**asdict(each), "differs": each.differs} for each in shift.features],
    }
