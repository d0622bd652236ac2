"""`promptdeck run`: a command, and a server of its own for as long as it runs.

The command finds the server by the environment (`variables`), on a free port unless one is
named, so that many can run at once. In replay it is fenced in (`fence`) where that can be: a
program that calls its provider all the same is found out.
"""

import os
import shlex
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from promptdeck.config import Config
from promptdeck.core.policy import Mode
from promptdeck.errors import UsageError

from . import options
from .ending import exit_code_of, idle_because, let_finish, summary
from .loop import run
from .quick import importing
from .variables import variables
from .wrapped import exit_code_of_command

if TYPE_CHECKING:
    from .fence import Fence

FAILED = 6
"""Exit code where replay had misses or leftovers although the command succeeded."""
BYPASSED = 9
"""Exit code where the command went round the server: it asked nothing here, or others instead."""

_FAILURES = ("miss", "unused", "bypass")


@click.command("run", context_settings={"allow_interspersed_args": False})
@options.settings()
@click.option(
    "--fail-on",
    default="miss,bypass",
    show_default=True,
    metavar="miss,unused,bypass",
    help="Fail on requests without a recording, on recordings without a request (both in replay),"
    " on a command that asked nothing here, or others (in replay and when recording).",
)
@click.option(
    "--block-network/--no-block-network",
    "block",
    default=None,
    help="Keep the command to loopback, and name what else it tried to reach (Linux; no root)."
    "  [default: in replay, where the kernel allows it]",
)
@click.option(
    "--allow-host",
    "allowed",
    multiple=True,
    metavar="HOST",
    help="A name, address or network that the command may reach all the same; * is any text.",
)
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND ...")
def command(
    argv: Sequence[str], fail_on: str, block: bool | None, allowed: Sequence[str], **flags: Any
) -> None:
    """Run a command against a server of its own.

    The command finds the server by OPENAI_BASE_URL, ANTHROPIC_BASE_URL,
    GOOGLE_GEMINI_BASE_URL and their like; where no API key is set it gets a
    placeholder. promptdeck exits with the command's code; where that succeeded, with
    6 if replay had what --fail-on names, with 8 if an answer was to be recorded and
    could not be, and with 9 if the command went round promptdeck.

    \b
    Examples:
      promptdeck run --mode replay --cassette checkout -- pytest -q
      promptdeck run --mode record-missing --cassette demo -- python app.py
      promptdeck run --mode replay --fail-on miss,unused -- npm test
      promptdeck run --mode replay --allow-host db.internal -- pytest -q
      promptdeck run -- node agent.js
    """
    _warn_of_flags_behind(argv, given={name for name, value in flags.items() if value is not None})
    loaded = options.loaded(dict(flags))
    config = loaded.config
    if flags["port"] is None:
        config = config._replace(server=config.server._replace(port=0))
    config = _near(config, named=loaded.sources["server.host"] == "--host")
    quiet = loaded.sources["log.level"] == "default"
    options.log_to_stderr("warning" if quiet else config.log.level)
    wall = _Wall(config.mode is Mode.REPLAY if block is None else block, bool(block), allowed)
    sys.exit(run(_run(argv, config, _failures(fail_on), wall)))


def _near(config: Config, *, named: bool) -> Config:
    """The configuration with a server for the command alone: on loopback, open without a token.

    Elsewhere, with the token, only where `--host` was `named`.
    """
    if named and config.server.host != _LOOPBACK:
        return config
    return config._replace(server=config.server._replace(host=_LOOPBACK, token=None))


_LOOPBACK = "127.0.0.1"


class _Wall(NamedTuple):
    """What a command's fence is to be."""

    wanted: bool
    required: bool
    """Whether it is an error that there can be none."""
    allowed: Sequence[str]


_OURS = ("--mode", "--cassette", "--cassettes", "--upstream", "--fail-on", "--pace", "--draws")
"""Flags of `run` that hardly any other program has; --port and --config many have."""


