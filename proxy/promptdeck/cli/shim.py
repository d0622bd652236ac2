"""`promptdeck mcp run`: an MCP server on standard input and output, recorded or replayed.

What starts MCP servers (an IDE, Claude Code, an agent's SDK) starts this in place of one. Standard
output belongs to the protocol: all that is for people goes to stderr.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from promptdeck.config import Config
from promptdeck.config.settings import ToolServerSection
from promptdeck.core.policy import Mode

from . import options
from .ending import exit_code_of, summary
from .loop import run

if TYPE_CHECKING:
    import asyncio

    from promptdeck.engine.agent.relay import Relay

_MISSED = 6
"""As `promptdeck run` has it: replay had misses."""


@click.command("run", context_settings={"allow_interspersed_args": False})
@options.settings()
@click.option("--name", default="", help="The server's name in recordings.  [default: its command]")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND ...")
def shim(argv: Sequence[str], name: str, **flags: Any) -> None:
    """Stand in for an MCP server, recorded or replayed.

    Speaks MCP on standard input and output. With --mode record the command is started and what
    it answers is kept; with --mode replay it is not even started. Recordings go into the
    cassette that the model's calls may be in, too. Exits with 6 if replay had misses, with 8 if
    an answer could not be recorded.

    \b
    Examples:
      promptdeck mcp run --mode record --cassette agent -- uvx mcp-server-time
      promptdeck mcp run --mode replay --cassette agent -- uvx mcp-server-time
      claude mcp add time -- promptdeck mcp run --cassette agent -- uvx mcp-server-time
    """
    loaded = options.loaded(dict(flags))
    quiet = loaded.sources["log.level"] == "default"
    config = loaded.config
    options.log_to_stderr("warning" if quiet else config.log.level)
    if config.mode in (Mode.CACHE, Mode.PASSTHROUGH):
        click.echo(
            f"promptdeck: in mode {config.mode} tools are asked each time and nothing is recorded;"
            " name --mode record, record-missing or replay",
            err=True,
        )
    name = name or _name_of(argv)
    # What starts servers has set up the environment of this one: all of it is meant for it.
    entry = ToolServerSection(command=tuple(argv), env=dict(os.environ), folder=None)
    agent = config.agent._replace(servers={name: entry})
    sys.exit(run(_stand_in(config._replace(agent=agent), name)))


def _name_of(argv: Sequence[str]) -> str:
    """What a command is called: its last word that is no flag and no value, without a folder."""
    launchers = ("npx", "uvx", "uv", "run", "node", "python", "python3", "bunx", "pipx", "docker")
    words = [word for word in argv if not word.startswith("-")]
    told = next((word for word in words if os.path.basename(word) not in launchers), argv[0])  # noqa: PTH119
    base = told.rstrip("/").rpartition("/")[2]
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in base) or "server"


async def _stand_in(config: Config, name: str) -> int:
    """Answer messages until there are no more; the exit code."""
    from promptdeck.app import portless
    from promptdeck.core.agent.asked import Named
    from promptdeck.engine.agent.relay import Relay

    async with portless(config) as behind:
        server = Named(name, slug=name)
        await _answer_all(Relay(server, behind.exchange, behind.deck, behind.tools))
        counts = behind.counts
    told = counts()
    click.echo(f"promptdeck: {summary(told)}", err=True)
    if config.mode is Mode.REPLAY and told.misses:
        return _MISSED
    return exit_code_of(config.mode, told)


async def _answer_all(relay: "Relay") -> None:
    """Answer each line that comes, at once; return when no more come and all are answered."""
    import asyncio

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LONGEST_LINE, loop=loop)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader, loop=loop), sys.stdin.buffer
    )
    turn = asyncio.Lock()
    try:
        async with asyncio.TaskGroup() as tasks:
            while line := await reader.readline():
                if line.strip():
                    tasks.create_task(_answer(relay, line, turn))
    finally:
        transport.close()


_LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of one message: a file in base64 is some megabytes."""


async def _answer(relay: "Relay", line: bytes, turn: "asyncio.Lock") -> None:
    """Answer one line on a line of its own."""
    import asyncio

    import orjson

    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        message = None
    answer = await relay.answer(message)
    if answer is None:
        return
    data = orjson.dumps(answer) + b"\n"
    async with turn:
        # In a thread: who reads slowly must not hold up what is recorded.
        await asyncio.to_thread(_write, data)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
