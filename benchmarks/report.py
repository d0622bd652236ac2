"""What is shown of the cases, and of the machine they were measured on."""

import os
import platform
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from measure import Case, Figure, Summary, Target
from workbench import Bench

_SIDE, _AGAINST, _SPREAD = 36, 10, 21


def machine(bench: Bench) -> dict[str, Any]:
    """What the figures depend on; no names of hosts or paths."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count() or 1,
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        **{name: version(name) for name in ("promptdeck", "aiohttp", "aiosqlite", "orjson")},
        "sqlite": sqlite3.sqlite_version,
        "extras": {name: _packages(path) for name, path in bench.extras.items()},
        "peers": [peer.in_words() for peer in bench.peers],
        "load_average": round(os.getloadavg()[0], 1),
    }


def _packages(folder: Path) -> list[str]:
    return [f"{one.name} {one.version}" for one in distributions(path=[str(folder)])]


def described(machine: Mapping[str, Any]) -> Iterator[str]:
    """The machine and the versions, in a few lines."""
    of = machine
    yield f"{of['date']}: {of['cpu']}, {of['cores']} cores, Linux {of['kernel']}"
    names = ("promptdeck", "python", "aiohttp", "aiosqlite", "orjson", "sqlite")
    yield ", ".join(f"{name} {of[name]}" for name in names)
    for name, packages in of["extras"].items():
        yield f"{name}: {', '.join(packages)}"
    yield from of["peers"]


def ended(machine: Mapping[str, Any]) -> str:
    """How long a run took and how busy the machine was with others, in a line."""
    others, seconds = machine["others"], machine["seconds"]
    return f"other processes used {others:.0%} of the machine; the run took {seconds:.0f} s"


def table(case: Case) -> Iterator[str]:
    """The lines of a case's table, with its notes and targets below."""
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
    for note in case.notes:
        yield f"  ({note})"
    for target in case.targets:
        yield from _judged(case, target)


def _judged(case: Case, target: Target) -> Iterator[str]:
    if (value := case.value(target)) is not None:
        verdict = "met" if target.met(value) else "NOT MET"
        yield f"  #{target.row:<3}{_asked(target):<86}{value:>10,.2f}  {target.bound:<9}{verdict}"


def _asked(target: Target) -> str:
    over = f": {target.top} / {target.bottom}" if target.bottom else ""
    return f"{target.what}{over}"


def verdicts(cases: Sequence[Case], left_out: Mapping[str, str]) -> Iterator[str]:
    """Every target that was measured, by row; then who was left out, and why."""
    yield "targets"
    judged = [(target, case) for case in cases for target in case.targets]
    for target, case in sorted(judged, key=lambda pair: pair[0].row):
        yield from _judged(case, target)
    for name, why in left_out.items():
        yield f"  {name} was left out: {why}"


def _heads(case: Case) -> Iterator[str]:
    for figure in case.figures:
        yield f"{figure.name:>{_width(figure)}}"
        if figure.against and len(case.sides) > 1:
            yield f"{figure.against:>{_AGAINST}}"
        if figure.spread:
            yield f"{'least-most':>{_SPREAD}}"


def _width(figure: Figure) -> int:
    return max(len(figure.name), 9) + 2


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
    targets = [
        {**target._asdict(), "value": value, "met": target.met(value)}
        for target in case.targets
        if (value := case.value(target)) is not None
    ]
    return {"name": case.name, "sides": sides, "targets": targets, "notes": case.notes}
