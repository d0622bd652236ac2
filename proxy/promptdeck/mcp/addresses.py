"""Where the URL of an MCP server may lead that came with a request: to no one's private network.

Whoever may ask promptdeck could otherwise reach what only this machine can. The name is resolved
once and the connection goes to the address that was looked at: a second answer of the name server
changes nothing.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from promptdeck.core.hosts import is_loopback
from promptdeck.engine.agent.sides import MCPTrouble


class Whereabouts(NamedTuple):
    """Where a server is: the host as its URL has it, and the addresses that may be connected to."""

    host: str
    port: int
    addresses: tuple[str, ...]


class Allowance(NamedTuple):
    """What a request's URLs may lead to beside the public network."""

    loopback: bool
    """True while promptdeck itself is heard on loopback only."""
    hosts: Sequence[str] = ()
    """Hosts by name, and networks as `10.1.0.0/16`, that the user has allowed."""
    own_ports: Sequence[int] = ()
    """promptdeck's own ports, never to be asked."""


async def place_of(url: str, allowance: Allowance) -> Whereabouts:
    """Where a URL leads. MCPTrouble: `forbidden_url`, or `connection_failed` without an address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise _forbidden(url, "it is no URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise _forbidden(url, "only http:// and https:// are asked")
    allowed = host in allowance.hosts
    addresses = await _addresses(host, port)
    for address in addresses:
        if not allowed:
            _judge(url, host, ipaddress.ip_address(address), allowance)
    local = all(ipaddress.ip_address(one).is_loopback for one in addresses)
    if local and port in allowance.own_ports:
        raise _forbidden(url, "it leads to promptdeck itself")
    if parts.scheme == "http" and not (local or allowed):
        raise _forbidden(url, "over http:// only this machine is asked, others by https://")
    return Whereabouts(host, port, addresses)


async def _addresses(host: str, port: int) -> tuple[str, ...]:
    """All addresses of a host, numbers as they are."""
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise MCPTrouble(
            "connection_failed", f"no address is known of {host}: {error}", "check the URL's host"
        ) from None
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def _judge(
    url: str,
    host: str,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    allowance: Allowance,
) -> None:
    """MCPTrouble for an address that is nobody's to be asked for. One bad address is enough."""
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    for one in (address, mapped) if mapped else (address,):
        if any(one in network for network in _networks(allowance.hosts)):
            continue
        if one.is_loopback:
            if not (allowance.loopback and (is_loopback(host) or host == str(address))):
                raise _forbidden(url, f"{host} is this machine")
        elif not one.is_global or one.is_multicast or one.is_reserved:
            raise _forbidden(url, f"{host} is {one}, an address of a private network")


def _networks(
    hosts: Sequence[str],
) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    networks = []
    for text in hosts:
        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            continue  # a name, which has been looked at
    return networks


def _forbidden(url: str, why: str) -> MCPTrouble:
    return MCPTrouble(
        "forbidden_url",
        f"{without_secrets(url)} is not asked: {why}",
        "name its host in agent.allow, or give the server a name in agent.servers",
    )


def without_secrets(url: str) -> str:
    """A URL without user, password and query: as it may be told."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the URL"
    return f"{parts.scheme}://{host}{port}{parts.path}"
