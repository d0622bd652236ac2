"""`promptdeck run`: a command, and a server of its own for as long as it runs.

The command finds the server by the environment (`variables`), on a free port unless one is
named, so that many can run at once.
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from promptdeck.config import Config
from promptdeck.core.policy import Mode

from . import options
from .ending import exit_code_of, let_finish, summary
from .loop import run
from .quick import importing

if TYPE_CHECKING:
    from asyncio.subprocess import Process

FAILED = 6
"""Exit code where replay had misses or leftovers although the command succeeded."""

_KEYS = ("OPENAI_API_KEY", "DEDALUS_API_KEY")
"""Variables without which the SDKs refuse to make a client."""

_NOT_EXECUTABLE, _NOT_FOUND, _KILLED = 126, 127, 128
"""Exit codes of a shell for a command that cannot be run; the last plus the signal's number for
one that was killed (POSIX, Shell Command Language, 2.8.2)."""


@click.command("run", context_settings={"allow_interspersed_args": False})
@options.settings()
@click.option(
    "--fail-on",
    default="miss",
    show_default=True,
    metavar="miss,unused",
    help="In replay: fail on requests without a recording, on recordings without a request.",
)
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND ...")
def command(argv: Sequence[str], fail_on: str, **flags: Any) -> None:
    """Run a command against a server of its own.

    The command finds the server by OPENAI_BASE_URL and DEDALUS_BASE_URL; where no
    API key is set it gets a placeholder. promptdeck exits with the command's code;
    where that succeeded, with 6 if replay had what --fail-on names, and with 8 if
    an answer was to be recorded and could not be.

    \b
    Examples:
      promptdeck run --mode replay --cassette checkout -- pytest -q
      promptdeck run --mode record-missing --cassette demo -- python app.py
      promptdeck run --mode replay --fail-on miss,unused -- npm test
      promptdeck run -- node agent.js
    """
    loaded = options.loaded(dict(flags))
    config = loaded.config
    if flags["port"] is None:
        config = config._replace(server=config.server._replace(port=0))
    quiet = loaded.sources["log.level"] == "default"
    options.log_to_stderr("warning" if quiet else config.log.level)
    sys.exit(run(_run(argv, config, _failures(fail_on))))


def _failures(text: str) -> set[str]:
    """The names that --fail-on has. click.BadParameter for anything but `miss` and `unused`."""
    names = {name for name in text.split(",") if name}
    if unknown := names - {"miss", "unused"}:
        raise click.BadParameter(f"knows miss and unused, not {', '.join(unknown)}")
    return names


async def _run(argv: Sequence[str], config: Config, fail_on: set[str]) -> int:
    """Serve, run the command, and say on stderr what came of it; promptdeck's exit code."""
    with importing():
        from promptdeck.app import serving

    async with serving(config) as server:
        code = await _command(argv, {**os.environ, **variables(os.environ, server.root)})
        let_finish(config, server.counts)
        await server.ready()
        unused = server.report()["unplayed"] if "unused" in fail_on else []
    counts = server.counts()
    click.echo(f"promptdeck: {summary(counts)}", err=True)
    if config.mode is Mode.REPLAY:
        # It is what replay promises above all, so that a fault of ours must not go unseen.
        if counts.upstream_calls:
            raise AssertionError(f"replay made {counts.upstream_calls} upstream calls")
        if unused:
            click.echo(f"promptdeck: not used: {', '.join(unused)}", err=True)
        if code == 0 and (unused or ("miss" in fail_on and counts.misses)):
            return FAILED
    return code or exit_code_of(config.mode, counts)


def variables(outer: Mapping[str, str], root: str) -> dict[str, str]:
    """Variables by which a program finds the server at `root`, to be added to `outer`.

    A key where `outer` has none, and loopback for what goes through no proxy.
    """
    from promptdeck.upstream import PLACEHOLDER_KEY

    loopback = "127.0.0.1,localhost,::1"
    return {
        **{name: PLACEHOLDER_KEY for name in _KEYS if name not in outer},
        "OPENAI_BASE_URL": f"{root}/v1",
        # The name that openai's older versions and tools built on them read.
        "OPENAI_API_BASE": f"{root}/v1",
        # The Dedalus SDK appends /v1 itself.
        "DEDALUS_BASE_URL": root,
        **{
            name: ",".join(filter(None, (outer.get(name), loopback)))
            for name in ("NO_PROXY", "no_proxy")
        },
    }


async def _command(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a command to its end, signals passed on to it; its exit code, as a shell has it."""
    import asyncio

    try:
        process = await asyncio.create_subprocess_exec(*argv, env=env)
    except OSError as error:
        click.echo(f"promptdeck: cannot run {argv[0]}: {error.strerror}", err=True)
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A terminal sends Ctrl-C to the command itself, which shares our process group.
        from_terminal = number == signal.SIGINT and sys.stdin.isatty()
        loop.add_signal_handler(number, _pass_on, process, None if from_terminal else number)
    code = await process.wait()
    return code if code >= 0 else _KILLED - code


def _pass_on(process: "Process", number: int | None) -> None:
    """Send a signal to the command if it still runs; None is one that it has got already."""
    if number is not None and process.returncode is None:
        process.send_signal(number)
