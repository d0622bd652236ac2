"""An MCP server that is a process of ours: a message a line, on its input and output.

It gets of our environment only what a program needs to run, and what its user set for it: keys of
model providers are none of its business. It ends when its input does, or is ended.
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from promptdeck.core.text.jsontext import JSONObject, compact
from promptdeck.engine.agent.sides import MCPTrouble

from .duplex import Duplex

# As the official SDK has it (mcp 2.3.0, client/stdio).
_INHERITED = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LANG", "LC_ALL", "TMPDIR")
_LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of one message: an image in base64 is some megabytes."""
_GRACE = (0.5, 2.0, 2.0)
"""Seconds that a process has to end by itself, as its input has ended; once it was asked to; and
once it was made to."""
_LAST_WORDS = 0.5
"""Seconds to wait for them."""
_TOLD = 2000
"""Bytes of its last words on stderr that are told when it dies."""


class StdioCourier:
    """A process that was started, and the messages to it; `close` ends it.

    `start` raises MCPTrouble where the command cannot be run.
    """

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self._process = process
        self._name = name
        self._duplex = Duplex(self._send)
        self._words = b""
        self._tasks = [
            asyncio.get_running_loop().create_task(self._read()),
            asyncio.get_running_loop().create_task(self._listen()),
        ]

    @classmethod
    async def start(
        cls, command: Sequence[str], env: Mapping[str, str], folder: str | None = None
    ) -> "StdioCourier":
        """Start a server's command, in a process group of its own."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=inherited | dict(env),
                cwd=folder,
                limit=_LONGEST_LINE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise MCPTrouble(
                "connection_failed",
                f"cannot run {command[0]}: {error}",
                "see that its command is installed and on the PATH",
            ) from None
        return cls(process, command[0])

    async def ask(
        self, message: JSONObject, headers: Mapping[str, str], timeout: float
    ) -> JSONObject:
        """As `Duplex.ask`; headers are HTTP's."""
        del headers
        return await self._duplex.ask(message, timeout)

    async def tell(self, message: JSONObject, headers: Mapping[str, str]) -> None:
        """Send a message that nobody answers."""
        del headers
        await self._send(message)

    async def close(self) -> None:
        """End the process and all that it started."""
        process = self._process
        if process.stdin:
            process.stdin.close()
        for sign, grace in zip((None, signal.SIGTERM, signal.SIGKILL), _GRACE, strict=True):
            if sign is not None and process.returncode is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, sign)
            with suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await process.wait()
                break
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _send(self, message: JSONObject) -> None:
        """Write a message on its line; nothing where the process has gone, which is told then."""
        pipe = self._process.stdin
        if pipe is None or pipe.is_closing():
            return
        with suppress(ConnectionError, BrokenPipeError):
            pipe.write(compact(message) + b"\n")
            await pipe.drain()

    async def _read(self) -> None:
        """Take what the process says, until it says no more."""
        why = "ended"
        if output := self._process.stdout:
            try:
                while line := await output.readline():
                    await self._duplex.came(line)
            except ValueError:
                why = f"sent a line of more than {_LONGEST_LINE} bytes"
        # Its last words may be behind what it said.
        await asyncio.wait([self._tasks[1]], timeout=_LAST_WORDS)
        words = self._words.decode("utf-8", "replace").strip().splitlines()
        last = f": {words[-1]}" if words else ""
        self._duplex.ended(MCPTrouble("connection_failed", f"{self._name} {why}{last}"))

    async def _listen(self) -> None:
        """Keep the process's last words, which nobody else reads."""
        if errors := self._process.stderr:
            while data := await errors.read(4096):
                self._words = (self._words + data)[-_TOLD:]
