"""Handles used up: one line in the log, and hits are answered all the same."""

import asyncio
import errno
import logging
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from promptdeck.server.crowded import crowd_told
from tests.conftest import Start

OPENED = 200


async def test_other_trouble_of_a_loop_is_told_as_before(caplog: pytest.LogCaptureFixture) -> None:
    loop, seen = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: seen.append(context["message"]))
    with crowd_told(loop):
        loop.call_exception_handler({"message": "a"})
        loop.call_exception_handler({"message": "b", "exception": OSError(errno.EPIPE, "b")})
        for _ in range(3):
            loop.call_exception_handler({"message": "c", "exception": OSError(errno.EMFILE, "c")})
        loop.call_exception_handler({"message": "d", "exception": ValueError("d")})
    # asyncio tries once more, a second after the listener was closed.
    closed = ValueError("Invalid file descriptor: -1")
    loop.call_exception_handler({"message": "e", "exception": closed})
    loop.set_exception_handler(None)
    assert seen == ["a", "b", "d"]
    assert len(caplog.messages) == 1


async def test_a_loop_without_a_handler_has_its_own_again(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    caplog.set_level(logging.ERROR, "asyncio")
    with crowd_told(loop):
        loop.call_exception_handler({"message": "told by asyncio"})
    assert "told by asyncio" in caplog.text
    assert loop.get_exception_handler() is None


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_hits_are_answered_while_handles_are_used_up(
    start: Start, tmp_path: Path, loop: str
) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    recording = await start(mode="record", cassette="c")
    first = await recording.chat("hi")
    hidden = "sys.modules['uvloop'] = None;" if loop == "asyncio" else ""
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100));"
    command = f"{limited} {hidden} from promptdeck.cli import main; main()"
    folders = ["--cassettes", str(tmp_path / "cassettes"), "--store", str(tmp_path / "other.db")]
    flags = ["--mode", "replay", "--cassette", "c", "--port", "0", *folders]
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-c", command, "serve", *flags],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        assert process.stdout
        line = await asyncio.to_thread(process.stdout.readline)
        root = line.split()[1].removesuffix("/v1")
        port = int(root.rpartition(":")[2])
        async with aiohttp.ClientSession() as session:
            body = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
            typed = {"Content-Type": "application/json"}

            async def ask() -> bytes:
                url = f"{root}/v1/chat/completions"
                async with session.post(url, data=body, headers=typed) as got:
                    return await got.read()

            assert await ask() == first.body
            others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(OPENED)]
            ends = time.monotonic() + 3
            while time.monotonic() < ends:
                assert await asyncio.wait_for(ask(), 10) == first.body
                await asyncio.sleep(0.05)
            for _, writer in others:
                writer.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        if process.stdout:
            process.stdout.close()
        log.seek(0)
        told = log.read()
        log.close()
    # libuv closes what it cannot take, and tells nobody.
    assert told.count("no connection can be accepted") == (loop == "asyncio"), told[:3000]
    assert "Traceback" not in told
    assert len(told) < 50_000
