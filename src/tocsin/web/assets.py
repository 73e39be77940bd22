"""Files of our own origin, each under an address that changes with its content."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files

import vl_convert
from fastapi import APIRouter, Request, Response

from tocsin.charts import DARK, LIGHT, config

VEGA = "vega.js"
_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_OURS = ("tocsin.css", "tocsin.js", "tocsin.svg")


@dataclass(frozen=True)
class Asset:
    """A file and the same, compressed."""

    body: bytes
    compressed: bytes
    media_type: str


def address(name: str) -> str:
    """Where a page finds a file; cached for ever, because its content never changes there."""
    return f"/static/{_digest(name)}/{name}"


@cache
def themes() -> dict[str, object]:
    """The configurations of the charts by colour scheme."""
    return {"light": config(LIGHT), "dark": config(DARK)}


def router() -> APIRouter:
    """`GET /static/{digest}/{name}`."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/static/{digest}/{name}")
    def static(digest: str, name: str, request: Request) -> Response:
        if name not in (*_OURS, VEGA) or digest != _digest(name):
            return Response("there is no such file; reload the page", 404)
        asset = _asset(name)
        headers = {
            "cache-control": "public, max-age=31536000, immutable",
            "vary": "accept-encoding",
        }
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(asset.compressed, media_type=asset.media_type, headers=headers)
        return Response(asset.body, media_type=asset.media_type, headers=headers)

    return routes


@cache
def _digest(name: str) -> str:
    # Building the bundle takes a second; its version says as much as its content.
    content = f"vega {version('vl-convert-python')}".encode() if name == VEGA else _body(name)
    return hashlib.sha256(content).hexdigest()[:12]


@cache
def _asset(name: str) -> Asset:
    body = _body(name)
    return Asset(body, gzip.compress(body, 6), _TYPES[name.rpartition(".")[2]])


def _body(name: str) -> bytes:
    if name == VEGA:
        # Without a snippet it sets window.vegaEmbed; the stub does not know.
        return str(vl_convert.javascript_bundle()).encode()  # type: ignore[call-arg]
    return (files("tocsin.web") / "static" / name).read_bytes()
