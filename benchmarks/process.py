"""Servers as processes: started on a core of their own, watched from outside, ended for certain."""

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "linux":
    sys.exit("the benchmarks need Linux: they pin processes to cores and read their CPU clocks")

_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = _CORES[0]
LOAD_CORE = _CORES[-1]

_PORT = re.compile(rb":(\d+)")
_PATIENCE = 120
"""Seconds that a server may take to say where it listens."""


@dataclass(frozen=True)
class Server:
    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of CPU that all its threads have used so far."""
        # Linux numbers the CPU clocks of other processes so: clock_getcpuclockid(3).
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory(self) -> float:
        """Resident MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


@dataclass(frozen=True)
class Workshop:
    """The temporary folder in which everything runs."""

    folder: Path

    @contextmanager
    def promptdeck(self, mode: str, *flags: str, log_level: str = "warning") -> Iterator[Server]:
        program = Path(sys.executable).with_name("promptdeck")
        argv = [str(program), "serve", "--mode", mode, "--port", "0", "--log-level", log_level]
        with self.start([*argv, *flags]) as server:
            yield server

    @contextmanager
    def other(self, kind: str, body: bytes = b"", *, core: int = SERVER_CORE) -> Iterator[Server]:
        """One of servers.py."""
        script = Path(__file__).with_name("servers.py")
        file = self.folder / f"{kind}.body"
        file.write_bytes(body)
        with self.start([sys.executable, str(script), kind, str(file)], core=core) as server:
            yield server

    @contextmanager
    def start(self, argv: Sequence[str], *, core: int = SERVER_CORE) -> Iterator[Server]:
        """Run a server until the block ends. It tells its port in the first line that it prints."""
        # A process begins on the core of the one that starts it.
        os.sched_setaffinity(0, {core})
        with (self.folder / "stderr").open("ab") as stderr:
            process = subprocess.Popen(
                argv,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=self.folder,
                env=self._environment(),
            )
        os.sched_setaffinity(0, {LOAD_CORE})
        try:
            yield Server(self._port(process), process.pid)
        finally:
            _end(process)

    def _environment(self) -> dict[str, str]:
        """No proxies, no settings of promptdeck, nobody's home."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)}

    def _port(self, process: subprocess.Popen[bytes]) -> int:
        assert process.stdout
        ready, _, _ = select.select([process.stdout], [], [], _PATIENCE)
        line = process.stdout.readline() if ready else b""
        if match := _PORT.search(line):
            return int(match[1])
        errors = (self.folder / "stderr").read_text()[-2000:]
        raise RuntimeError(f"{process.args} did not start: {line!r}\n{errors}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
