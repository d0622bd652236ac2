"""Run the real `promptdeck` command, as a user's shell would."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

COMMAND = (sys.executable, "-m", "promptdeck")


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def environment(cwd: Path, **extra: str) -> dict[str, str]:
    """The outer environment without what would change a result, and a store of our own."""
    unwanted = ("PROMPTDECK_", "OPENAI_", "DEDALUS_")
    outer = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**outer, "CI": "", "XDG_CACHE_HOME": str(cwd / "cache"), **extra}


async def promptdeck(cwd: Path, *argv: str, stdin: bytes = b"", **extra: str) -> Ran:
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *argv,
        cwd=cwd,
        env=environment(cwd, **extra),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin), 60)
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


class Server(NamedTuple):
    process: asyncio.subprocess.Process
    base_url: str
    told: str
    """The line after the base_url."""

    async def stop(self, signal: int) -> tuple[int, str]:
        """Send a signal; the exit code and what was said on stderr."""
        self.process.send_signal(signal)
        _, err = await asyncio.wait_for(self.process.communicate(), 60)
        assert self.process.returncode is not None
        return self.process.returncode, err.decode()


@asynccontextmanager
async def serve(cwd: Path, *argv: str, **extra: str) -> AsyncIterator[Server]:
    """`promptdeck serve` on a free port, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("serve", "--port", "0", *argv),
        cwd=cwd,
        env=environment(cwd, **extra),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout
        assert process.stderr
        lines = [(await asyncio.wait_for(process.stdout.readline(), 60)).decode() for _ in "12"]
        if not lines[1]:
            raise AssertionError((await process.stderr.read()).decode())
        yield Server(process, lines[0].split()[-1], lines[1].rstrip())
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
