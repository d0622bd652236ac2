"""1,500 sessions and 200,000 varied requests: memory returns to its bounds.

Run by `make conformance`, with the bounds as they are. What grows is printed.
"""

import tracemalloc

from tests.conftest import Start
from tests.raw_client import talking
from tests.traffic import PROMPTS, ask, session, taken

MIB = 1024 * 1024
# Heads 16 MiB, the room of all lanes 64, canonical forms 32, idempotency keys a few: no more
# than half of it is filled by requests of this kind, whose names are bounded by number.
BOUND = 64 * MIB


async def test_memory_returns(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    for prompt in PROMPTS:
        await recording.chat(prompt)
    deck = await start(mode="replay", cassette="c", log_level="warning")
    tracemalloc.start()
    async with talking(deck.server) as talk:
        await ask(talk, 0, 1000)
        first = taken()
        for number in range(1500):
            await session(deck, talk, number * 10, 10)
        after_sessions = taken()
        assert after_sessions - first < 8 * MIB
        await ask(talk, 0, 100_000)
        half = taken()
        await ask(talk, 100_000, 100_000)
        end = taken()
    tracemalloc.stop()
    mib = [round(it / MIB, 1) for it in (first, after_sessions, half, end)]
    print(f"\nMiB at first, after 1,500 sessions, 100,000 and 200,000 requests: {mib}")  # noqa: T201  the figures
    assert end < BOUND
    assert end - half < 8 * MIB