def _warn_of_flags_behind(argv: Sequence[str], given: Collection[str]) -> None:
    """Say so where flags that are ours stand behind the command, which then gets them.

    Not if they are `given` before it, too, or the command is promptdeck itself.
    """
    if "promptdeck" in " ".join(argv[:3]):
        return
    for place, word in enumerate(argv[1:], 1):
        flag, _, value = word.partition("=")
        value = value or next(iter(argv[place + 1 :]), "")
        strange = flag == "--mode" and value not in list(Mode)
        if flag not in _OURS or flag[2:].replace("-", "_") in given or strange:
            continue
        click.echo(
            f"promptdeck: {flag} stands behind the command, which gets it; flags of `run` stand"
            f" before: promptdeck run {shlex.join([flag, value])} -- {argv[0]} ...",
            err=True,
        )


def _failures(text: str) -> set[str]:
    """The names that --fail-on has. click.BadParameter for any that is none of `_FAILURES`."""
    names = {name for name in text.split(",") if name}
    if unknown := names.difference(_FAILURES):
        raise click.BadParameter(f"knows {', '.join(_FAILURES)}, not {', '.join(unknown)}")
    return names


async def _run(argv: Sequence[str], config: Config, fail_on: set[str], wall: _Wall) -> int:
    """Serve, run the command, and say on stderr what came of it; promptdeck's exit code.

    UsageError where the fence that is required cannot be had.
    """
    with importing():
        from promptdeck.app import serving

    replays = config.mode is Mode.REPLAY
    fence = None
    async with serving(config) as server:
        env = {**os.environ, **variables(os.environ, server.root, replays=replays)}
        try:
            fence = _fence(wall)
            code = await exit_code_of_command(argv, env, fence, required=wall.required)
        finally:
            if fence:
                fence.close()
        telling = let_finish(config, server.counts)
        await server.ready()
        unused = server.report()["unplayed"] if "unused" in fail_on else []
    telling.cancel()
    counts = server.counts()
    click.echo(f"promptdeck: {summary(counts)}", err=True)
    # It is what replay promises above all, so that a fault of ours must not go unseen.
    if replays and counts.upstream_calls:
        raise AssertionError(f"replay made {counts.upstream_calls} upstream calls")
    if code == 0 and (why := idle_because(config.mode, counts)):
        click.echo(f"promptdeck: {why}", err=True)
    went_round = _told_of_bypass(code, fence.tried if fence else [], asked=server.asked())
    fails = "bypass" in fail_on and (replays or config.mode.fills_cassettes)
    # The command's own failure says less: it is what the network's absence looks like to it.
    if went_round and fails and (code == 0 or not server.asked()):
        return BYPASSED
    if replays and unused:
        click.echo(f"promptdeck: not used: {', '.join(unused)}", err=True)
    if replays and code == 0 and (unused or ("miss" in fail_on and counts.misses)):
        return FAILED
    return code or exit_code_of(config.mode, counts)


def _fence(wall: _Wall) -> "Fence | None":
    """The fence that is wanted; None for none. UsageError if it is required, or a host is wrong."""
    if not wall.wanted:
        return None
    from .fence import Fence, Unavailable  # 8 ms

    try:
        return Fence(wall.allowed)
    except ValueError as error:
        raise UsageError(f"--allow-host: {error}") from None
    except Unavailable as error:
        if wall.required:
            raise UsageError(f"cannot block the command's network: {error}") from None
        return None


def _told_of_bypass(code: int, tried: Sequence[str], *, asked: bool) -> bool:
    """True if a command went round the server, and then it is said on stderr.

    `tried` are hosts that it was kept from. A command that failed by itself without any request
    is not accused of that.
    """
    if tried:
        hosts, first = ", ".join(tried), tried[0].rpartition(":")[0] or tried[0]
        click.echo(
            f"promptdeck: the command was kept from {hosts}: have its client use the base_url in"
            f" OPENAI_BASE_URL or its like, or allow it with --allow-host {first}",
            err=True,
        )
        return True
    if not asked and code == 0:
        click.echo(
            "promptdeck: the command asked nothing of promptdeck: have its client use the base_url"
            " in OPENAI_BASE_URL or its like (`promptdeck run -- env` shows them)",
            err=True,
        )
        return True
    return False
