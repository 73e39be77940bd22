"""Who makes a request: our own pages or those of others, and by what name."""

from urllib.parse import urlsplit

from fastapi import Request

from tocsin.errors import NotAllowedError
from tocsin.records.audit import UNKNOWN


def refuse_other_sites(request: Request) -> None:
    """Let through what no browser sent, and what a page of ours sent.

    Without logins a page from anywhere could else move an alias by the browser of whoever opens it.
    Raises: NotAllowedError.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")
    foreign = site not in (None, "same-origin", "none")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        foreign = True
    if foreign:
        raise NotAllowedError(
            "this was asked for by a page of another site, which may not change anything here"
        )


def actor_of(request: Request) -> str:
    """Who asks, by the header X-Tocsin-Actor; nobody checks it, as there are no logins yet."""
    return request.headers.get("x-tocsin-actor", "").strip()[:200] or UNKNOWN
