"""Run by its path in an interpreter of its own: fences itself in, then becomes the command.

    launch.py SOCKET COMMAND ARGUMENT ...

SOCKET is the number of an inherited Unix socket. Over it goes one byte with the listener of the
kernel's notices beside it, or `-` and an errno in digits where the kernel refuses, which is the
end; then, only if the command cannot be run, `!` and an errno. The standard library alone is
imported, as nothing else can be found from here. Machine are those of Linux's headers
(seccomp.h, bpf_common.h, audit.h), little-endian machines only.
"""

import ctypes
import os
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Machine(NamedTuple):
    """What a kind of machine calls itself and the system calls that matter here."""

    arch: int
    seccomp: int
    connect: int
    sendto: int


MACHINES: Mapping[str, Machine] = {
    "x86_64": Machine(0xC000003E, 317, 42, 44),
    "aarch64": Machine(0xC00000B7, 277, 203, 206),
}
"""By `os.uname().machine`. On others there is no fence."""

LISTENING, REFUSED, NOT_RUN = b".", b"-", b"!"
"""What begins the messages over the socket."""

_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_NUMBER_AT, _ARCH_AT, _FIFTH_ARGUMENT_AT = 0, 4, 48
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
_NO_NEW_PRIVILEGES = 38


def program(machine: Machine) -> bytes:
    """The filter: notice of each `connect`, and of each `sendto` that names an address.

    `send` is a `sendto` without one: what is sent on a connection takes no detour.
    """
    low, high = _FIFTH_ARGUMENT_AT, _FIFTH_ARGUMENT_AT + 4
    return b"".join(
        [
            _step(_LOAD, _ARCH_AT),
            _step(_JUMP_IF_EQUAL, machine.arch, no=8),
            _step(_LOAD, _NUMBER_AT),
            _step(_JUMP_IF_EQUAL, machine.connect, yes=5),
            _step(_JUMP_IF_EQUAL, machine.sendto, no=5),
            _step(_LOAD, low),
            _step(_JUMP_IF_EQUAL, 0, no=2),
            _step(_LOAD, high),
            _step(_JUMP_IF_EQUAL, 0, yes=1),
            _step(_RETURN, _NOTIFY),
            _step(_RETURN, _ALLOW),
        ]
    )


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One instruction: how many to skip if a comparison holds, and if not (struct sock_filter)."""
    return struct.pack("<HBBI", code, yes, no, value)


def fenced(machine: Machine) -> int:
    """Put the filter on this process and all that it will start; the listener of its notices.

    OSError where the kernel does not have that, or does not allow it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    steps = program(machine)
    kept = ctypes.create_string_buffer(steps, len(steps))
    head = struct.pack("@HxxxxxxP", len(steps) // 8, ctypes.addressof(kept))
    # Without root a process must first give up what setuid programs would give it.
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    listener = libc.syscall(machine.seccomp, _SET_MODE_FILTER, _NEW_LISTENER, head)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return int(listener)


def main() -> None:
    """Tell the parent how to listen, then become the command."""
    parent, command = socket.socket(fileno=int(sys.argv[1])), sys.argv[2:]
    parent.set_inheritable(False)
    # As they are without Python, which has its own ideas of them; a command inherits both.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    environment = dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)
    try:
        listener = fenced(MACHINES[os.uname().machine])
        socket.send_fds(parent, [LISTENING], [listener])
        os.close(listener)
    except OSError as error:
        parent.sendall(REFUSED + b"%d" % (error.errno or 0))
        sys.exit(1)
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606  a shell is what it must not be
    except OSError as error:
        parent.sendall(NOT_RUN + b"%d" % (error.errno or 0))
        os._exit(1)


if __name__ == "__main__":
    main()
