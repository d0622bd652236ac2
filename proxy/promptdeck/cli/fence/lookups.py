"""A name server for a fenced program: it notes each name that is asked for, and knows none.

The program's own lookups lead here (`fence.notices`), whichever resolver it has. Only names that
are allowed are asked for at the program's own name server, and the addresses that come are
remembered as allowed (RFC 1035, sections 4.1 and 4.2.1).
"""

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from fnmatch import fnmatchcase

Address = tuple[str, int]
"""Host and port, as sockets have them."""

_HEADER = 12
_NO_SUCH_NAME = 0x8183
"""A response, recursion desired and available, code 3."""
_A, _AAAA = 1, 28
_POINTER = 0xC0
_LONGEST_MESSAGE = 65535
_PATIENCE = 30
"""Seconds that a name server has: resolvers give up after 5 to 20."""
_LONGEST = 255
"""Bytes of a name (RFC 1035, 2.3.4): a bound for what a broken message leads through."""


class Allowed:
    """The hosts that a fenced program may reach besides loopback.

    `hosts` are names, where `*` stands for any text, addresses, or networks (`10.0.0.0/8`).
    ValueError for an empty one.
    """

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        self._names: list[str] = []
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._learnt: set[str] = set()
        for host in hosts:
            if not host:
                raise ValueError("a host that is allowed has a name or an address")
            try:
                self._networks.append(ipaddress.ip_network(host, strict=False))
            except ValueError:
                self._names.append(host.lower().rstrip("."))

    def name(self, name: str) -> bool:
        """True for a host's name that may be looked up."""
        return any(fnmatchcase(name.lower(), pattern) for pattern in self._names)

    def address(self, host: str) -> bool:
        """True for an address, as text, that may be connected to."""
        ip = ipaddress.ip_address(host.partition("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None) or ip
        # To connect to `any address` is to connect to this machine.
        if mapped.is_loopback or mapped.is_unspecified or str(mapped) in self._learnt:
            return True
        return any(mapped in network for network in self._networks)

    def learn(self, addresses: Iterable[str]) -> None:
        """Allow the addresses that a name stands for."""
        self._learnt.update(addresses)


class Lookups:
    """Answers lookups on a port of its own, on the running loop.

    `refused` is called with each name that is not known here.
    """

    def __init__(self, allowed: Allowed, refused: Callable[[str], None]) -> None:
        self._allowed = allowed
        self._refused = refused
        self.server: Address | None = None
        """The name server that the program would have asked, where allowed names are asked for."""
        self._asking: dict[socket.socket, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()
        self._socket = _datagrams()
        self._socket.bind(("127.0.0.1", 0))
        self.address: Address = self._socket.getsockname()
        self._loop.add_reader(self._socket, self._answer)

    def _answer(self) -> None:
        """Answer one lookup, or have it answered where the program would have asked."""
        with suppress(
            OSError
        ):  # whoever asked is gone; a name server that is not reached is silent
            query, client = self._socket.recvfrom(_LONGEST_MESSAGE)
            name = self.noticed(query)
            if name is not None and self._allowed.name(name) and self.server:
                self._forward(query, client, self.server)
            elif name is not None:
                self._socket.sendto(no_such_name(query), client)

    def noticed(self, query: bytes) -> str | None:
        """The name that a query asks for, once it is noted if it is not allowed.

        None for what is no query.
        """
        name = name_in(query)
        if name is None:
            return None
        # Who asks for an address backwards has it already.
        if not self._allowed.name(name) and not name.endswith(".arpa"):
            self._refused(name)
        return name

    def _forward(self, query: bytes, client: Address, server: Address) -> None:
        """Ask the program's own name server, and pass on what it says. OSError."""
        asking = _datagrams()
        self._asking[asking] = self._loop.call_later(_PATIENCE, self._give_up, asking)
        self._loop.add_reader(asking, self._pass_on, asking, client)
        asking.connect(server)
        asking.send(query)

    def _pass_on(self, asking: socket.socket, client: Address) -> None:
        with suppress(OSError):  # nobody listens there
            answer = asking.recv(_LONGEST_MESSAGE)
            self._allowed.learn(addresses_in(answer))
            self._socket.sendto(answer, client)
        self._give_up(asking)

    def _give_up(self, asking: socket.socket) -> None:
        """Wait for no answer any more."""
        self._asking.pop(asking).cancel()
        self._loop.remove_reader(asking)
        asking.close()

    def close(self) -> None:
        """Listen no more."""
        for asking in list(self._asking):
            self._give_up(asking)
        self._loop.remove_reader(self._socket)
        self._socket.close()


def _datagrams() -> socket.socket:
    """A socket for datagrams that never waits."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setblocking(False)
    return opened


def name_in(query: bytes) -> str | None:
    """The name that a DNS query asks for, in lower case; None if the bytes are no query."""
    read = _name_at(query, _HEADER)
    return read[0].lower() if read else None


def no_such_name(query: bytes) -> bytes:
    """The answer that a query's name does not exist."""
    end = (_name_at(query, _HEADER) or ("", len(query)))[1] + 4
    return query[:2] + struct.pack(">HHHHH", _NO_SUCH_NAME, 1, 0, 0, 0) + query[_HEADER:end]


def addresses_in(answer: bytes) -> list[str]:
    """The addresses that a DNS answer gives, as text; none of what cannot be read."""
    if len(answer) < _HEADER:
        return []
    questions, answers = struct.unpack_from(">HH", answer, 4)
    at = _HEADER
    found = []
    for number in range(questions + answers):
        if (read := _name_at(answer, at)) is None:
            break
        at = read[1] + 4
        if number < questions:
            continue
        if len(answer) < at + 6:
            break
        kind = struct.unpack_from(">H", answer, at - 4)[0]
        (length,) = struct.unpack_from(">H", answer, at + 4)
        data = answer[at + 6 : at + 6 + length]
        at += 6 + length
        if (kind, len(data)) in ((_A, 4), (_AAAA, 16)):
            found.append(str(ipaddress.ip_address(data)))
    return found


def _name_at(message: bytes, at: int) -> tuple[str, int] | None:
    """The name at a place of a DNS message, and where it ends; None if there is none.

    A pointer to another name ends it, and is not followed.
    """
    labels: list[str] = []
    start = at
    while at < len(message) and at - start <= _LONGEST:
        length = message[at]
        if length >= _POINTER:
            return ".".join(labels), at + 2
        at += 1
        if not length:
            return ".".join(labels), at
        labels.append(message[at : at + length].decode("ascii", "replace"))
        at += length
    return None
