"""What is shown of the cases, and of the machine they were measured on."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from measure import Case, Figure, Summary

_SIDE, _AGAINST, _SPREAD = 34, 8, 17


def machine() -> dict[str, Any]:
    """What the figures depend on; no names of hosts or paths."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "aiohttp": version("aiohttp"),
        "promptdeck on": "uvloop" if find_spec("uvloop") else "asyncio",
        "load_average": os.getloadavg()[0],
    }


def table(case: Case) -> Iterator[str]:
    yield ""
    yield case.name
    yield " " * _SIDE + "".join(_heads(case))
    for side in case.sides:
        cells = (
            cell
            for column, figure in enumerate(case.figures)
            for cell in _cells(figure, case.summary(side, column), len(case.sides) > 1)
        )
        yield f"  {side:<{_SIDE - 2}}" + "".join(cells)


def _heads(case: Case) -> Iterator[str]:
    for figure in case.figures:
        yield f"{figure.name:>{_width(figure)}}"
        if figure.against and len(case.sides) > 1:
            yield f"{figure.against:>{_AGAINST}}"
        if figure.spread:
            yield f"{'least-most':>{_SPREAD}}"


def _width(figure: Figure) -> int:
    return max(len(figure.name), 6) + 3


def _cells(figure: Figure, found: Summary, compared: bool) -> Iterator[str]:
    def number(value: float) -> str:
        return f"{value:,.{figure.digits}f}"

    yield f"{number(found.value):>{_width(figure)}}"
    if figure.against and compared:
        form = ".2f" if figure.against == "x" else "+,.0f"
        against = "" if found.against is None else format(found.against, form)
        yield f"{against:>{_AGAINST}}"
    if figure.spread:
        yield f"{number(found.least) + '-' + number(found.most):>{_SPREAD}}"


def as_json(case: Case) -> dict[str, Any]:
    """Medians with their spread, and every round."""
    sides = {
        side: {
            figure.name: {
                **case.summary(side, column)._asdict(),
                "rounds": [row[column] for row in rows],
            }
            for column, figure in enumerate(case.figures)
        }
        for side, rows in case.sides.items()
    }
    return {"name": case.name, "sides": sides}
