"""Who listens on a port: for the error of who wanted to."""

import contextlib
import errno
import socket
from collections.abc import Iterator
from pathlib import Path

from .errors import BindError

_LISTENING = "0A"
"""The state of a socket in /proc/net/tcp (include/net/tcp_states.h)."""


def cannot_listen(host: str, port: int, error: OSError) -> BindError:
    """The error that says why nobody can listen there, and what to do."""
    if isinstance(error, socket.gaierror):
        return BindError(f"cannot listen on {host}:{port}: there is no host {host}; mend --host")
    if error.errno == errno.EADDRNOTAVAIL:
        return BindError(
            f"cannot listen on {host}:{port}: this machine has no such address; mend --host"
        )
    if error.errno == errno.EACCES:
        return BindError(
            f"cannot listen on {host}:{port}: only root may, below 1024; choose another --port"
        )
    if error.errno != errno.EADDRINUSE:
        why = error.strerror or error
        return BindError(f"cannot listen on {host}:{port}: {why}; choose another --port")
    by = taken_by(port)
    why = f"the port is taken by {by}; end that, or" if by else "the port is taken;"
    return BindError(f"cannot listen on {host}:{port}: {why} choose another --port (0: a free one)")


def taken_by(port: int) -> str:
    """The process that listens on a TCP port: `python app.py (process 7)`; empty if unknown.

    Of another user's processes, and on systems without /proc, nothing is known.
    """
    wanted = {f"socket:[{inode}]" for inode in _sockets(port)}
    if not wanted:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if any(str(one.readlink()) in wanted for one in (process / "fd").iterdir()):
                return f"{_command(process)} (process {process.name})"
    return ""


def _sockets(port: int) -> Iterator[str]:
    """The inodes of the sockets that listen on a port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                # Of its columns: the address, the other one, the state; the inode is the tenth.
                columns = line.split()
                if columns[3] == _LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                    yield columns[9]


def _command(process: Path) -> str:
    """The command line of a process, without folders and cut short; its first words say what it is.

    Flags may hold secrets: what follows the first is left out.
    """
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    shown = [Path(words[0]).name]
    for word in words[1:]:
        if word.startswith("-") and word != "-m":
            break
        shown.append(Path(word).name)
    return " ".join(filter(None, shown[:_WORDS]))


_WORDS = 4
"""Words of a command that are shown: `python -m promptdeck serve`."""
