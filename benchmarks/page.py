"""The results in README.md, between two markers, and the plot beside it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import plot
import report
from measure import Case
from workbench import Bench

_FOLDER = Path(__file__).parent
_BEGIN, _END = "<!-- results -->", "<!-- end of results -->"


def write(cases: Sequence[Case], machine: Mapping[str, Any], bench: Bench) -> None:
    """Put a run in the place of the one before."""
    readme = _FOLDER / "README.md"
    before, _, rest = readme.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    block = "\n".join(_block(cases, machine, bench))
    readme.write_text(f"{before}{_BEGIN}\n{block}\n{_END}{after}")
    plot.save(cases, _FOLDER / "peers.svg")


def _block(cases: Sequence[Case], machine: Mapping[str, Any], bench: Bench) -> Iterator[str]:
    yield ""
    yield "![CPU time per answer, promptdeck beside its peers](peers.svg)"
    yield ""
    yield "```"
    yield from report.described(machine)
    yield report.ended(machine)
    yield ""
    yield from report.verdicts(cases, bench.left_out)
    for case in cases:
        yield from report.table(case)
    yield "```"
