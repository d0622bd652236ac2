"""Memory while answers are slow: hundreds of streams at once, and a client that stops reading."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import islice

import bodies
import load
from measure import Case, Figure, Row, Target, alternate
from misses import NGINX, PASSING, RECORDING
from process import LOAD_CORE, Server
from recordings import url
from workbench import Bench

_MANY = (
    Figure("KB/stream", 1, against="x", spread=True),
    Figure("MiB before", 1),
)
_STALLED = (
    Figure("MB grown while stalled", 1, spread=True),
    Figure("MB grown by the end", 1),
    Figure("MB/s then", 1),
)
_FRAMES, _GAP = 60, "0.1"
_STALL = 0.6
"""Seconds for which the client does not read."""
_FLOOD = 42_000_000
"""Bytes that `flood` sends, somewhat less than its frames are."""

Start = Callable[[ExitStack, int], Server]


def cases(bench: Bench) -> Iterator[Case]:
    """The memory of slow streams, and of a client that stops reading."""
    many = bench.size.many
    with bench.upstream(_GAP) as upstream:
        sides = {
            name: _holding(start, upstream.port, many) for name, start in _starts(bench).items()
        }
        rows = alternate(bench.size.rounds, sides)
    target = Target(10, f"{many} slow streams, memory", "KB/stream", PASSING, NGINX, most=1.5)
    yield Case(f"{many} streams at once, frames 100 ms apart", _MANY, rows, (target,))
    with bench.workshop.other("flood", core=LOAD_CORE) as upstream:
        sides = {name: _stalling(start, upstream.port) for name, start in _starts(bench).items()}
        rows = alternate(bench.size.rounds, sides)
    target = Target(10, "a stalled client, MB grown", "MB grown while stalled", PASSING, "", most=2)
    yield Case("a client that stops reading while 40 MB come", _STALLED, rows, (target,))


def _starts(bench: Bench) -> dict[str, Start]:
    """How each side is started; every round has new processes, with untouched memory."""

    def deck(mode: str) -> Start:
        def start(stack: ExitStack, upstream: int) -> Server:
            for file in bench.workshop.folder.glob("slow.db*"):
                file.unlink()
            flags = ("--upstream", url(upstream), "--store", str(bench.workshop.folder / "slow.db"))
            return stack.enter_context(bench.workshop.promptdeck(mode, *flags))

        return start

    def unbuffered(stack: ExitStack, upstream: int) -> Server:
        assert nginx
        there = stack.enter_context(nginx.start(bench.workshop, upstream))
        return Server(there.port, there.pid, "/pass" + bodies.PATH)

    nginx = bench.peer("nginx")
    starts = {PASSING: deck("passthrough"), RECORDING: deck("cache")}
    return starts | ({NGINX: unbuffered} if nginx else {})


def _holding(start: Start, upstream: int, many: int) -> Callable[[], Row]:
    def once() -> Row:
        with ExitStack() as stack:
            server = start(stack, upstream)
            requests = bodies.unheard(0, stream=True, frames=_FRAMES, path=server.path)
            sockets = [stack.enter_context(closing(load.connect(server.port))) for _ in range(many)]
            first = load.Streams(sockets[:1], requests)
            first.read(lambda: first.begun)
            before = server.memory()
            streams = load.Streams(sockets[1:], requests)
            streams.read(lambda: streams.begun)
            end = time.monotonic() + 0.5
            streams.read(lambda: time.monotonic() > end)
            return (server.memory() - before) * 1024 / (many - 1), before

    return once


def _stalling(start: Start, upstream: int) -> Callable[[], Row]:
    def once() -> Row:
        with ExitStack() as stack:
            server = start(stack, upstream)
            requests = bodies.unheard(0, stream=True, path=server.path)
            # What a first request loads and makes is not what is asked for.
            load.ask(server.port, bodies.chat(1), server.path)
            before = server.memory()
            sock = stack.enter_context(closing(load.connect(server.port)))
            sock.sendall(*islice(requests, 1))
            time.sleep(_STALL)
            grown, began = server.memory() - before, time.monotonic()
            size = load.read_to_end(sock)
            if size < _FLOOD:
                raise RuntimeError(f"only {size} bytes came")
            rate = size / 1e6 / (time.monotonic() - began)
            return grown * 1.048576, (server.memory() - before) * 1.048576, rate

    return once
