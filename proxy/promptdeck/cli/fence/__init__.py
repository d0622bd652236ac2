"""A wrapped program kept to loopback, and what it tried to reach besides: Linux, without root.

launch    in the program's own process, before it becomes the program: a filter of seccomp,
          which it cannot take off again and hands down to all that it starts
notices   the kernel's notices of its connections, each with its verdict
lookups   a name server for it, so that a host is refused by its name

A filter and not a network namespace: in a namespace of its own the program would not find our
server, and a container or Ubuntu 24.04 does not let a user make one; this needs no more than
`no_new_privs`, and says whom the program was about to call.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from . import launch
from .lookups import Allowed, Lookups
from .notices import Notices

if TYPE_CHECKING:
    from asyncio.subprocess import Process


class Unavailable(Exception):
    """No fence can be had here; the message says why."""


class Fence:
    """What stands around a command, and what was refused: `tried`.

    Hosts are named in the order in which they were first tried, as names where the program
    looked one up (`api.openai.com`), else as address and port (`203.0.113.9:443`).
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """`allowed` are hosts that may be reached, as `Allowed` has them. Unavailable.

        ValueError for a host that cannot be one.
        """
        machine = launch.MACHINES.get(os.uname().machine) if sys.platform == "linux" else None
        if machine is None:
            raise Unavailable("it needs Linux on x86_64 or aarch64")
        self._machine = machine
        self._allowed = Allowed(allowed)
        self._tried: dict[str, None] = {}
        self._lookups = Lookups(self._allowed, self._refused)
        self._notices: Notices | None = None

    @property
    def tried(self) -> list[str]:
        """The hosts that were refused, each once."""
        return list(self._tried)

    async def start(self, argv: Sequence[str], env: Mapping[str, str]) -> "Process":
        """Start a command within the fence.

        OSError if it cannot be run; Unavailable if the kernel allows no fence, and then the
        command has not been started.
        """
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", launch.__file__, str(theirs.fileno()), *argv),
                    env=env,
                    pass_fds=[theirs.fileno()],
                )
            # Milliseconds, in which this process has nothing else to do: no client runs yet.
            said, handles, _, _ = await asyncio.to_thread(socket.recv_fds, ours, 64, 1)
            if handles:
                self._watch(handles[0])
                said += await asyncio.to_thread(ours.recv, 64)
        if launch.REFUSED in said:
            await process.wait()
            why = os.strerror(int(said.partition(launch.REFUSED)[2]))
            raise Unavailable(f"the kernel refuses it: {why}")
        if launch.NOT_RUN in said:
            await process.wait()
            number = int(said.partition(launch.NOT_RUN)[2])
            raise OSError(number, os.strerror(number))
        return process

    def _watch(self, listener: int) -> None:
        """Judge what the command does from now on."""
        notices = Notices(listener, self._machine, self._allowed, self._lookups, self._refused)

        def judge() -> None:
            if not notices.judge():
                self._end()

        self._notices = notices
        asyncio.get_running_loop().add_reader(listener, judge)

    def _refused(self, host: str) -> None:
        """Note a host, unless it is one that was tried already with a domain behind it.

        A resolver tries `api.openai.com.corp.example` when the name itself is not known.
        """
        if not any(host.startswith(f"{known}.") for known in self._tried):
            self._tried[host] = None

    def close(self) -> None:
        """Judge no more. What the command left running is refused each connection from now on."""
        self._lookups.close()
        self._end()

    def _end(self) -> None:
        """Wait for no notice any more."""
        if self._notices:
            asyncio.get_running_loop().remove_reader(self._notices.fileno())
            self._notices.close()
            self._notices = None
