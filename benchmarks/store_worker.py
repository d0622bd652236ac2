"""Stores at work in a process of their own, which answers lines with JSON.

store_worker.py

build COUNT FILE      fill a store in bulk, with short recordings
open COUNT FILE       microseconds of opening it with a first lookup, and of a later one
record KIND COUNT     microseconds, and of CPU, for an interaction that 64 tasks record
"""

import asyncio
import random
import sys
import time
from pathlib import Path

import orjson
from recorders import LIMIT, RECORDERS, Item, item, made

from proxy.stores.sqlite import Database, Tape

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


async def opened(count: int, file: Path) -> tuple[float, float]:
    """What is found once stays in memory: no key is asked twice."""
    keys = [_short(number).key for number in random.sample(range(count), _LOOKUPS + 1)]
    began = time.perf_counter()
    async with Database(file, LIMIT) as database:
        tapes = [
            found
            for start in range(0, count, _BATCH)
            if (found := database.tape_named(f"tape-{start}")) is not None
        ][:1]
        first = database.find(keys.pop())
        took = time.perf_counter() - began
        began = time.perf_counter()
        missing = [key for key in keys if not database.find(key)]
        each = (time.perf_counter() - began) / len(keys)
        if missing or not first or not Tape(database, tuple(tapes)).tapes:
            raise RuntimeError("a recording is missing")
    return took * 1e6, each * 1e6


async def record(kind: str, items: list[Item], file: Path) -> tuple[float, float]:
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


def main() -> None:
    items: list[Item] = []
    for turn, line in enumerate(sys.stdin):
        verb, count, *words = line.split(maxsplit=2)
        rest = " ".join(words).strip()
        if verb == "record":
            items = items or [item(number) for number in range(int(count))]
            file = Path(f"record-{turn}.db").absolute()
            answer: object = asyncio.run(record(rest, items, file))
            for left in file.parent.glob(f"{file.name}*"):
                left.unlink()
        else:
            does = build if verb == "build" else opened
            answer = asyncio.run(does(int(count), Path(rest).absolute()))
        print(orjson.dumps(answer).decode(), flush=True)


if __name__ == "__main__":
    main()
