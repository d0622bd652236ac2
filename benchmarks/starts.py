"""From the start of a process to its first answer, and the memory it then has."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import bodies
import load
from measure import Case, Figure, Row, Size, alternate
from process import Server, Workshop
from recordings import Seeds

FIGURES = (
    Figure("ms", against="x", spread=True),
    Figure("CPU ms", against="x"),
    Figure("RSS MiB", against="x"),
)
_IMPORT = "from aiohttp import web; print(':1', flush=True); import time; time.sleep(60)"


def case(workshop: Workshop, seeds: Seeds, size: Size) -> Case:
    seeds.save(workshop, "many", {"chat": range(size.recordings)})
    store = workshop.folder / "many.db"
    body = bodies.chat(size.recordings - 1)

    def promptdeck() -> AbstractContextManager[Server]:
        return workshop.promptdeck("replay", "--cassette", "many", "--store", str(store))

    def cold() -> AbstractContextManager[Server]:
        for file in workshop.folder.glob("many.db*"):
            file.unlink()
        return promptdeck()

    sides = {
        "import aiohttp.web": _timed(lambda: workshop.start([sys.executable, "-c", _IMPORT]), b""),
        "bare aiohttp": _timed(lambda: workshop.other("bare", b"{}"), body),
        "promptdeck, index made anew": _timed(cold, body),
        "promptdeck, indexed": _timed(promptdeck, body),
    }
    rows = alternate(size.starts, sides)
    name = f"start to first answer, a cassette of {size.recordings} recordings"
    return Case(name, FIGURES, rows)


def _timed(start: Callable[[], AbstractContextManager[Server]], body: bytes) -> Callable[[], Row]:
    def once() -> Row:
        began = time.perf_counter()
        with start() as server:
            if body and load.ask(server.port, body)[0] != 200:
                raise RuntimeError("the first answer is no hit")
            took = time.perf_counter() - began
            return took * 1000, server.cpu() * 1000, server.memory()

    return once
