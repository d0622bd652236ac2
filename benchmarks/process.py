"""Servers as processes: started on a core of their own, watched from outside, ended for certain."""

import os
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from bodies import PATH

if sys.platform != "linux":
    sys.exit("the benchmarks need Linux: they pin processes to cores and read their CPU clocks")

_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = _CORES[0]
LOAD_CORE = _CORES[-1]
ROOT = Path(__file__).resolve().parent.parent

_PORT = re.compile(rb":(\d+)")
_PATIENCE = 120
"""Seconds that a server may take to say where it listens."""


_LATER = 1.5
"""Seconds. promptdeck's store waits for one without a recording before it packs."""
_LOOK, _IDLE = 0.2, 0.05
"""Seconds between looks, and what of them a server that does nothing may be busy."""


@dataclass(frozen=True)
class Server:
    """A server that runs, watched from outside."""

    port: int
    pid: int
    path: str = PATH
    """Under which it is asked."""

    def cpu(self) -> float:
        """Seconds of CPU that all its threads have used so far."""
        # Linux numbers the CPU clocks of other processes so: clock_getcpuclockid(3).
        return time.clock_gettime((~self.pid << 3) | 2)

    def rest(self) -> float:
        """Wait until it does nothing any more, a while after it was asked; its CPU until then."""
        begin = before = self.cpu()
        end = time.monotonic() + _PATIENCE
        time.sleep(_LATER)
        while (now := self.cpu()) - before > _IDLE * _LOOK and time.monotonic() < end:
            before = now
            time.sleep(_LOOK)
        return self.cpu() - begin

    def memory(self) -> float:
        """Resident MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


@dataclass(frozen=True)
class Workshop:
    """The temporary folder in which everything runs."""

    folder: Path

    @contextmanager
    def promptdeck(
        self, mode: str, *flags: str, log_level: str = "warning", beside: Path | None = None
    ) -> Iterator[Server]:
        """The promptdeck of this tree; it has uvloop only if the packages in `beside` have it."""
        program = Path(sys.executable).with_name("promptdeck")
        beside = beside or self._without_uvloop()
        argv = [str(program), "serve", "--mode", mode, "--port", "0", "--log-level", log_level]
        env = {"PYTHONPATH": f"{beside}{os.pathsep}{ROOT}"}
        with self.start([*argv, *flags], env=env) as server:
            yield server

    def _without_uvloop(self) -> Path:
        folder = self.folder / "without-uvloop"
        folder.mkdir(exist_ok=True)
        (folder / "uvloop.py").write_text("raise ImportError('kept out of this run')\n")
        return folder

    @contextmanager
    def other(
        self, kind: str, body: bytes = b"", *arguments: str, core: int = SERVER_CORE
    ) -> Iterator[Server]:
        """One of servers.py."""
        script = Path(__file__).with_name("servers.py")
        file = self.folder / f"{kind}.body"
        file.write_bytes(body)
        argv = [sys.executable, str(script), kind, str(file), *arguments]
        with self.start(argv, core=core, env={"PYTHONPATH": str(ROOT)}) as server:
            yield server

    @contextmanager
    def start(
        self,
        argv: Sequence[str],
        *,
        core: int = SERVER_CORE,
        env: Mapping[str, str] | None = None,
        port: int = 0,
        path: str = PATH,
    ) -> Iterator[Server]:
        """Run a server until the block ends.

        It listens at `port`, or tells its port in the first line that it prints.
        """
        with (
            (self.folder / "stderr").open("ab") as stderr,
            _on(core),
        ):
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stderr if port else subprocess.PIPE,
                stderr=stderr,
                cwd=self.folder,
                # No proxies, no settings of promptdeck, nobody's home.
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder)} | dict(env or {}),
            )
        try:
            if port:
                self._await(process, port)
            yield Server(port or self._port(process), process.pid, path)
        finally:
            _end(process)

    def _port(self, process: subprocess.Popen[bytes]) -> int:
        assert process.stdout
        ready, _, _ = select.select([process.stdout], [], [], _PATIENCE)
        line = process.stdout.readline() if ready else b""
        if match := _PORT.search(line):
            return int(match[1])
        raise self._failure(process, line)

    def _await(self, process: subprocess.Popen[bytes], port: int) -> None:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.005)
        raise self._failure(process, b"")

    def _failure(self, process: subprocess.Popen[bytes], line: bytes) -> RuntimeError:
        errors = (self.folder / "stderr").read_text(errors="replace")[-2000:]
        return RuntimeError(f"{process.args} did not start: {line!r}\n{errors}")


@contextmanager
def _on(core: int) -> Iterator[None]:
    """A process begins on the core of the one that starts it."""
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, {LOAD_CORE})


@contextmanager
def worker(
    script: str, *arguments: object, folder: Path, python: str = sys.executable
) -> Iterator[Callable[..., Any]]:
    """A script of this folder that answers each line with one of JSON: a function to ask it."""
    process = subprocess.Popen(
        [python, str(Path(__file__).with_name(script)), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)},
    )
    assert process.stdin
    assert process.stdout
    commands, answers = process.stdin, process.stdout

    def ask(*words: object) -> Any:
        commands.write(" ".join(map(str, words)).encode() + b"\n")
        commands.flush()
        line = answers.readline()
        if not line:
            raise RuntimeError(f"{script} ended; its errors are above")
        return orjson.loads(line)

    try:
        yield ask
    finally:
        commands.close()
        process.wait()
        answers.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
