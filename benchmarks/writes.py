"""Recording: how many interactions a second, and what the loop and its hits feel of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from operator import itemgetter

import bodies
import load
from measure import Case, Figure, Row, Target, alternate
from process import Server, worker
from recorders import DIRECT, EACH, FULL, NORMAL, NOTHING, PER_SECOND, SHARED, STORE
from workbench import Bench

_RATE = (Figure("us each", 1, against="x", spread=True), Figure("CPU us each", 1, against="x"))
_HELD = (
    Figure("us each", 1, against="+", spread=True),
    Figure("longest us", against="x", spread=True),
)
_FELT = (
    Figure("req/s"),
    Figure("p50 us"),
    Figure("p95 us", against="x"),
    Figure("p99 us", against="x", spread=True),
    Figure("CPU us/req", 1),
    Figure("load us/req", 1),
)
_P99 = 3
_COUNT = 3000
_SLICES = 5
_IN_LOOP = (NORMAL, FULL)

Side = Callable[[], Row]


def cases(bench: Bench) -> Iterator[Case]:
    """Recordings a second, and what a loop and its hits feel of them."""
    with worker("store_worker.py", folder=bench.workshop.folder) as ask:

        def asked(verb: str, count: int, *kinds: str) -> dict[str, list[Row]]:
            most = min(count, bench.size.kept)
            sides = {kind: lambda kind=kind: tuple(ask(verb, most, kind)) for kind in kinds}
            return alternate(bench.size.rounds, sides)

        rows = asked("record", _COUNT, EACH, SHARED, STORE, DIRECT)
        target = Target(13, "recorded by 64 tasks", "us each", EACH, STORE, least=7)
        notes = (f"{DIRECT}: nobody waits for it, and it keeps no canonical form, as aiosqlite",)
        yield Case("interactions of 5 KB, recorded by 64 tasks", _RATE, rows, (target,), notes)
        rows = asked("held", PER_SECOND, NOTHING, STORE, EACH, *_IN_LOOP)
    targets = tuple(
        Target(13, "loop held by a recording", "us each", kind, STORE, least=8, less=NOTHING)
        for kind in _IN_LOOP
    )
    notes = ("longest: of the loop's busy stretches, 1 % are longer",)
    title = f"{PER_SECOND} interactions of 5 KB a second: what the loop is busy for each"
    yield Case(title, _HELD, rows, targets, notes)
    yield _felt(bench)


def _felt(bench: Bench) -> Case:
    kinds = (NOTHING, STORE, EACH, *_IN_LOOP)
    chats = [bodies.chat(n) for n in range(16)]
    with ExitStack() as stack:
        servers = {
            kind: stack.enter_context(
                bench.workshop.other("floor-recording", bodies.completion(), kind)
            )
            for kind in kinds
        }
        sides = {
            kind: _driven(stack, one, chats, bench.size.seconds) for kind, one in servers.items()
        }
        rows = alternate(bench.size.rounds, sides)
    targets = tuple(
        Target(13, "hits while recording, p99", "p99 us", kind, STORE, least=8) for kind in _IN_LOOP
    )
    notes = (
        "a bare protocol answers; NORMAL and FULL are levels of PRAGMA synchronous, in WAL mode,",
        "the store's own is NORMAL, with which a commit does not wait for the disk;",
        f"of {_SLICES} runs each that with the least p99: what other processes do only adds to it",
    )
    title = f"hits over 1 connection while {PER_SECOND} interactions a second are recorded"
    return Case(title, _FELT, rows, targets, notes)


def _driven(stack: ExitStack, server: Server, asked: list[bytes], seconds: float) -> Side:
    sender = load.Load(server.port, 1)
    stack.callback(sender.close)
    requests = bodies.repeated(asked)

    def once() -> Row:
        before = server.cpu()
        run = sender.run(requests, seconds)
        cpu = (server.cpu() - before) / run.requests * 1e6
        parts = [run.percentile(part) for part in (0.5, 0.95, 0.99)]
        return (run.rate, *parts, cpu, run.own_cpu / run.requests * 1e6)

    once()
    return lambda: min((once() for _ in range(_SLICES)), key=itemgetter(_P99))
