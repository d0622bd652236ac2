"""Varied requests that all hit one of a few recordings, and what is remembered of them."""

import gc
import os
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from tests.conftest import Deck
from tests.raw_client import Talk

PROMPTS = [f"prompt {number}" for number in range(50)]


def body(prompt: str, **more: Any) -> bytes:
    return orjson.dumps({"model": "m", "messages": [{"role": "user", "content": prompt}], **more})


def varied(first: int, count: int) -> Iterator[tuple[bytes, str]]:
    """Bodies and header lines: of each user another one, many heads, many idempotency keys."""
    for number in range(first, first + count):
        pick = random.Random(number)
        data = body(pick.choice(PROMPTS), user=f"user-{number}")
        kind = number % 10
        if kind == 0:
            yield data, f"X-Own: {'x' * pick.randrange(7000)}{number}\r\n"
        elif kind == 1:
            yield data, f"Idempotency-Key: {'k' * pick.randrange(2000)}{number}\r\n"
        elif kind == 2:
            yield data.ljust(len(data) + pick.randrange(5000)), ""
        else:
            yield data, ""


async def ask(talk: Talk, first: int, count: int, at: str = "") -> None:
    """Ask `count` varied requests, the first of which has this number; all of them hit."""
    for data, headers in varied(first, count):
        talk.ask(data, headers=headers, target=f"{at}/v1/chat/completions")
        got = await talk.answer()
        assert got.status == "HTTP/1.1 200 OK", got


async def session(deck: Deck, talk: Talk, first: int, count: int) -> None:
    """Open a session of cassette `c`, ask varied requests of it, close it."""
    opened = await deck.request("POST", "/_deck/sessions", b'{"cassette":"c"}')
    name = opened.json["id"]
    await ask(talk, first, count, f"/session/{name}")
    assert (await deck.request("DELETE", f"/_deck/sessions/{name}")).status == 200


def taken() -> int:
    """Bytes of Python's objects that are alive, of those made since tracemalloc was started."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def resident() -> int:
    """Bytes of memory that this process has, by what the system says; after a collection."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
