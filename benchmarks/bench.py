"""What promptdeck costs, against the least that aiohttp costs and against its peers.

    python benchmarks/bench.py [--peers] [--quick] [--only CASE] [--json FILE] [--write]

Takes about two minutes, a quarter of an hour with --peers, needs Linux, and
leaves nothing behind. README.md beside this file says what is measured.
"""

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import dialects
import disk
import hits
import inprocess
import memory
import millions
import misses
import orjson
import page
import peers
import report
import slow
import starts
import writes
from measure import FULL, QUICK, Case
from process import Workshop
from workbench import Bench

CASES: dict[str, Callable[[Bench], Iterator[Case]]] = {
    "hits": hits.cases,
    "misses": misses.cases,
    "slow": slow.cases,
    "starts": starts.cases,
    "dialects": dialects.cases,
}
WITH_PEERS = {
    "memory": memory.cases,
    "inprocess": inprocess.cases,
    "millions": millions.cases,
    "writes": writes.cases,
    "disk": disk.cases,
}
"""Those that take longer, or that only make sense beside others."""


def main() -> None:
    """Measure the cases that are asked for, and print each as soon as it is done."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    # Some cases hold a thousand connections open.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))
    if options.json:
        options.json.touch()
    began, others = time.monotonic(), Others()
    with tempfile.TemporaryDirectory(prefix="promptdeck-bench-") as folder:
        bench = _bench(options, Workshop(Path(folder)))
        machine = report.machine(bench)
        print("\n".join(report.described(machine)), flush=True)
        results = []
        with closing(_measured(bench, options)) as measured:
            for case in measured:
                print("\n".join(report.table(case)), flush=True)
                results.append(case)
    machine["seconds"] = time.monotonic() - began
    machine["others"] = others.share()
    print("\n".join(("", *report.verdicts(results, bench.left_out))))
    print(f"\n{report.ended(machine)}")
    if options.json:
        found = {"machine": machine, "cases": [report.as_json(case) for case in results]}
        options.json.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    if options.write:
        page.write(results, machine, bench)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", action="store_true", help="against what installs.py installed")
    parser.add_argument("--quick", action="store_true", help="a look whether it works")
    parser.add_argument(
        "--only", action="append", choices=[*CASES, *WITH_PEERS], metavar="CASE",
        help=f"one of {', '.join([*CASES, *WITH_PEERS])}; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--entries", type=int, metavar="N", help="interactions in the large store (a million)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rounds there too")
    parser.add_argument("--write", action="store_true", help="put the results into README.md")
    return parser.parse_args()


def _bench(options: argparse.Namespace, workshop: Workshop) -> Bench:
    """What the options say of how much is measured, and beside whom."""
    (workshop.folder / "cassettes").mkdir()
    size = QUICK if options.quick else FULL
    if options.entries:
        size = replace(size, entries=(size.entries[0], options.entries))
    there, missing = peers.available() if options.peers else ([], {})
    return Bench(workshop, size, there, missing)


def _measured(bench: Bench, options: argparse.Namespace) -> Generator[Case]:
    """The cases that the options name, or else all there are for this kind of run."""
    every = CASES | WITH_PEERS
    names = options.only or (every if options.peers else CASES)
    for name in names:
        yield from every[name](bench)


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
