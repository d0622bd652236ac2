"""1,500 sessions and 200,000 varied requests: memory returns to its bounds; so it does after an
answer of 16 MiB, which is recorded in three times its size.

Run by `make conformance`, with the bounds as they are. What the process has is printed.
"""

import asyncio
import base64
import random
import re
import signal
import urllib.request
from pathlib import Path

import orjson
import pytest

from tests.command import serve
from tests.conftest import Start
from tests.raw_client import talking
from tests.scripted_upstream import Answer, chunk, completion, raw
from tests.scripted_upstream import upstream as scripted_upstream
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


# A 16 MiB answer is recorded in three times its size


def _prose(size: int) -> str:
    """Text as a model writes it, of letters of three sizes in UTF-8."""
    chance = random.Random(5)
    words = [chance.choice(["word", "Wörter", "漢字", "😀"]) + str(n) for n in range(5000)]
    return " ".join(chance.choices(words, k=size // 10))


def _events(text: str, size: int) -> bytes:
    """A chat stream that says a text, so many characters a frame."""
    deltas = [{"content": text[at : at + size]} for at in range(0, len(text), size)]
    return b"".join([*map(chunk, deltas), chunk({}, "stop"), b"data: [DONE]\n\n"])


def _of_size(size: int) -> dict[str, tuple[str, str, bytes]]:
    """Path, content type and body of answers of about so many bytes."""
    chance, text = random.Random(7), _prose(size)
    data = chance.randbytes(size)
    picture = {"data": [{"b64_json": base64.b64encode(data[: size * 3 // 4]).decode()}]}
    vector = [chance.uniform(-1, 1) for _ in range(1536)]
    vectors = [{"index": n, "embedding": vector} for n in range(size // 31_000)]
    chat, kind, events = "chat/completions", "application/json", "text/event-stream"
    return {
        "prose": (chat, kind, orjson.dumps(completion(text))),
        "picture": ("images/generations", kind, orjson.dumps(picture)),
        "vectors": ("embeddings", kind, orjson.dumps({"object": "list", "data": vectors})),
        "sound": ("audio/speech", "audio/mpeg", data),
        "stream": (chat, events, _events(text[: len(text) // 10], 8)),
        "stream of long frames": (chat, events, _events(text, 4000)),
    }


def _megabytes(pid: int, name: str) -> float:
    """What the system says of the memory of a process."""
    [kib] = re.findall(rf"{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(kib) / 1024


def _read(url: str, path: str, number: int) -> int:
    """Ask and read an answer a part at a time; how many bytes it had."""
    asked = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": f"{number}"}]})
    request = urllib.request.Request(f"{url}/{path}", asked, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return sum(len(data) for data in iter(lambda: answer.read(65536), b""))


async def _rested(pid: int) -> None:
    """Wait until a process does nothing: packing begins a second after what was recorded."""
    before, quiet = "", 0
    while quiet < 8:
        await asyncio.sleep(0.25)
        now = " ".join(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
        quiet = quiet + 1 if now == before else 0
        before = now


async def _times(folder: Path, mode: str, path: str, answer: Answer) -> float:
    """How much memory a process takes to record an answer, in sizes of the answer."""
    kept = ("--cassette", "c") if mode == "record" else ("--store", "s.db")
    async with scripted_upstream() as upstream:
        flags = ("--mode", mode, "--upstream", upstream.url, "--cassettes", ".", *kept)
        async with serve(folder, *flags, "--log-level", "info") as server:
            for number in range(3):
                await asyncio.to_thread(_read, server.base_url, "chat/completions", number)
            pid = server.process.pid
            await _rested(pid)
            before = _megabytes(pid, "VmRSS")
            Path(f"/proc/{pid}/clear_refs").write_text("5")
            upstream.answers = [answer]
            size = await asyncio.to_thread(_read, server.base_url, path, 3)
            await _rested(pid)
            most = _megabytes(pid, "VmHWM")
            _, log = await server.stop(signal.SIGTERM)
    assert len(re.findall("recorded [0-9a-f]{6}-", log)) == 4, log
    assert size > 14 * MIB
    return round((most - before) * MIB / size, 2)


@pytest.mark.parametrize("mode", ["cache", "record"])
async def test_a_large_answer_is_recorded_in_three_times_its_size(
    tmp_path: Path, mode: str
) -> None:
    """From before it is asked for until it is packed."""
    times = {}
    for name, (path, kind, body) in _of_size(16 * MIB).items():
        folder = tmp_path / name
        folder.mkdir()
        times[name] = await _times(folder, mode, path, raw(body, headers={"Content-Type": kind}))
    print(f"\n{mode}: memory to record an answer, in sizes of it: {times}")  # noqa: T201
    assert max(times.values()) < 3
