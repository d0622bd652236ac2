"""The load: requests over keep-alive connections, as fast as they are answered, from one thread.

Bare sockets and epoll: a client with an HTTP library, or an event loop, would cost
more than the servers it measures. An answer's end is found by Content-Length or
by the last chunk of a chunked body; that bodies are right is checked beforehand.
"""

import http.client
import re
import select
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import bodies

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_STAMP = re.compile(rb'(?<="content":")\d{16}(?= )')
_SILENCE = 30
"""Seconds after which a server that says nothing counts as stuck."""


class Run(NamedTuple):
    requests: int
    seconds: float
    latencies: list[int]
    """In nanoseconds, sorted."""
    own_cpu: float
    """Seconds of CPU that the load itself took."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    def percentile(self, part: float) -> float:
        """In microseconds."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * part))] / 1000


def connect(port: int) -> socket.socket:
    sock = socket.socket()
    # Room for a whole request, so that no send waits for the server.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(_SILENCE)
    sock.connect(("127.0.0.1", port))
    return sock


class _Connection:
    """One connection with one request under way."""

    __slots__ = ("_held", "_missing", "_tail", "sent", "socket")

    def __init__(self, port: int) -> None:
        self.socket = connect(port)
        self.sent = 0
        self._held = b""
        self._tail: bytes | None = None
        self._missing = 0

    def ask(self, request: bytes, now: int) -> None:
        self.sent = now
        self.socket.sendall(request)

    def ended(self) -> bool:
        """Read what has come; whether the answer is whole."""
        data = self.socket.recv(262144)
        if self._missing:
            self._missing -= len(data)
        elif self._tail is not None:
            self._tail = (self._tail + data)[-5:]
        else:
            self._begin(self._held + data)
        if not data or self._missing < 0:
            raise ConnectionError("the server closed a connection, or said too much")
        if self._tail == b"0\r\n\r\n":
            self._tail = None
        return not (self._missing or self._held or self._tail is not None)

    def _begin(self, data: bytes) -> None:
        end = data.find(b"\r\n\r\n")
        self._held = data if end < 0 else b""
        if end < 0:
            return
        if not data.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"not an answer: {data[:500]!r}")
        if length := _LENGTH.search(data, 0, end):
            self._missing = end + 4 + int(length[1]) - len(data)
        else:
            self._tail = data[end + 4 :][-5:]


class Load:
    """Some connections to a server, kept from run to run."""

    def __init__(self, port: int, connections: int) -> None:
        self._poll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        for _ in range(connections):
            connection = _Connection(port)
            self._connections[connection.socket.fileno()] = connection
            self._poll.register(connection.socket, select.EPOLLIN)

    def run(self, requests: Iterator[bytes], seconds: float) -> Run:
        """Ask on every connection, again and again, until time is up and all is answered."""
        clock = time.perf_counter_ns
        latencies: list[int] = []
        cpu, start = time.process_time(), clock()
        deadline = start + int(seconds * 1e9)
        for connection in self._connections.values():
            connection.ask(next(requests), clock())
        asking = len(self._connections)
        while asking:
            ready = self._poll.poll(_SILENCE)
            if not ready:
                raise TimeoutError("the server fell silent")
            for number, _ in ready:
                connection = self._connections[number]
                if not connection.ended():
                    continue
                now = clock()
                latencies.append(now - connection.sent)
                if now < deadline:
                    connection.ask(next(requests), now)
                else:
                    asking -= 1
        took = (clock() - start) / 1e9
        return Run(len(latencies), took, sorted(latencies), time.process_time() - cpu)

    def close(self) -> None:
        self._poll.close()
        for connection in self._connections.values():
            connection.socket.close()


def ask(port: int, body: bytes) -> tuple[int, bytes]:
    """One request with the standard library's client: status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SILENCE)
    try:
        headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-not-a-key"}
        connection.request("POST", bodies.PATH, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def unstamped(stream: bytes) -> bytes:
    """A stream without the times of its frames' sending."""
    return _STAMP.sub(b"0" * 16, stream)


class Streamed(NamedTuple):
    first_byte: int
    """Nanoseconds from the request to the first frame."""
    delays: list[int]
    """Nanoseconds from each frame's sending by the upstream to its coming here."""


def read_stream(sock: socket.socket, request: bytes) -> Streamed:
    """Ask for a stream whose frames hold the time of their sending."""
    clock = time.monotonic_ns
    start = clock()
    sock.sendall(request)
    first, delays, held = 0, [], b""
    while not held.endswith(b"0\r\n\r\n"):
        data = sock.recv(65536)
        now = clock()
        if not data:
            raise ConnectionError("the server closed a connection")
        # A frame, and the stamp in it, may come in two pieces.
        held += data
        read = 0
        for match in _STAMP.finditer(held):
            first = first or now - start
            delays.append(now - int(match[0]))
            read = match.end()
        held = held[read:]
    if len(delays) != bodies.FRAMES - 2:
        raise ConnectionError(f"a stream of {len(delays)} frames")
    return Streamed(first, delays)
