"""What a run had no use for, by its report: a deck's, a session's, or pytest's.

A report is a JSON object with the `cassette` that it is of (a name, or a file's path), the ids
`unplayed`, and what was `played` and `recorded`.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import orjson

from promptdeck.errors import UsageError

# A file that is read, or - for standard input.
path_type = click.Path(path_type=Path, allow_dash=True, dir_okay=False)


def load(path: Path) -> Any:
    """A report's JSON, or the list of those on its lines; `-` reads standard input. UsageError."""
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        with suppress(orjson.JSONDecodeError):
            if lines := [orjson.loads(line) for line in data.splitlines() if line.strip()]:
                return lines
        raise UsageError(f"{path} is no JSON: {error}") from None


def unused(report: Any, name: str, path: Path) -> set[str]:
    """The ids of a cassette that its reports agree on as neither played nor recorded.

    `report` is what `load` gives: a report, a list of ids, or anything that holds reports.
    `name` and `path` are the cassette's. UsageError if it is of other cassettes, or no report.
    """
    if _is_ids(report):
        return set(report)
    found = list(_reports(report))
    ours = [item for item in found if _is_of(item, name, path)]
    if not ours:
        others = ", ".join(sorted({str(item.get("cassette")) for item in found}))
        raise UsageError(
            f"the report is of {others}, not of {name}"
            if others
            else "this is no report: it names nothing `unplayed`, and it is no list of ids"
        )
    # A test that failed may have stopped before it came to them.
    passed = [item for item in ours if item.get("outcome") in (None, "passed")]
    return set.intersection(*map(_unused_in, passed)) if passed else set()


def mentions(report: Any, name: str, path: Path) -> bool:
    """True if `report` says anything of this cassette."""
    return _is_ids(report) or any(_is_of(item, name, path) for item in _reports(report))


def _is_ids(report: Any) -> bool:
    """True if this is no report but a plain list of ids, of whichever cassette."""
    return isinstance(report, list) and all(isinstance(item, str) for item in report)


def _reports(value: Any) -> Iterator[Mapping[str, Any]]:
    """Everything in a JSON value that is a report, however a run wraps it."""
    if isinstance(value, dict) and isinstance(value.get("unplayed"), list):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _reports(item)


def _is_of(report: Mapping[str, Any], name: str, path: Path) -> bool:
    """True if a report is of the cassette `name`, whose file is `path`.

    pytest's has the path, which may have been another one where the tests ran.
    """
    told = report.get("cassette")
    if told in (name, "", None):
        return True
    file = Path(str(told)).as_posix()
    return file.endswith(f"/{name}{path.suffix}") or Path(file).absolute() == path.absolute()


def _unused_in(report: Mapping[str, Any]) -> set[str]:
    """The ids that one report has as unplayed and not as recorded."""
    # What the run itself recorded was asked for, though never played. pytest's has its number.
    recorded = report.get("recorded")
    used = {*(report.get("played") or ()), *(recorded if isinstance(recorded, list) else ())}
    return {str(name) for name in report["unplayed"]} - used
