"""The end of a server: what it waits for, what it did, whether it did what it was there for."""

import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from promptdeck.config import Config
from promptdeck.core.policy import Mode
from promptdeck.core.units import format_duration

from .output import counted

if TYPE_CHECKING:
    import asyncio

    from promptdeck.app import Totals

ENDING = (signal.SIGINT, signal.SIGTERM)
"""Signals that end a server: once lets it finish, twice does not."""

_UNNOTICED = 0.5
"""Seconds that an end may take before people are told why it does: who waits for less does not
wonder."""

UNRECORDED = 8
"""Exit code where an answer was to be recorded and could not be: the next replay would miss it."""


def summary(counts: "Totals") -> str:
    """A server's counts in words: `2 hits, 0 misses, 0 recorded, 0 upstream calls`."""
    told = [
        counted(counts.hits, "hit"),
        counted(counts.misses, "miss", "misses"),
        f"{counts.recorded} recorded",
        *([f"{counts.unrecorded} not recorded"] if counts.unrecorded else []),
        counted(counts.upstream_calls, "upstream call"),
    ]
    if counts.redacted:
        told.append(counted(counts.redacted, "secret") + " redacted")
    return ", ".join(told)


def exit_code_of(mode: Mode, counts: "Totals") -> int:
    """UNRECORDED, said on stderr, if a mode that is for recording lost any answer; else 0."""
    if not (mode.fills_cassettes and counts.unrecorded):
        return 0
    answers = counted(counts.unrecorded, "answer")
    click.echo(
        f"promptdeck: {answers} could not be recorded, for the reasons above; mend that and record"
        " again",
        err=True,
    )
    return UNRECORDED


def idle_because(mode: Mode, counts: "Totals") -> str:
    """Why a server that was there to record did not, in one line; empty if it did, or was not."""
    asked = mode.fills_cassettes and counts.upstream_calls
    if asked and not (counts.recorded or counts.unrecorded or counts.hits):
        return "nothing was recorded: no answer was whole and without an error"
    return ""


def let_finish(config: Config, counts: Callable[[], "Totals"]) -> "asyncio.TimerHandle":
    """Say what an end that takes its time waits for; a signal from now on ends the process.

    To be called on the server's loop when it is about to stop. What it returns is to be
    cancelled when that is done.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, _end_at_once, number)
    return loop.call_later(_UNNOTICED, _tell_of_waiting, config, counts)


def _tell_of_waiting(config: Config, counts: Callable[[], "Totals"]) -> None:
    """Say on stderr how many answers a server waits for, and for how long."""
    under_way = counts().under_way
    # Else clients are still reading what has come, or the store is written.
    what = f"waiting for {counted(under_way, 'answer')} under way" if under_way else "ending"
    most = format_duration(config.server.shutdown_timeout)
    click.echo(f"promptdeck: {what}, {most} at most; Ctrl-C again ends at once", err=True)


def _end_at_once(number: int) -> None:
    """End the process as the signal would: files and store are as after a loss of power, whole."""
    click.echo("promptdeck: ended at once; what was under way is not recorded", err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(128 + number)
