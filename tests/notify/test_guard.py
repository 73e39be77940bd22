"""Where notifications may go: the open internet, and what is allowed."""

import http.server
import itertools
import threading
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.notify.conftest import message

from tocsin.errors import DeliveryError
from tocsin.notify import Outside, sender
from tocsin.notify.guard import Reach, allowed, resolved, target
from tocsin.notify.post import post

OPEN = "93.184.216.34"

# What is tried to make a server talk to what only it can reach.
HOSTILE = [
    "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/",
    "http://0177.0.0.1/", "http://0/", "http://0.0.0.0:8765/", "http://localhost:8765/",
    "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/router",
    "http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/", "http://192.0.0.170/",
    "http://198.18.0.1/", "http://224.0.0.1/", "http://239.255.255.250:1900/",
    "http://255.255.255.255/", "http://240.0.0.1/", "http://192.0.2.1/",
    "http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:a00:1]/",
    "http://[::127.0.0.1]/", "http://[fe80::1]/", "http://[fc00::1]/", "http://[fd00:ec2::254]/",
    "http://[ff02::1]/", "http://[2002:7f00:1::]/", "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::a00:1]/", "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "http://LOCALHOST/", "http://0x7f.1/",
    "http://[::ffff:7f00:1]:8765/", "http://[64:ff9b::a9fe:a9fe]/latest/meta-data/",
    "http://\u2460\u2461\u2466.0.0.1/", "http://127\u30020\u30020\u30021/",
    "http://example.com#@127.0.0.1/\n", "//127.0.0.1/", "javascript:alert(1)",
    "http://[fec0::1]/", "http://[2001:db8::1]/",
    "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "http:///nothing",
    "http://user:word@example.com/", "http://example.com@127.0.0.1/", "not an address",
]  # fmt: skip


def lookup(host: str, port: int) -> list[str]:
    """As the system has it for addresses; every name is on the open internet."""
    try:
        return resolved(host, port)
    except OSError:
        return [OPEN]


@pytest.mark.parametrize("url", HOSTILE)
def test_what_only_the_server_can_reach_is_refused(url: str) -> None:
    with pytest.raises(DeliveryError) as refused:
        target(url, Reach((), lookup))
    assert refused.value.permanent


@pytest.mark.parametrize(
    ("url", "port"),
    [("https://example.com/hook", 443), ("http://example.com:8080/", 8080)],
)
def test_the_open_internet_is_reached_at_the_address_that_was_checked(url: str, port: int) -> None:
    found = target(url, Reach((), lambda *_: [OPEN, "1.1.1.1"]))
    assert (found.address, found.host, found.port) == (OPEN, "example.com", port)


def test_one_bad_address_among_good_ones_is_enough_to_refuse() -> None:
    with pytest.raises(DeliveryError, match=r"leads to 10\.0\.0\.7.*TOCSIN_ALLOW_NETWORKS"):
        target("https://example.com/", Reach((), lambda *_: [OPEN, "10.0.0.7"]))


def test_a_name_is_looked_up_once() -> None:
    answers = iter([[OPEN], ["127.0.0.1"]])
    assert target("https://example.com/", Reach((), lambda *_: next(answers))).address == OPEN
    assert next(answers) == ["127.0.0.1"]


def test_a_network_of_ones_own_can_be_allowed() -> None:
    networks = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert target("http://10.1.2.3/", Reach(networks, lookup)).address == "10.1.2.3"
    assert target("http://[fd00::5]/", Reach(networks, lookup)).address == "fd00::5"
    with pytest.raises(DeliveryError):
        target("http://10.2.0.1/", Reach(networks, lookup))


def test_a_name_without_an_address_may_have_one_later() -> None:
    def nowhere(*_: object) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(DeliveryError, match="no address") as refused:
        target("https://example.com/", Reach((), nowhere))
    assert not refused.value.permanent


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_however_it_is_wrapped(address) -> None:
    plain = allowed(str(address), ())
    assert allowed(f"::ffff:{address}", ()) == plain
    assert allowed(str(ip_address((0x0064FF9B << 96) | int(address))), ()) == plain
    assert allowed(str(ip_address((0x2002 << 112) | (int(address) << 80))), ()) == plain


def test_a_name_that_leads_elsewhere_between_check_and_use_is_not_followed() -> None:
    """As DNS rebinding does: first an address that may be called, then the server's own."""
    came = threading.Event()

    class Inside(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.set()

    server = http.server.HTTPServer(("127.0.0.1", 0), Inside)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        answers = itertools.chain(["127.0.0.2"], itertools.repeat("127.0.0.1"))
        only = Outside((ip_network("127.0.0.2/32"),), resolve=lambda *_: [next(answers)])
        url = f"http://rebinding.example:{server.server_address[1]}/"
        with pytest.raises(DeliveryError, match="ConnectError"):
            post(url, b"{}", {}, only, spoken="it")
        with pytest.raises(DeliveryError, match=r"leads to 127\.0\.0\.1"):
            post(url, b"{}", {}, only, spoken="it")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert not came.is_set()


def test_a_relay_of_mail_is_checked_as_well() -> None:
    options = {
        "host": "mail.example",
        "port": 25,
        "security": "none",
        "sender": "t@example.com",
        "username": None,
        "password_env": None,
    }
    inside = Outside((), resolve=lambda *_: ["10.0.0.25"])
    with pytest.raises(DeliveryError, match=r"leads to 10\.0\.0\.25"):
        sender("email", options, inside)(message("oncall@example.com"))
