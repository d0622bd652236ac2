"""A command run to its end: within a fence where there is one, signals passed on to it."""

import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from promptdeck.errors import UsageError

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from .fence import Fence

_NOT_EXECUTABLE, _NOT_FOUND, _KILLED = 126, 127, 128
"""Exit codes of a shell for a command that cannot be run; the last plus the signal's number for
one that was killed (POSIX, Shell Command Language, 2.8.2)."""


async def exit_code_of_command(
    argv: Sequence[str], env: Mapping[str, str], fence: "Fence | None", *, required: bool
) -> int:
    """Run a command to its end, signals passed on to it; its exit code, as a shell has it.

    UsageError if the kernel allows no fence, and one is `required`.
    """
    import asyncio

    try:
        process = await _started(argv, env, fence, required=required)
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


async def _started(
    argv: Sequence[str], env: Mapping[str, str], fence: "Fence | None", *, required: bool
) -> "Process":
    """The command, started within the fence if there is one and the kernel allows it.

    OSError if it cannot be run, UsageError as `exit_code_of_command`.
    """
    import asyncio

    if fence:
        from .fence import Unavailable

        try:
            return await fence.start(argv, env)
        except Unavailable as error:
            if required:
                raise UsageError(f"cannot block the command's network: {error}") from None
    return await asyncio.create_subprocess_exec(*argv, env=env)


def _pass_on(process: "Process", number: int | None) -> None:
    """Send a signal to the command if it still runs; None is one that it has got already."""
    if number is not None and process.returncode is None:
        process.send_signal(number)
