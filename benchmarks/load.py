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
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import bodies

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_STAMP = re.compile(rb'(?<="content":")\d{16}(?= )')
_OK = b"HTTP/1.1 200"
_SILENCE = 30
"""Seconds after which a server that says nothing counts as stuck."""


class Run(NamedTuple):
    """What one round of load came to."""

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
        """The latency, in microseconds, that `part` of all requests stay below: 0.99 for p99."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * part))] / 1000


def connect(port: int) -> socket.socket:
    """A socket to a server on this machine; its reads and writes fail after `_SILENCE`."""
    sock = socket.socket()
    # Room for a whole request, so that no send waits for the server.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(_SILENCE)
    sock.connect(("127.0.0.1", port))
    return sock


class _Connection:
    """One connection with one request under way."""

    __slots__ = ("_held", "_missing", "_tail", "begun", "read", "sent", "size", "socket", "write")

    def __init__(self, port: int) -> None:
        self.socket = connect(port)
        # A socket with a timeout costs a poll of its own for each read and each write.
        self.socket.setblocking(True)
        self.read, self.write = self.socket.recv_into, self.socket.sendall
        self.sent = 0
        self.begun = False
        """Whether a part of the answer has come."""
        self.size = 0
        """Of all that has come of the answer."""
        self._held = b""
        self._tail: bytes | None = None
        self._missing = 0

    def ended(self, data: bytes) -> bool:
        """Take in what has come; whether the answer is whole."""
        self.size = self.size + len(data) if self.begun else len(data)
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
        self.begun = bool(self._missing or self._held or self._tail is not None)
        return not self.begun

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
        self._buffer = bytearray(262144)
        self._usual = 0
        """Bytes of the latest answer: one that comes as such in one piece needs no reading."""
        self._port = port
        for _ in range(connections):
            self._connect()

    def _connect(self) -> None:
        connection = _Connection(self._port)
        self._connections[connection.socket.fileno()] = connection
        self._poll.register(connection.socket, select.EPOLLIN)

    def _renew(self) -> None:
        """Between rounds some servers close what has been idle for seconds."""
        for number, _ in self._poll.poll(0):
            self._connections.pop(number).socket.close()
            self._connect()

    def run(self, requests: Iterator[bytes], seconds: float) -> Run:
        """Ask on every connection, again and again, until time is up and all is answered."""
        self._renew()
        clock, connections, buffer = time.perf_counter_ns, self._connections, self._buffer
        latencies: list[int] = []
        cpu, start = time.process_time(), clock()
        deadline = start + int(seconds * 1e9)
        for connection in connections.values():
            connection.sent = clock()
            connection.write(next(requests))
        asking = len(connections)
        while asking:
            ready = self._poll.poll(_SILENCE)
            if not ready:
                raise TimeoutError("the server fell silent")
            for number, _ in ready:
                connection = connections[number]
                size = connection.read(buffer)
                usual = size == self._usual and buffer.startswith(_OK) and not connection.begun
                if not usual and not self._ended(connection, size):
                    continue
                now = clock()
                latencies.append(now - connection.sent)
                if now < deadline:
                    connection.sent = now
                    connection.write(next(requests))
                else:
                    asking -= 1
        took = (clock() - start) / 1e9
        return Run(len(latencies), took, sorted(latencies), time.process_time() - cpu)

    def _ended(self, connection: _Connection, size: int) -> bool:
        ended = connection.ended(bytes(memoryview(self._buffer)[:size]))
        if ended:
            self._usual = connection.size
        return ended

    def close(self) -> None:
        self._poll.close()
        for connection in self._connections.values():
            connection.socket.close()


def ask(port: int, body: bytes, path: str = bodies.PATH) -> tuple[int, bytes]:
    """One request with the standard library's client: status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SILENCE)
    try:
        headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-not-a-key"}
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Streamed(NamedTuple):
    """When the frames of one stream came."""

    first_byte: int
    """Nanoseconds from the request to the first frame."""
    delays: list[int]
    """Nanoseconds from each frame's sending by the upstream to its coming here."""


class _Stream:
    """One stream on its way, of frames that hold the time of their sending."""

    def __init__(self, sock: socket.socket, request: bytes) -> None:
        self.socket = sock
        self.first_byte = 0
        self.delays: list[int] = []
        self._held = b""
        self._start = time.monotonic_ns()
        sock.sendall(request)

    def ended(self) -> bool:
        """Read what has come; whether it was the last."""
        data = self.socket.recv(65536)
        now = time.monotonic_ns()
        if not data:
            raise ConnectionError("the server closed a connection")
        # A frame, and the stamp in it, may come in two pieces.
        held, read = self._held + data, 0
        for match in _STAMP.finditer(held):
            self.first_byte = self.first_byte or now - self._start
            self.delays.append(now - int(match[0]))
            read = match.end()
        self._held = held[read:]
        return self._held.endswith(b"0\r\n\r\n")


class Streams:
    """Streams that are read at the same time, one on each socket."""

    def __init__(self, sockets: Sequence[socket.socket], requests: Iterator[bytes]) -> None:
        self._poll = select.epoll()
        self._under_way: dict[int, _Stream] = {}
        self.all = [_Stream(sock, next(requests)) for sock in sockets]
        for stream in self.all:
            self._under_way[stream.socket.fileno()] = stream
            self._poll.register(stream.socket, select.EPOLLIN)

    def read(self, enough: Callable[[], bool] = bool) -> list[Streamed]:
        """Read until all streams have ended, or `enough` says so. TimeoutError after `_SILENCE`."""
        while self._under_way and not enough():
            ready = self._poll.poll(_SILENCE)
            if not ready:
                raise TimeoutError("the server fell silent")
            for number, _ in ready:
                stream = self._under_way[number]
                if stream.ended():
                    self._poll.unregister(number)
                    del self._under_way[number]
        return [Streamed(stream.first_byte, stream.delays) for stream in self.all]

    @property
    def begun(self) -> bool:
        """Whether each has brought a frame."""
        return all(stream.first_byte for stream in self.all)


def read_streams(
    sockets: Sequence[socket.socket], requests: Iterator[bytes], frames: int
) -> list[Streamed]:
    """One stream on each socket, all at once and to their ends."""
    found = Streams(sockets, requests).read()
    if any(len(stream.delays) != frames - 2 for stream in found):
        raise ConnectionError(f"streams of {[len(stream.delays) for stream in found]} frames")
    return found


def read_to_end(sock: socket.socket) -> int:
    """Take in a chunked answer; how many bytes it had."""
    buffer, size, tail = bytearray(262144), 0, b""
    while not tail.endswith(b"0\r\n\r\n"):
        got = sock.recv_into(buffer)
        if not got:
            raise ConnectionError("the server closed a connection")
        size += got
        tail = (tail + buffer[max(0, got - 5) : got])[-5:]
    return size


def ask_all(port: int, asked: Sequence[bytes]) -> list[bytes]:
    """One request after the other over one connection: their answers. All must be 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SILENCE)
    answers = []
    try:
        for body in asked:
            headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-not-a-key"}
            connection.request("POST", bodies.PATH, body, headers)
            answer = connection.getresponse()
            answers.append(answer.read())
            if answer.status != 200:
                raise ConnectionError(f"status {answer.status}: {answers[-1][:500]!r}")
    finally:
        connection.close()
    return answers
