"""Answers from upstream: what promptdeck adds on the way, and what recording adds to that."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import chain
from statistics import median

import bodies
import load
from hits import FIGURES, driven
from measure import Case, Figure, Row, Target, alternate
from process import Server
from recordings import url
from workbench import DECK, Bench

_STREAMED = (
    Figure("first byte us", against="+"),
    Figure("a frame us", against="+"),
    Figure("CPU us/frame", 1, against="x", spread=True),
)
DIRECT, NGINX = "the upstream itself", "nginx, unbuffered"
PASSING, RECORDING = f"{DECK}, passthrough", f"{DECK}, cache (records)"
_FEW = 20
"""Frames, where it is about the first one."""
_AT_ONCE, _FRAMES, _GAP = 50, 100, "0.01"


def cases(bench: Bench) -> Iterator[Case]:
    """JSON passed on and recorded, the first byte of a stream, and 50 streams at once."""
    with ExitStack() as stack:
        sides = _servers(bench, stack)
        yield _json(bench, sides)
        yield _first_byte(bench, sides)
    with ExitStack() as stack:
        sides = _servers(bench, stack, _GAP)
        upstream = url(sides[DIRECT].port)
        for name, path in bench.extras.items():
            deck = bench.workshop.promptdeck("passthrough", "--upstream", upstream, beside=path)
            sides[name.replace(DECK, PASSING, 1)] = stack.enter_context(deck)
        yield _at_once(bench, sides)


def _servers(bench: Bench, stack: ExitStack, *options: str) -> dict[str, Server]:
    """The same upstream, asked directly and through others."""
    upstream = stack.enter_context(bench.upstream(*options))
    sides = {DIRECT: upstream}
    if nginx := bench.peer("nginx"):
        there = stack.enter_context(nginx.start(bench.workshop, upstream.port))
        sides[NGINX] = Server(there.port, there.pid, "/pass" + bodies.PATH)
    flags = ("--upstream", url(upstream.port))
    for name, mode in (PASSING, "passthrough"), (RECORDING, "cache"):
        sides[name] = _deck(bench, stack, mode, *flags)
    return sides


def _deck(bench: Bench, stack: ExitStack, mode: str, *flags: str) -> Server:
    store = bench.workshop.folder / f"misses-{mode}.db"
    for file in bench.workshop.folder.glob(f"{store.name}*"):
        file.unlink()
    deck = bench.workshop.promptdeck(mode, *flags, "--store", str(store))
    return stack.enter_context(deck)


def _json(bench: Bench, servers: dict[str, Server]) -> Case:
    with ExitStack() as stack:
        sides = {
            name: driven(stack, server, bodies.unheard(0, path=server.path), 16, bench.size.seconds)
            for name, server in servers.items()
        }
        later = _Later(servers[RECORDING])
        rows = alternate(bench.size.rounds, later.among(sides))
    return Case("JSON miss, 2 KB chat, 16 connections", FIGURES, rows, notes=later.notes)


def _first_byte(bench: Bench, servers: dict[str, Server]) -> Case:
    with ExitStack() as stack:
        sides = {
            name: _read(stack, server, 1, bench.size.streams, _FEW)
            for name, server in servers.items()
        }
        later = _Later(servers[RECORDING])
        rows = alternate(bench.size.rounds, later.among(sides))
    name = f"stream miss, {_FEW} frames 1 ms apart, 1 connection"
    added = Target(
        8,
        "added time to first byte",
        "first byte us",
        PASSING,
        NGINX,
        most=1.2,
        less=DIRECT,
    )
    return Case(name, _STREAMED, rows, (added,), later.notes)


def _at_once(bench: Bench, servers: dict[str, Server]) -> Case:
    with ExitStack() as stack:
        sides = {
            name: _read(stack, server, _AT_ONCE, 1, _FRAMES) for name, server in servers.items()
        }
        later = _Later(servers[RECORDING], _AT_ONCE * _FRAMES)
        rows = alternate(bench.size.rounds, later.among(sides))
    name = f"stream miss, {_AT_ONCE} streams at once of {_FRAMES} frames 10 ms apart"
    return Case(
        name,
        _STREAMED,
        rows,
        (
            Target(8, "50 streams, CPU a frame", "CPU us/frame", PASSING, NGINX, most=1.5),
            Target(9, "recording, CPU a frame", "CPU us/frame", RECORDING, PASSING, most=1.1),
        ),
        later.notes,
    )


class _Later:
    """What a side does when it has answered, which must not disturb the others on its core."""

    def __init__(self, server: Server, frames: int = 0) -> None:
        self._server = server
        self._frames = frames
        """In each round, where they are counted."""
        self._spent: list[float] = []

    def among(self, sides: dict[str, Callable[[], Row]]) -> dict[str, Callable[[], Row]]:
        once = sides[RECORDING]

        def rested() -> Row:
            row = once()
            self._spent.append(self._server.rest())
            return row

        self._server.rest()
        return {**sides, RECORDING: rested}

    @property
    def notes(self) -> tuple[str, ...]:
        if not self._frames:
            return ()
        each = median(self._spent) / self._frames * 1e6
        return (f"{RECORDING}: packing, a second later, takes {each:.1f} us a frame more",)


def _read(
    stack: ExitStack,
    server: Server,
    connections: int,
    streams: int,
    frames: int,
) -> Callable[[], Row]:
    """One side, warmed up: a round is so many streams after one another on each connection."""
    sockets = [stack.enter_context(closing(load.connect(server.port))) for _ in range(connections)]
    requests = bodies.unheard(50_000_000, stream=True, frames=frames, path=server.path)
    load.read_streams(sockets, requests, frames)

    def once() -> Row:
        before = server.cpu()
        read = [one for _ in range(streams) for one in load.read_streams(sockets, requests, frames)]
        cpu = (server.cpu() - before) / (len(read) * frames) * 1e6
        delays = chain.from_iterable(stream.delays for stream in read)
        first = median(stream.first_byte for stream in read)
        return first / 1000, median(delays) / 1000, cpu

    return once
