"""A cassette in the client's own process, as vcrpy has it, against a server beside it.

What a server of fixed bytes takes, an asyncio protocol without any HTTP library, is
nearly all the client's own: less is not to be had beside it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import bodies
from installs import HOME, is_ready, why_missing
from measure import Case, Figure, Row, Target, alternate
from process import Server, worker
from workbench import DECK, Bench

_FIGURES = (Figure("us a request", against="x", spread=True), Figure("ms to open"))
_VCRPY = "vcrpy"
_FLOOR = "fixed bytes"
_SAMPLES = {_VCRPY: 5, DECK: 100, _FLOOR: 100}
"""Requests in a round, evenly spread over the cassette: vcrpy takes a second for two of 5,000."""


def cases(bench: Bench) -> Iterator[Case]:
    """vcrpy, promptdeck and fixed bytes, each with two sizes of cassette; nothing without vcrpy."""
    if not is_ready(_VCRPY):
        bench.left_out[_VCRPY] = why_missing().get(_VCRPY, "not installed: make bench-peers")
        return
    counts = (bench.size.recordings // 5, bench.size.recordings)
    with ExitStack() as stack:
        sides = {
            _side(name, count): _round(ask, _SAMPLES[name])
            for count in counts
            for name, ask in _clients(bench, stack, count).items()
        }
        rows = alternate(bench.size.rounds, sides)
    small, large = (_side(DECK, count) for count in counts)
    vcrpy = _side(_VCRPY, counts[0])
    targets = (
        Target(7, "a request", "us a request", vcrpy, small, least=300),
        Target(7, "flat", "us a request", large, small, most=1.1),
    )
    yield Case("one httpx client replays a cassette", _FIGURES, rows, targets)


def _side(name: str, count: int) -> str:
    return f"{name}, {count} interactions"


def _clients(bench: Bench, stack: ExitStack, count: int) -> dict[str, Callable[..., Any]]:
    name, folder = f"cassette-{count}", bench.workshop.folder
    bench.seeds.save(bench.workshop, name, {"chat": range(count)})
    flags = ("--cassette", name, "--store", str(folder / f"{name}.db"))
    deck = stack.enter_context(bench.workshop.promptdeck("replay", *flags))
    floor = stack.enter_context(bench.workshop.other("floor", bodies.completion()))
    python = str(HOME / _VCRPY / "bin" / "python")

    def client(*where: str) -> Callable[..., Any]:
        script = worker("vcr_client.py", count, *where, folder=folder, python=python)
        return stack.enter_context(script)

    return {_VCRPY: client(), DECK: client(_url(deck)), _FLOOR: client(_url(floor))}


def _url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}{bodies.PATH}"


def _round(ask: Callable[..., Any], sample: int) -> Callable[[], Row]:
    opened = ask("open")
    return lambda: (ask(sample), opened)
