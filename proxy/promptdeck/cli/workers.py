"""`serve --workers N`: processes that share a port, a store and what is under way upstream.

What must be known by one process alone is refused: the order in which a
cassette is played, sessions and reports.
"""

import contextlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable

import click

from promptdeck.config import Config
from promptdeck.core.policy import Mode
from promptdeck.errors import UsageError
from promptdeck.listeners import cannot_listen

_ABLE = (Mode.CACHE, Mode.PASSTHROUGH)
"""Modes in which no process needs to know what another has played."""


def check(config: Config) -> None:
    """Check that several processes can do what one would. click.UsageError if they cannot."""
    if config.mode not in _ABLE:
        raise click.UsageError(
            f"--workers: mode {config.mode} keeps the order of recordings and a report, which one"
            f" process must; leave --workers out, or use --mode {' or '.join(_ABLE)}"
        )
    if sys.platform == "win32" or not hasattr(socket, "SO_REUSEPORT"):
        raise click.UsageError("--workers: this system cannot share a port between processes")


Work = Callable[[Config, bool], None]
"""Serves with a configuration until SIGTERM; the flag is whether it is to announce where."""


def supervise(config: Config, count: int, work: Work) -> int:
    """Run `work` in `count` processes until told to stop, or one of them ends; the exit code.

    It is given the configuration with the port that all of them listen on. A worker that ends
    by itself gives its exit code to all.
    """
    with _reserved(config.server.host, config.server.port) as reserved:
        port = reserved.getsockname()[1]
        config = config._replace(server=config.server._replace(port=port))
        workers = {_fork(work, config, announcing=number == 0) for number in range(count)}
        stopping: list[int] = []

        def stop(number: int, _: object) -> None:
            stopping.append(number)
            _end(workers)

        # After the workers were forked, which set handlers of their own.
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        failed = 0
        while workers:
            pid, status = os.wait()
            workers.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            if not stopping:
                click.echo(f"worker {pid} ended by itself ({_told(code)}); stopping", err=True)
                stopping.append(0)
                _end(workers)
                # One that stopped without an error has failed, too: nobody had asked it to.
                failed = code if code > 0 else 1
        return failed


def _told(code: int) -> str:
    """An exit code as `os.waitstatus_to_exitcode` gives it, in words."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _reserved(host: str, port: int) -> socket.socket:
    """A socket that holds the port without listening, until it is closed.

    For port 0 it takes a free one. BindError if somebody else listens there.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # Without SO_REUSEPORT, which would let us share the port with another program's.
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
        reserved = socket.socket(family, kind, protocol)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(address)
    except OSError as error:
        raise cannot_listen(host, port, error) from None
    return reserved


def _fork(work: Work, config: Config, *, announcing: bool) -> int:
    """Run `work` in a process of its own; its id. In that process this never returns."""
    # What is in the buffers would be printed by both.
    sys.stdout.flush()
    sys.stderr.flush()
    if pid := os.fork():
        return pid
    code = 1
    try:
        work(config, announcing)
        code = 0
    except UsageError as error:
        click.echo(str(error), err=True)
        code = error.exit_code
    except Exception:  # noqa: BLE001  the process ends here
        # It goes no further than this process, which nobody else could ask.
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _end(workers: set[int]) -> None:
    """Tell workers to stop, by their process ids."""
    for pid in workers:
        # A signal may come between a worker's end and its being struck off.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
