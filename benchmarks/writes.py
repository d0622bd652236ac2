"""Recording: how many interactions a second, and what hits feel of it."""

from collections.abc import Iterator
from contextlib import ExitStack

import bodies
from hits import driven
from measure import Case, Figure, Target, alternate
from process import worker
from recorders import EACH, FULL, NORMAL, SHARED, STORE
from workbench import Bench

_RATE = (Figure("us each", 1, against="x", spread=True), Figure("CPU us each", 1, against="x"))
_FELT = (
    Figure("req/s"),
    Figure("p50 us"),
    Figure("p99 us", against="x", spread=True),
    Figure("CPU us/req", 1),
    Figure("load us/req", 1),
)
_NOTHING = "nothing recorded"
_COUNT = 3000


def cases(bench: Bench) -> Iterator[Case]:
    count = min(_COUNT, bench.size.kept)
    with worker("store_worker.py", folder=bench.workshop.folder) as ask:
        sides = {
            kind: lambda kind=kind: tuple(ask("record", count, kind))
            for kind in (EACH, SHARED, STORE)
        }
        rows = alternate(bench.size.rounds, sides)
    target = Target(13, "recorded by 64 tasks", "us each", EACH, STORE, least=7)
    yield Case("interactions of 5 KB, recorded by 64 tasks", _RATE, rows, (target,))
    with ExitStack() as stack:
        servers = {
            kind: stack.enter_context(
                bench.workshop.other("floor-recording", bodies.completion(), kind)
            )
            for kind in (_NOTHING, STORE, EACH, NORMAL, FULL)
        }
        asked = [bodies.chat(n) for n in range(16)]
        sides = {
            kind: driven(stack, server, bodies.repeated(asked), 1, 2 * bench.size.seconds)
            for kind, server in servers.items()
        }
        rows = alternate(bench.size.rounds, sides)
    targets = tuple(
        Target(13, "hits while recording, p99", "p99 us", other, STORE, least=8)
        for other in (NORMAL, FULL)
    )
    notes = (
        "a bare protocol answers; NORMAL and FULL are levels of PRAGMA synchronous, in WAL mode,",
        "the store's own is NORMAL, with which a commit does not wait for the disk",
    )
    title = "hits over 1 connection while 500 interactions of 5 KB are recorded each second"
    yield Case(title, _FELT, rows, targets, notes)
