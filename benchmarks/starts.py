"""From the start of a process to its first answer, and the memory it then has."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import bodies
import load
from measure import Case, Figure, Row, Target, alternate
from peers import Peer
from process import Server
from workbench import DECK, Bench

FIGURES = (
    Figure("ms", against="x", spread=True),
    Figure("CPU ms", against="x"),
    Figure("RSS MiB", against="x"),
)
_IMPORT = "from aiohttp import web; print(':1', flush=True); import time; time.sleep(60)"
_IMPORTED = "import aiohttp.web"

Start = Callable[[], AbstractContextManager[Server]]


def cases(bench: Bench) -> Iterator[Case]:
    """Starts to the first answer, of promptdeck with a large cassette and of others."""
    count, workshop = bench.size.recordings, bench.workshop
    bench.seeds.save(workshop, "many", {"chat": range(count)})
    body = bodies.chat(count - 1)

    def promptdeck() -> AbstractContextManager[Server]:
        store = str(workshop.folder / "many.db")
        return workshop.promptdeck("replay", "--cassette", "many", "--store", store)

    with ExitStack() as stack:
        others = _others(bench, stack)
        sides = {"promptdeck, its index made anew": _timed(promptdeck, body)}
        rows = alternate(1, sides)
        yield Case(f"first start with a cassette of {count} recordings", FIGURES, rows)
        sides = {
            _IMPORTED: _timed(lambda: workshop.start([sys.executable, "-c", _IMPORT]), b""),
            "bare aiohttp": _timed(lambda: workshop.other("bare", b"{}"), body),
            DECK: _timed(promptdeck, body),
        }
        rows = alternate(bench.size.starts, sides | others)
    what = f"{count} recordings, start to first hit"
    targets = (
        Target(11, what, "ms", DECK, _IMPORTED, most=1.1),
        Target(11, f"{what}, CPU", "CPU ms", DECK, _IMPORTED, most=1.1),
        Target(11, "idle memory, MiB", "RSS MiB", DECK, "", most=45),
    )
    name = f"start to first answer; {DECK}: a hit, with {count} recordings indexed"
    yield Case(name, FIGURES, rows, targets)


def _others(bench: Bench, stack: ExitStack) -> dict[str, Callable[[], Row]]:
    """Peers with one recording; upstream is there for those that forget it."""
    body = bodies.chat(0)
    upstream = stack.enter_context(bench.upstream("0")) if bench.peers else None

    def of(peer: Peer) -> Callable[[], Row]:
        assert upstream
        port = upstream.port

        def once() -> Row:
            return _timed(lambda: peer.start(bench.workshop, port), body)()

        with peer.start(bench.workshop, port) as server:
            peer.learn(server, [body])
        return once

    return {peer.name: of(peer) for peer in bench.peers if peer.name not in bench.left_out}


def _timed(start: Start, body: bytes) -> Callable[[], Row]:
    def once() -> Row:
        began = time.perf_counter()
        with start() as server:
            if body and load.ask(server.port, body, server.path)[0] != 200:
                raise RuntimeError("the first answer is no hit")
            took = time.perf_counter() - began
            return took * 1000, server.cpu() * 1000, server.memory()

    return once
