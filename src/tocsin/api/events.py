"""What changed, as server-sent events that can be resumed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from tocsin.api.documented import MOST
from tocsin.app import App

_LOOK_EVERY_S = 0.5
_BEAT_EVERY = 20


def router(app: App) -> APIRouter:
    """`GET /events`."""
    routes = APIRouter(tags=["events"])

    @routes.get(
        "/events",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def events(
        request: Request, last_event_id: Annotated[int | None, Header(ge=0, le=MOST)] = None
    ) -> StreamingResponse:
        """Topics that changed: `model/NAME`, `incident/NUMBER`; resumes after Last-Event-ID."""
        newest = await run_in_threadpool(app.read.newest_change)
        # Another data folder may have stood behind this address before.
        after = newest if last_event_id is None else min(last_event_id, newest)
        return StreamingResponse(
            _stream(app, request, after),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    return routes


async def _stream(app: App, request: Request, after: int) -> AsyncIterator[str]:
    yield f"retry: 2000\nid: {after}\nevent: ready\ndata: {after}\n\n"
    quiet = 0
    while not await request.is_disconnected() and not app.worker.stopping:
        found = await run_in_threadpool(app.read.changes, after)
        # A page fetches a fragment once, however often its topic changed meanwhile.
        latest = {topic: number for number, topic in found}
        for topic, number in sorted(latest.items(), key=lambda item: item[1]):
            yield f"id: {number}\nevent: change\ndata: {topic}\n\n"
        after = found[-1][0] if found else after
        quiet = 0 if found else quiet + 1
        if quiet and quiet % _BEAT_EVERY == 0:
            yield ": still here\n\n"
        await asyncio.sleep(_LOOK_EVERY_S)
