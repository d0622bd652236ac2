"""The network blocked during a test, but for hosts that are allowed and promptdeck's own server.

By an audit hook (PEP 578): every socket of Python raises `socket.connect` and `socket.getaddrinfo`
before it does anything, whoever made it: asyncio, httpx, requests, aiohttp, an import of long
ago. uvloop connects by itself, so its one way to do that by name is covered, too. A hook cannot
be taken out again; the first test that is blocked puts it in.
"""

import ipaddress
import re
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import pytest

THREADS = "promptdeck"
"""How the names of the server's threads begin: they may ask upstream, as the mode says."""

_NAMING = ("socket.getaddrinfo", "socket.gethostbyname")
_SENDING = ("socket.connect", "socket.sendto", "socket.sendmsg")
_INTERNET = (socket.AF_INET, socket.AF_INET6)


class NetworkBlocked(RuntimeError):
    """A test asked for a host that it may not reach.

    No OSError: clients take those for a network that is down, and try again.
    """


@dataclass
class _NetworkBlock:
    """The state of the hook, of which a process can have but one."""

    test: str = ""
    """The node id of the test that is blocked; empty for none."""
    allowed: Sequence[str] = ()
    ports: set[int] = field(default_factory=set)
    """Of our own servers on loopback."""
    named: set[str] = field(default_factory=set)
    """Allowed hosts whose addresses were looked up."""
    installed: bool = False

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """The audit hook: NetworkBlocked stops what is about to be done."""
        if not self.test or not event.startswith("socket."):
            return
        if threading.current_thread().name.startswith(THREADS):
            return
        if event in _NAMING:
            self.look_up(args[0])
        elif event in _SENDING and args[0].family in _INTERNET and isinstance(args[1], tuple):
            try:
                self.reach(str(args[1][0]), args[1][1])
            except NetworkBlocked:
                # Who connects closes it after an OSError only.
                if event == "socket.connect":
                    args[0].close()
                raise

    def look_up(self, host: Any) -> None:
        """Refuse to find a host by its name. Addresses are judged when they are connected to."""
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if not name or name == "localhost" or _address(name):
            return
        if not self._allows(name):
            raise self._blocked(name)
        self.named.add(name)

    def reach(self, host: str, port: int) -> None:
        """Refuse to send anything to a host, given by name or address."""
        address = _address(host)
        ours = port in self.ports and (host == "localhost" or bool(address and address.is_loopback))
        # On Windows a loop wakes itself over loopback.
        if ours or self._allows(host) or (sys.platform == "win32" and address is not None):
            return
        if any(host in _addresses_of(name) for name in self.named):
            return
        raise self._blocked(f"{host}:{port}", host)

    def _allows(self, host: str) -> bool:
        return any(_matches(host.lower(), pattern) for pattern in self.allowed)

    def _blocked(self, target: str, host: str = "") -> NetworkBlocked:
        return NetworkBlocked(
            f"promptdeck: the network is blocked: {self.test} asked for {target}; to allow it:"
            f" --allowed-hosts={host or target}, or"
            f" @pytest.mark.block_network(allowed_hosts=[{host or target!r}])"
        )


_BLOCK = _NetworkBlock()


def _address(text: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address | None":
    """The IP address that a text is; None for a name."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _addresses_of(name: str) -> set[str]:
    """The addresses of an allowed host."""
    with suppress(OSError):
        return {str(info[4][0]) for info in socket.getaddrinfo(name, None)}
    return set()


def _matches(host: str, pattern: str) -> bool:
    """True if a host is what a pattern says: its name, with `*` or as a regular expression; an
    address, or a network such as 10.0.0.0/8."""
    if fnmatchcase(host, pattern.lower()):
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host) in ipaddress.ip_network(pattern, strict=False)
    with suppress(re.error):
        return re.fullmatch(pattern, host, re.IGNORECASE) is not None
    return False


@contextmanager
def blocked(test: str, allowed: Sequence[str]) -> Iterator[None]:
    """Block the network until the block ends, for all but the `allowed` hosts."""
    if not _BLOCK.installed:
        _BLOCK.installed = True
        sys.addaudithook(_BLOCK.hook)
    _cover_uvloop()
    before = _BLOCK.test, _BLOCK.allowed
    _BLOCK.test, _BLOCK.allowed = test, allowed
    _BLOCK.named.clear()
    try:
        yield
    finally:
        _BLOCK.test, _BLOCK.allowed = before


def allow_port(port: int) -> None:
    """Never block this port on loopback: promptdeck listens there."""
    _BLOCK.ports.add(port)


def _cover_uvloop() -> None:
    """Have uvloop's loops, if there are any, ask first before they connect by name."""
    uvloop: Any = sys.modules.get("uvloop")
    original = getattr(getattr(uvloop, "Loop", None), "create_connection", None)
    if original is None or getattr(original, "asks_promptdeck", False):
        return

    async def create_connection(
        loop: Any, factory: Any, host: Any = None, port: Any = None, **more: Any
    ) -> Any:
        if host and _BLOCK.test and not threading.current_thread().name.startswith(THREADS):
            _BLOCK.look_up(host)
            if not (isinstance(host, str) and _BLOCK._allows(host)):  # noqa: SLF001  our own
                _BLOCK.reach(str(host), port)
        return await original(loop, factory, host, port, **more)

    create_connection.asks_promptdeck = True  # type: ignore[attr-defined]
    uvloop.Loop.create_connection = create_connection


def hosts_in(values: Sequence[str]) -> list[str]:
    """The hosts of an option or a setting, each of which may be a list with commas."""
    return [host.strip() for value in values for host in value.split(",") if host.strip()]


def is_blocked(item: pytest.Item) -> bool:
    """True if a test's mark, the option or the setting blocks its network."""
    config = item.config
    everywhere = config.getoption("block_network", default=False) or config.getini("block_network")
    return bool(everywhere) or item.get_closest_marker("block_network") is not None


def hosts_allowed(item: pytest.Item) -> list[str]:
    """The hosts that a test whose network is blocked may reach.

    Those of its marks are added to the option's, or else the setting's. Fails the test for a
    mark with other arguments.
    """
    option = item.config.getoption("allowed_hosts", default=None)
    hosts = hosts_in([option] if option else item.config.getini("allowed_hosts"))
    for mark in item.iter_markers("block_network"):
        given = mark.kwargs.get("allowed_hosts", [])
        if mark.args or mark.kwargs.keys() - {"allowed_hosts"} or not isinstance(given, list | str):
            told = "@pytest.mark.block_network takes allowed_hosts=[...] and nothing else"
            pytest.fail(told, pytrace=False)
        hosts += hosts_in([given] if isinstance(given, str) else given)
    return hosts
