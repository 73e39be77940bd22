"""Addresses that a server may be asked to call: the open internet, and networks that are allowed.

Whoever may add a receiver could else make the server talk to what only it can reach: its own
ports, its neighbours, the metadata of a cloud.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import httpx2

from tocsin.errors import DeliveryError

Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address
# The addresses of a name: host and port in, texts out.
Resolve = Callable[[str, int], Sequence[str]]

_PORTS = {"http": 80, "https": 443}
# Not global though Python's tables of 3.11 say so, or meant for single networks.
_LOCAL = tuple(
    ip_network(text)
    for text in ("100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "2001::/23", "fec0::/10")
)
# Prefixes in which an IPv4 address is the last four bytes.
_TRANSLATED = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/96"), ip_network("::/96"))


@dataclass(frozen=True)
class Reach:
    """What may be called: networks beside the open internet.

    resolve: how names are looked up; None for the system's way.
    """

    networks: Sequence[Network] = ()
    resolve: Resolve | None = None


@dataclass(frozen=True)
class Target:
    """What to connect to: an address that was checked, for a name that was asked for."""

    address: str
    host: str
    port: int


def target(url: str, outside: Reach) -> Target:
    """The checked target of an address; the name is looked up once, so that it cannot change.

    Errors tell the host and no more: the rest of an address may be a secret.
    Raises: DeliveryError for what is not http or https, carries a name and password, or leads to
    an address that is neither global nor in one of the networks.
    """
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise DeliveryError("its address cannot be read", permanent=True) from error
    if parsed.scheme not in _PORTS or not parsed.host:
        raise DeliveryError("its address is not one of http or https", permanent=True)
    if parsed.userinfo:
        raise DeliveryError(
            f"the address of {parsed.host} carries a name or password; leave them out",
            permanent=True,
        )
    port = parsed.port or _PORTS[parsed.scheme]
    return Target(checked(parsed.host, port, outside), parsed.host, port)


def checked(host: str, port: int, outside: Reach) -> str:
    """An address of a host, all of whose addresses may be called. Raises: DeliveryError."""
    try:
        found = (outside.resolve or resolved)(host, port)
    except (OSError, UnicodeError) as error:
        raise DeliveryError(f"{host} has no address: {error}", permanent=False) from error
    for text in found:
        if not allowed(text, outside.networks):
            raise DeliveryError(
                f"{host} leads to {text}, which is not on the open internet; if that is meant, "
                "allow its network with TOCSIN_ALLOW_NETWORKS",
                permanent=True,
            )
    if not found:
        raise DeliveryError(f"{host} has no address", permanent=False)
    return found[0]


def resolved(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system finds them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def allowed(text: str, networks: Sequence[Network]) -> bool:
    """Whether an address may be called.

    >>> allowed("93.184.216.34", ()), allowed("127.0.0.1", ()), allowed("::ffff:10.0.0.1", ())
    (True, False, False)
    """
    try:
        address = _unwrapped(ip_address(text.split("%")[0]))
    except ValueError:
        return False
    if any(address in network for network in networks if network.version == address.version):
        return True
    local = any(address in network for network in _LOCAL if network.version == address.version)
    return address.is_global and not address.is_multicast and not local


def _unwrapped(address: _Address) -> _Address:
    """The IPv4 address inside an IPv6 one, where there is one."""
    if not isinstance(address, IPv6Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.teredo is not None:
        inner = address.teredo[1]
    if inner is None and any(address in network for network in _TRANSLATED):
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address
