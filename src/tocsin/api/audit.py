"""Who did what: the records, and whether they are as they were written."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tocsin.api.documented import MOST
from tocsin.app import App
from tocsin.records.audit import Anchor, AuditRecord, Verified
from tocsin.service.audit import MOST_RECORDS
from tocsin.values import isoformat

_Text = Annotated[str | None, Query(max_length=300)]
_Seq = Annotated[int | None, Query(ge=0, le=MOST)]


class _Anchor(BaseModel):
    seq: int = Field(ge=1, le=MOST)
    hash: str = Field(max_length=64)


class _Verify(BaseModel):
    """Hashes that were noted outside of the database."""

    anchors: list[_Anchor] = Field(default=[], max_length=10_000)


def router(app: App) -> APIRouter:
    """`GET /audit` and `POST /audit/verify`."""
    routes = APIRouter(tags=["audit"])

    @routes.get("/audit")
    def audit(
        *,
        object_like: Annotated[str | None, Query(alias="object", max_length=300)] = None,
        actor: _Text = None,
        event: _Text = None,
        after: _Seq = None,
        before: _Seq = None,
        limit: Annotated[int, Query(ge=1, le=MOST_RECORDS)] = 100,
    ) -> list[dict[str, Any]]:
        """Records, the newest first; with `after` the oldest first, to be read on page by page.

        object: a part of what it was done to. event: such as `alias.set`, or `alias` for all.
        """
        found = app.audit.listed(
            object_like=object_like,
            actor=actor,
            event=event,
            after=after,
            before=before,
            limit=limit,
        )
        return [record_document(record) for record in found]

    @routes.post("/audit/verify")
    def verify(request: _Verify) -> dict[str, Any]:
        """Whether every record is as it was written, and none of the anchored ones is gone."""
        anchors = [Anchor(anchor.seq, anchor.hash) for anchor in request.anchors]
        return verified_document(app.audit.verified(anchors))

    return routes


def record_document(record: AuditRecord) -> dict[str, Any]:
    """A record as it is hashed, but for `time`, which says `ts` to people."""
    return {**record.to_dict(), "time": isoformat(record.ts)}


def verified_document(found: Verified) -> dict[str, Any]:
    """What following the chain gave."""
    return {
        "verified": found.fault is None,
        "records": found.records,
        "head": None if found.head is None else {"seq": found.head.seq, "hash": found.head.hash},
        "fault": None
        if found.fault is None
        else {"seq": found.fault.seq, "reason": found.fault.reason},
    }
