"""Who makes a request: our own pages or those of others, and by what name."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Request

from tocsin.errors import NotAllowedError
from tocsin.records.audit import UNKNOWN
from tocsin.settings import Settings

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# To listen on these is to listen on every address that the machine has.
_EVERYWHERE = ("0.0.0.0", "::")


def refuse_other_sites(request: Request, settings: Settings) -> None:
    """Let through what no browser sent, and what a page of ours sent.

    Without logins a page from anywhere could else move an alias by the browser of whoever opens it.
    That its name leads here proves nothing: whoever owns a name can let it lead to our address.
    Raises: NotAllowedError.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")
    host = request.headers.get("host", "")
    if site not in (None, "same-origin", "none"):
        raise NotAllowedError(
            "this was asked for by a page of another site, which may not change anything here"
        )
    if origin is None and site is None:
        return
    asking = host if origin is None else urlsplit(origin).netloc
    if not _is_ours(asking, host, settings):
        raise NotAllowedError(
            f"this was asked for by a page of {asking or 'an unknown site'}, which may not change "
            "anything here; if people reach Tocsin by that name, set TOCSIN_URL or --allowed-hosts"
        )


def _is_ours(asking: str, host: str, settings: Settings) -> bool:
    """Whether pages of a site, `NAME` or `NAME:PORT`, are ours. host: where the request went."""
    name = _name(asking)
    own = urlsplit(settings.url)
    if asking == own.netloc or {asking, name} & set(settings.allowed_hosts):
        # A proxy may have put another name into `host`.
        return True
    listening = name == settings.host or (settings.host in _EVERYWHERE and _is_address(name))
    return asking == host and (name in {own.hostname, *_LOOPBACK} or listening)


def _name(asking: str) -> str:
    return urlsplit(f"//{asking}").hostname or ""


def _is_address(name: str) -> bool:
    """Whether it is a number, which nobody can let lead elsewhere."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def actor_of(request: Request) -> str:
    """Who asks, by the header X-Tocsin-Actor; nobody checks it, as there are no logins yet."""
    return request.headers.get("x-tocsin-actor", "").strip()[:200] or UNKNOWN
