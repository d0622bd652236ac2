"""1,500 sessions and 200,000 varied requests: memory returns to its bounds.

Run by `make conformance`, with the bounds as they are. What the process has is printed.
"""

from tests.conftest import Start
from tests.raw_client import talking
from tests.traffic import PROMPTS, ask, resident, session

MIB = 1024 * 1024
# Heads 16 MiB, the room of all lanes 64, canonical forms 32: with these requests they fill
# slowly, 46 MiB by the first 100,000, 65, 84, 92 and 97 by the next. A hundred bytes that each
# request left behind would be 19 MiB more, and those of a recording or a turn several times that.
BOUND = 80 * MIB
NOISE = 12 * MIB


async def test_memory_returns(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    for prompt in PROMPTS:
        await recording.chat(prompt)
    deck = await start(mode="replay", cassette="c", log_level="warning")
    async with talking(deck.server) as talk:
        await ask(talk, 0, 1000)
        first = resident()
        for number in range(1500):
            await session(deck, talk, number * 10, 10)
        after_sessions = resident()
        await ask(talk, 0, 100_000)
        half = resident()
        await ask(talk, 100_000, 100_000)
        end = resident()
    mib = [round(it / MIB, 1) for it in (first, after_sessions, half, end)]
    print(f"\nMiB at first, after 1,500 sessions, 100,000 and 200,000 requests: {mib}")  # noqa: T201  the figures
    assert after_sessions - first < NOISE
    assert end - first < BOUND
