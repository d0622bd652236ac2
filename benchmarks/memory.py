"""Resident memory: idle, with many recordings, with many streams under way."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import bodies
import load
from measure import Case, Figure, Row, alternate
from process import Server
from recordings import url
from workbench import DECK, Bench

_FIGURES = (Figure("RSS MiB", 1, against="+", spread=True),)
_GAP = "0.05"


def cases(bench: Bench) -> Iterator[Case]:
    """The memory of a promptdeck that does ever more."""
    recordings, streams = 2 * bench.size.recordings, 2 * bench.size.many
    bench.seeds.save(bench.workshop, "ten-thousand", {"chat": range(recordings)})
    request = _record_paced(bench)

    def started(stack: ExitStack, *flags: str) -> Server:
        store = str(bench.workshop.folder / "memory.db")
        deck = bench.workshop.promptdeck("replay", "--store", store, *flags)
        return stack.enter_context(deck)

    def idle(stack: ExitStack) -> Server:
        return started(stack)

    def recorded(stack: ExitStack) -> Server:
        server = started(stack, "--cassette", "ten-thousand")
        _ask_each(server, 1)
        return server

    def asked(stack: ExitStack) -> Server:
        server = started(stack, "--cassette", "ten-thousand")
        _ask_each(server, recordings)
        return server

    def streaming(stack: ExitStack) -> Server:
        server = started(stack, "--cassette", "paced", "--pace", "recorded")
        # As soon as one request has been read, others of its head take nothing of aiohttp.
        with closing(load.connect(server.port)) as sock:
            sock.sendall(bodies.wire(bodies.chat(1)))
            sock.recv(65536)
        sockets = [stack.enter_context(closing(load.connect(server.port))) for _ in range(streams)]
        under_way = load.Streams(sockets, bodies.repeated([request]))
        under_way.read(lambda: under_way.begun)
        end = time.monotonic() + 0.5
        under_way.read(lambda: time.monotonic() > end)
        return server

    with ExitStack() as stack:
        recorded(stack)  # makes the index, which costs memory once
    sides = {
        f"{DECK}, idle": idle,
        f"{recordings} recordings": recorded,
        f"{recordings} recordings, each asked": asked,
        f"{streams} paced streams under way": streaming,
    }
    rows = alternate(bench.size.rounds, {name: _measured(side) for name, side in sides.items()})
    yield Case("memory", _FIGURES, rows)


def _record_paced(bench: Bench) -> bytes:
    request = bodies.chat(0, stream=True)
    with (
        bench.upstream(_GAP) as upstream,
        bench.workshop.promptdeck(
            "record", "--cassette", "paced", "--upstream", url(upstream.port)
        ) as deck,
    ):
        load.ask(deck.port, request)
    return request


def _ask_each(server: Server, count: int) -> None:
    with closing(load.connect(server.port)) as sock:
        for request in map(bodies.wire, map(bodies.chat, range(count))):
            sock.sendall(request)
            answer = sock.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"no hit: {answer[:300]!r}")


def _measured(side: Callable[[ExitStack], Server]) -> Callable[[], Row]:
    def once() -> Row:
        with ExitStack() as stack:
            return (side(stack).memory(),)

    return once
