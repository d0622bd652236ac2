"""A tree in the layouts of twenty tools is imported, and each exchange replayed byte for byte."""

import asyncio
from collections import defaultdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from promptdeck.cli import cli
from tests.conftest import Start
from tests.foreign_tree import BLOTTED, LAYOUTS, Exchange, exchanges, files


def imported(folder: Path, layout: str) -> dict[str, list[Exchange]]:
    """What each cassette holds, by its name, once a layout's files are imported."""
    held: dict[str, list[Exchange]] = defaultdict(list)
    for name, (data, found) in files(layout, exchanges()).items():
        path = folder / "old" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        held[path.relative_to(folder / "old").as_posix().partition(".")[0]] += found
    argv = [str(folder / "old"), "--cassettes", str(folder / "cassettes")]
    ran = CliRunner().invoke(cli, ["cassette", "import", *argv], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    assert ran.output.startswith(f"{sum(map(len, held.values()))} recordings from"), ran.output
    return held


def _types(one: Exchange, layout: str) -> tuple[str, ...]:
    """The types that an answer may have: of one that was blotted out, its body tells the kind."""
    if layout not in BLOTTED:
        return (one.kind,)
    return (one.kind.partition(";")[0], *(["application/x-ndjson"] if "+json" in one.kind else []))


@pytest.mark.parametrize("layout", [*LAYOUTS, "ddapm"])
async def test_all_that_a_tool_kept_comes_back_to_its_client(start: Start, layout: str) -> None:
    held = await asyncio.to_thread(imported, start.folder, layout)
    deck = await start(mode="replay")
    wrong = []
    for name, found in held.items():
        for one in found:
            kind = {"Content_Type": one.sent} if one.body else {}
            at = f"/cassette/{name}{one.at}"
            got = await deck.request(one.method, at, one.body or None, **kind)
            if (got.status, got.body) != (one.status, one.answer):
                wrong.append((one.url, got.status, got.body[:200]))
            elif one.answer and got.headers.get("Content-Type") not in _types(one, layout):
                wrong.append((one.url, got.headers.get("Content-Type", ""), one.kind))
    assert not wrong
    assert not deck.upstream.seen
