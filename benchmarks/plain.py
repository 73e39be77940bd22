"""A server that only parses: what HTTP and JSON cost whoever keeps the rows."""

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def accept(request: Request) -> JSONResponse:
    """Parse the body and forget it."""
    rows = msgspec.json.decode(await request.body())
    return JSONResponse({"accepted": len(rows)}, 202)


if __name__ == "__main__":
    import sys

    routes = [Route("/{path:path}", accept, methods=["POST"])]
    uvicorn.run(Starlette(routes=routes), port=int(sys.argv[1]), log_level="error")
