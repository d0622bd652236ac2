"""Stores at work in a process of their own, which answers lines with JSON.

store_worker.py

build COUNT FILE      fill a store in bulk, with short recordings
open COUNT FILE       microseconds of opening it with a first lookup, and of a later one
record COUNT KIND     microseconds, and of CPU, for an interaction that 64 tasks record
held COUNT KIND       microseconds that a loop is busy for an interaction, 500 of them a second,
                      and that 1 % of its busy stretches are longer than
"""

import asyncio
import random
import selectors
import sys
import time
from functools import partial
from pathlib import Path

import orjson
from measure import Row
from recorders import LIMIT, PER_SECOND, RECORDERS, Item, Keep, item, made

from promptdeck.stores.sqlite.database import Database

_BATCH = 25_000
_LOOKUPS = 500
_PRODUCERS = 64


async def build(count: int, file: Path) -> int:
    """In bulk, as a cassette is indexed: a tape for each batch."""
    async with Database(file, LIMIT) as database:
        for start in range(0, count, _BATCH):
            rows = [
                (one.key, one.stored)
                for one in map(_short, range(start, min(count, start + _BATCH)))
            ]
            # Tapes of files that are gone are dropped.
            source = file.with_name(f"source-{start}")
            source.touch()
            await database.index(f"tape-{start}", str(source), rows)
    return file.stat().st_size


def _short(number: int) -> Item:
    request = b'{"messages":[{"content":"number-%08d","role":"user"}],"model":"m"}' % number
    answer = b'{"choices":[{"message":{"content":"%08d"}}]}' % number
    return made(number, request, answer)


async def opened(count: int, file: Path) -> Row:
    """What is found once stays in memory: no key is asked twice."""
    keys = [_short(number).key for number in random.sample(range(count), _LOOKUPS + 1)]
    began = time.perf_counter()
    async with Database(file, LIMIT) as database:
        tape = database.tape_named("tape-0")
        first = database.find(keys.pop())
        took = time.perf_counter() - began
        began = time.perf_counter()
        missing = [key for key in keys if not database.find(key)]
        each = (time.perf_counter() - began) / len(keys)
        if missing or not first or tape is None:
            raise RuntimeError("a recording is missing")
    return took * 1e6, each * 1e6


async def record(kind: str, items: list[Item], file: Path) -> Row:
    waiting = iter(items)
    async with RECORDERS[kind](file) as keep:

        async def produce() -> None:
            for one in waiting:
                await keep(one)

        cpu, began = time.process_time(), time.perf_counter()
        async with asyncio.TaskGroup() as producers:
            for _ in range(_PRODUCERS):
                producers.create_task(produce())
        took = time.perf_counter() - began
        cpu = time.process_time() - cpu
    return took / len(items) * 1e6, cpu / len(items) * 1e6


class _Selector(selectors.DefaultSelector):
    """Knows how long its loop has been idle, and how long it was busy each time between."""

    def __init__(self) -> None:
        super().__init__()
        self.busy: list[float] = []
        self._since = time.perf_counter()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.busy.append(time.perf_counter() - self._since)
        try:
            return super().select(timeout)
        finally:
            self._since = time.perf_counter()


async def held(kind: str, items: list[Item], file: Path, selector: _Selector) -> Row:
    loop = asyncio.get_running_loop()
    async with RECORDERS[kind](file) as keep, asyncio.TaskGroup() as tasks:
        await keep(items[0])
        selector.busy.clear()
        due = loop.time()
        for one in items[1:]:
            tasks.create_task(_kept(keep, one))
            due += 1 / PER_SECOND
            await asyncio.sleep(due - loop.time())
        busy = sorted(selector.busy)
    return sum(busy) / len(items) * 1e6, busy[int(len(busy) * 0.99)] * 1e6


async def _kept(keep: Keep, one: Item) -> None:
    await keep(one)


def main() -> None:
    items: list[Item] = []
    for turn, line in enumerate(sys.stdin):
        verb, count, *words = line.split(maxsplit=2)
        rest = " ".join(words).strip()
        if verb in ("record", "held"):
            items += [item(number) for number in range(len(items), int(count))]
            some = items[: int(count)]
            file = Path(f"record-{turn}.db").absolute()
            if verb == "record":
                answer: object = asyncio.run(record(rest, some, file))
            else:
                selector = _Selector()
                loop = partial(asyncio.SelectorEventLoop, selector)
                with asyncio.Runner(loop_factory=loop) as runner:
                    answer = runner.run(held(rest, some, file, selector))
            for left in file.parent.glob(f"{file.name}*"):
                left.unlink()
        else:
            does = build if verb == "build" else opened
            answer = asyncio.run(does(int(count), Path(rest).absolute()))
        print(orjson.dumps(answer).decode(), flush=True)


if __name__ == "__main__":
    main()
