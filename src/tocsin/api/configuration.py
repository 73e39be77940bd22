"""Monitors as code: plan, apply, export; the same as the commands of these names."""

import io
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from anyio.to_thread import run_sync
from fastapi import APIRouter, File, Form, Path, Query, Request, UploadFile
from fastapi.responses import JSONResponse

from tocsin.api.asking import asked_mlflow
from tocsin.api.documented import MOST, problems
from tocsin.api.errors import not_found
from tocsin.api.origin import actor_of, refuse_other_sites
from tocsin.app import App
from tocsin.declared.configuration import Checked, Source, check
from tocsin.declared.json_schema import monitors_schema
from tocsin.errors import InvalidInputError, MalformedBodyError
from tocsin.records.applied import Applied
from tocsin.values import isoformat

T = TypeVar("T")
# What faults call a document that came without a file.
_BODY = "document"
_DOCUMENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "a file of monitors, as YAML or JSON",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/yaml": {"schema": {"type": "string"}},
        },
    }
}
_Basis = Annotated[str | None, Query(max_length=64, description="of the plan that was agreed to")]
_Delete = Annotated[bool, Query(description="let models go with their predictions")]


def router(app: App) -> APIRouter:
    """`/plan`, `/apply`, `/export`, `/applied` and the JSON Schema."""
    routes = APIRouter(tags=["configuration"])

    @routes.get("/schema/monitors.json")
    def schema() -> dict[str, Any]:
        """The JSON Schema of files of monitors."""
        return monitors_schema()

    @routes.post("/plan", openapi_extra=_DOCUMENT)
    async def plan(request: Request) -> dict[str, Any]:
        """What applying a document would change, and what that costs; nothing is changed."""
        text = await _text(request)
        return await run_sync(lambda: app.configure.plan(_checked(text)).to_dict())

    @routes.post("/apply", openapi_extra=_DOCUMENT, responses=problems(403, 502, 503))
    async def apply(
        request: Request, *, basis: _Basis = None, delete_models: _Delete = False
    ) -> dict[str, Any]:
        """Apply a document, all or nothing; references are those that the server has."""
        refuse_other_sites(request, app.settings)
        text = await _text(request)
        return await applied(text, [], actor_of(request), basis, delete_models)

    @routes.put("/apply", responses=problems(403, 502, 503))
    async def apply_with_references(
        request: Request,
        document: Annotated[str, Form(description="what POST takes")],
        references: Annotated[list[UploadFile], File(description="Parquet, in any order")],
        *,
        basis: _Basis = None,
        delete_models: _Delete = False,
    ) -> dict[str, Any]:
        """The same with the rows of references, which the document names by their `sha256`."""
        refuse_other_sites(request, app.settings)
        tables = [await run_sync(_parquet, await file.read()) for file in references]
        return await applied(document, tables, actor_of(request), basis, delete_models)

    async def applied(
        text: str,
        tables: list[pa.Table],
        actor: str,
        basis: str | None,
        delete: bool,  # noqa: FBT001
    ) -> dict[str, Any]:
        def work() -> dict[str, Any]:
            outcome = app.configure.apply(checked, tables, actor=actor, basis=basis, delete=delete)
            app.worker.wake()
            return {"number": outcome.number, **outcome.plan.to_dict()}

        checked = await run_sync(_checked, text)
        return await _waiting_for(app, checked, work)

    @routes.get("/export")
    def export() -> dict[str, Any]:
        """What the server has, as one file that `check` takes and `plan` finds unchanged."""
        return app.configure.export()

    @routes.get("/applied")
    def history() -> list[dict[str, Any]]:
        """The configurations that were applied, the newest first, without their documents."""
        return [_applied_document(each) for each in app.configure.history()]

    @routes.get("/applied/{number}", response_model=None)
    def one(number: Annotated[int, Path(ge=1, le=MOST)]) -> dict[str, Any] | JSONResponse:
        """One of them with its document."""
        found = app.configure.applied(number)
        if found is None:
            return not_found(f"nothing was applied as number {number}")
        return {**_applied_document(found), "document": found.document}

    return routes


async def _waiting_for(app: App, checked: Checked, work: Callable[[], T]) -> T:
    """What `work` returns, on a thread for those who ask MLflow where it does."""
    asks = any("dataset" in (m.reference or {}) for m in checked.configuration.monitors)
    return await (asked_mlflow(app, work) if asks else run_sync(work))


async def _text(request: Request) -> str:
    try:
        return (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise MalformedBodyError(f"the document is no UTF-8: {error}", error.start) from error


def _checked(text: str) -> Checked:
    return check([Source(_BODY, text)], new=True)


def _parquet(data: bytes) -> pa.Table:
    try:
        return pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInputError(f"a reference is not Parquet: {error}") from error


def _applied_document(found: Applied) -> dict[str, Any]:
    return {
        "number": found.number,
        "actor": found.actor,
        "applied_at": isoformat(found.applied_at),
        "digest": found.digest,
    }
