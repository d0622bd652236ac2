"""Answers from upstream: what promptdeck adds on the way, and what recording adds to that."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import chain
from statistics import median

import bodies
import load
from hits import FIGURES, driven
from measure import Case, Figure, Row, Size, alternate
from process import LOAD_CORE, Server, Workshop
from recordings import url

_STREAMED = (
    Figure("first byte us", against="+"),
    Figure("a frame us", against="+"),
    Figure("CPU us/frame", 1, spread=True),
)


class Misses:
    """The same upstream, asked directly and through two promptdecks."""

    def __init__(self, workshop: Workshop, size: Size, stack: ExitStack) -> None:
        self._size = size
        upstream = stack.enter_context(workshop.other("upstream", core=LOAD_CORE))
        flags = ("--upstream", url(upstream.port), "--store", str(workshop.folder / "misses.db"))
        self._servers = {
            "the upstream itself": upstream,
            "promptdeck, passthrough": stack.enter_context(
                workshop.promptdeck("passthrough", *flags)
            ),
            "promptdeck, cache (records)": stack.enter_context(
                workshop.promptdeck("cache", *flags)
            ),
        }

    def cases(self) -> Iterator[Case]:
        with ExitStack() as stack:
            unheard = bodies.unheard(0)
            sides = {
                name: driven(stack, server, unheard, 16, self._size.seconds)
                for name, server in self._servers.items()
            }
            rows = alternate(self._size.rounds, sides)
        yield Case("JSON miss, 2 KB chat, 16 connections", FIGURES, rows)
        with ExitStack() as stack:
            unheard = bodies.unheard(50_000_000, stream=True)
            sides = {
                name: _read(stack, server, unheard, self._size.streams)
                for name, server in self._servers.items()
            }
            rows = alternate(self._size.rounds, sides)
        yield Case(f"stream miss, {bodies.FRAMES} frames 1 ms apart, 1 connection", _STREAMED, rows)


def _read(
    stack: ExitStack, server: Server, requests: Iterator[bytes], streams: int
) -> Callable[[], Row]:
    sock: socket.socket = stack.enter_context(closing(load.connect(server.port)))
    load.read_stream(sock, next(requests))

    def once() -> Row:
        before = server.cpu()
        read = [load.read_stream(sock, next(requests)) for _ in range(streams)]
        cpu = (server.cpu() - before) / (streams * bodies.FRAMES) * 1e6
        delays = chain.from_iterable(stream.delays for stream in read)
        first = median(stream.first_byte for stream in read)
        return first / 1000, median(delays) / 1000, cpu

    return once
