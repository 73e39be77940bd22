"""Which pages may change something by the browser of whoever opens them."""

from dataclasses import replace
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request

from tocsin.api.origin import refuse_other_sites
from tocsin.errors import NotAllowedError
from tocsin.settings import Settings, settings

HERE = "127.0.0.1:8765"


def refused(configured: Settings, **headers: str) -> bool:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    scope: dict[str, Any] = {"type": "http", "headers": Headers(named).raw}
    try:
        refuse_other_sites(Request(scope), configured)
    except NotAllowedError:
        return True
    return False


def own(host: str, **more: str) -> dict[str, str]:
    """What a browser sends for a page that it has from `host`."""
    return {"host": host, "origin": f"http://{host}", "sec_fetch_site": "same-origin", **more}


def test_what_no_browser_sent_is_let_through() -> None:
    assert not refused(settings({}), host="anything.test")


@pytest.mark.parametrize("host", [HERE, "localhost:8765", "[::1]:8765"])
def test_pages_of_this_machine_are_ours(host: str) -> None:
    assert not refused(settings({}), **own(host))


def test_a_name_that_was_made_to_lead_here_is_another_site() -> None:
    assert refused(settings({}), **own("evil.test:8765"))
    # Without TLS browsers leave out where they have the page from, or the origin.
    assert refused(settings({}), host="evil.test:8765", origin="http://evil.test:8765")
    assert refused(settings({}), host="evil.test:8765", sec_fetch_site="same-origin")


def test_pages_of_other_sites_are_refused_wherever_they_are_from() -> None:
    assert refused(settings({}), host=HERE, origin="http://evil.test")
    assert refused(settings({}), host=HERE, origin="null")
    assert refused(settings({}), host=HERE, sec_fetch_site="cross-site")
    # Another program of this machine.
    assert refused(settings({}), host=HERE, origin="http://127.0.0.1:3000")


def test_behind_a_proxy_that_puts_in_another_host_the_page_is_ours() -> None:
    behind = settings({"TOCSIN_URL": "https://tocsin.test"})
    page = {"origin": "https://tocsin.test", "sec_fetch_site": "same-origin"}
    assert not refused(behind, host=HERE, **page)
    assert not refused(behind, host="tocsin.test", **page)
    assert refused(behind, host=HERE, origin="https://evil.test", sec_fetch_site="same-origin")


def test_further_names_can_be_allowed() -> None:
    named = settings({"TOCSIN_ALLOWED_HOSTS": "Ops.test, ml.test:8443"})
    assert not refused(named, host=HERE, origin="http://ops.test:81")
    assert not refused(named, host=HERE, origin="https://ml.test:8443")
    assert refused(named, host=HERE, origin="https://ml.test")
    assert settings({}, allowed_hosts="a.test").allowed_hosts == ("a.test",)


def test_a_server_on_every_address_knows_itself_by_numbers() -> None:
    everywhere = settings({}, host="0.0.0.0")
    assert not refused(everywhere, **own("192.168.1.7:8765"))
    assert refused(everywhere, **own("evil.test:8765"))
    assert refused(settings({}), **own("192.168.1.7:8765"))
    assert not refused(replace(everywhere, url="http://box:8765"), **own("box:8765"))
