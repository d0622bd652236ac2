"""The kernel's notices of a fenced program's connections: read, judged, answered.

Structures and numbers are those of Linux's seccomp_unotify(2), which is in kernels from 5.9 on.
What the program's memory says may change under our eyes: that is no matter here, where a
program is not an enemy but one that was set up in a hurry.
"""

import ctypes
import errno
import fcntl
import ipaddress
import os
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .launch import Machine
from .lookups import Address, Allowed, Lookups

_RECEIVE, _ANSWER, _IS_VALID, _GIVE_HANDLE = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103
_NOTICE = struct.Struct("<QIIiIQ6Q")
_CONTINUE, _IN_PLACE = 1, 1
_PIDFD_GETFD = 438
_LONGEST_READ = 4096
_FAST_OPEN = 0x20000000
_DNS, _HTTPS = 53, 443
_CLOSE_ON_EXEC = 0o2000000
# Services that look names up for others: without them a program asks a name server itself.
_RESOLVERS = ("/run/systemd/resolve/io.systemd.Resolve", "/run/nscd/socket", "/var/run/nscd/socket")


class _Notice(NamedTuple):
    """A system call that waits for its verdict."""

    id: int
    thread: int
    number: int
    arguments: tuple[int, ...]


class Notices:
    """The listener of one program's notices, and of all that it starts.

    `refused` is called with each address that was refused, as text with its port. To be read
    whenever `fileno` can be; it is closed when no process is left that could send any.
    """

    def __init__(
        self,
        listener: int,
        machine: Machine,
        allowed: Allowed,
        lookups: Lookups,
        refused: Callable[[str], None],
    ) -> None:
        self._listener = listener
        self._machine = machine
        self._allowed = allowed
        self._lookups = lookups
        self._refused = refused

    def fileno(self) -> int:
        """The listener's handle, to be waited for."""
        return self._listener

    def close(self) -> None:
        """Answer no more: the kernel refuses with ENOSYS what would be asked."""
        os.close(self._listener)

    def judge(self) -> bool:
        """Answer one notice; False if none can come any more."""
        buffer = bytearray(_NOTICE.size)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, buffer)
        except OSError:  # who asked is gone
            poll = select.poll()
            poll.register(self._listener, select.POLLIN)
            return not any(event & select.POLLHUP for _, event in poll.poll(0))
        number, thread, _, call, _, _, *arguments = _NOTICE.unpack(buffer)
        notice = _Notice(number, thread, call, tuple(arguments))
        try:
            error = self._error_of(notice)
        except (OSError, ValueError, IndexError):
            error = 0  # gone, or not to be looked into: it is not held up
        if error is not None:
            verdict = (0, -error, 0) if error else (0, 0, _CONTINUE)
            self._answer(notice, *verdict)
        return True

    def _answer(self, notice: _Notice, value: int, error: int, flags: int) -> None:
        """Let a call return `value` or -`error`, or with `_CONTINUE` go on."""
        with suppress(OSError):  # who asked is gone
            fcntl.ioctl(
                self._listener, _ANSWER, struct.pack("<QqiI", notice.id, value, error, flags)
            )

    def _error_of(self, notice: _Notice) -> int | None:
        """The errno that a call is refused with, 0 if it may go on, None if it has been answered.

        OSError, ValueError or IndexError where its arguments cannot be read.
        """
        connects = notice.number == self._machine.connect
        _, data, length, flags, at, size = notice.arguments
        raw = _memory(notice.thread, data if connects else at, length if connects else size)
        family = struct.unpack_from("=H", raw)[0]
        if family == socket.AF_UNIX:
            path = raw[2:].partition(b"\0")[0].decode("utf-8", "replace")
            return errno.ENOENT if path in _RESOLVERS else 0
        if family not in (socket.AF_INET, socket.AF_INET6):
            return 0
        address = _address(family, raw)
        if not connects and not flags & _FAST_OPEN:
            return self._datagram(address, notice)
        return self._connection(address, notice)

    def _connection(self, address: Address, notice: _Notice) -> int | None:
        """The verdict on a `connect`, as `_error_of` has it."""
        host, port = address
        local = self._allowed.address(host)
        if local and port != _DNS:
            return 0
        with _handle(notice.thread, notice.arguments[0]) as original:
            is_datagram = original.type == socket.SOCK_DGRAM
            if port == _DNS:
                if is_datagram:
                    self._look_up_here(address, original, notice)
                    return None
                return errno.ECONNREFUSED  # the same is asked by datagram first
        # By `connect` on a datagram socket programs learn their own address: nothing is sent.
        if is_datagram and port != _HTTPS:
            return 0
        return self._refuse(address)

    def _datagram(self, address: Address, notice: _Notice) -> int:
        """The verdict on a datagram: lookups are read, QUIC is refused, the rest may go."""
        host, port = address
        if port == _DNS:
            query = _memory(notice.thread, notice.arguments[1], notice.arguments[2])
            name = self._lookups.noticed(query)
            return 0 if name is None or self._allowed.name(name) else errno.ENETUNREACH
        if port == _HTTPS and not self._allowed.address(host):
            return self._refuse(address)
        return 0

    def _refuse(self, address: Address) -> int:
        host, port = address
        self._refused(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        return errno.ENETUNREACH

    def _look_up_here(self, server: Address, original: socket.socket, notice: _Notice) -> None:
        """Let a socket that was to ask a name server ask `Lookups` in its place."""
        self._lookups.server = server
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            ours.connect(self._lookups.address)
            ours.setblocking(os.get_blocking(original.fileno()))
            handle = notice.arguments[0]
            fdinfo = Path(f"/proc/{notice.thread}/fdinfo/{handle}").read_text()
            flags = int(fdinfo.partition("flags:")[2].split()[0], 8) & _CLOSE_ON_EXEC
            given = struct.pack("<QIIII", notice.id, _IN_PLACE, ours.fileno(), handle, flags)
            fcntl.ioctl(self._listener, _GIVE_HANDLE, given)
        self._answer(notice, 0, 0, 0)


def _address(family: int, raw: bytes) -> Address:
    """The host and port in a `struct sockaddr`."""
    port = struct.unpack_from(">H", raw, 2)[0]
    ip = ipaddress.ip_address(raw[4:8] if family == socket.AF_INET else raw[8:24])
    return str(getattr(ip, "ipv4_mapped", None) or ip), port


def _memory(thread: int, at: int, length: int) -> bytes:
    """Bytes of another process's memory. OSError where it may not be read."""
    with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
        memory.seek(at)
        return memory.read(min(length, _LONGEST_READ))


def _handle(thread: int, number: int) -> socket.socket:
    """A copy of another process's socket. OSError where it may not be had."""
    status = Path(f"/proc/{thread}/status").read_text()
    process = os.pidfd_open(int(status.partition("Tgid:")[2].split()[0]))
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        copy = libc.syscall(_PIDFD_GETFD, process, number, 0)
    finally:
        os.close(process)
    if copy < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return socket.socket(fileno=copy)
