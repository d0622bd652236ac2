"""What promptdeck costs, against the least that aiohttp costs on the same machine.

    python benchmarks/bench.py [--quick] [--json FILE]

Takes about two minutes (--quick: 20 seconds, for a look whether it works), needs
Linux, and leaves nothing behind. README.md beside this file says what is measured.
"""

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path

import orjson
import report
import starts
from hits import Hits
from measure import FULL, QUICK, Case, Size
from misses import Misses
from process import Workshop
from recordings import record_seeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="20 seconds; figures mean little")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rounds there too")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    if options.json:
        options.json.touch()
    machine = report.machine()
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    others = Others()
    results = []
    with closing(cases(QUICK if options.quick else FULL)) as measured:
        for case in measured:
            print("\n".join(report.table(case)), flush=True)
            results.append(report.as_json(case))
    share = others.share()
    print(f"\nother processes used {share:.0%} of the machine meanwhile")
    if options.json:
        machine["others"] = share
        options.json.write_bytes(orjson.dumps({"machine": machine, "cases": results}))


def cases(size: Size) -> Generator[Case]:
    with tempfile.TemporaryDirectory(prefix="promptdeck-bench-") as name:
        workshop = Workshop(Path(name))
        seeds = record_seeds(workshop)
        with ExitStack() as stack:
            yield from Hits(workshop, seeds, size, stack).cases()
        with ExitStack() as stack:
            yield from Misses(workshop, size, stack).cases()
        yield starts.case(workshop, seeds, size)


class Others:
    """How busy the machine was with anything else since this was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._busy, self._own = _busy(), _own()

    def share(self) -> float:
        """Of all cores; our processes must have ended."""
        others = _busy() - self._busy - (_own() - self._own)
        return max(0.0, others / (time.monotonic() - self._start) / (os.cpu_count() or 1))


def _busy() -> float:
    """Seconds of CPU that all processes have used, and that a hypervisor has kept."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().split()[1:11]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
