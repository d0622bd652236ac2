"""`match show`: every preset, and all that each of them renames and leaves out."""

from pathlib import Path

import orjson
import pytest

from promptdeck.core.matching.presets import PRESETS
from tests.command import promptdeck


async def test_show_lists_the_presets(tmp_path: Path) -> None:
    ran = await promptdeck(tmp_path, "match", "show", "--json")
    assert ran.code == 0
    assert [row["preset"] for row in orjson.loads(ran.out)] == list(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
async def test_show_tells_all_that_a_preset_and_those_in_it_hold(tmp_path: Path, name: str) -> None:
    ran = await promptdeck(tmp_path, "match", "show", name, "--json")
    rows = orjson.loads(ran.out)
    for part in (name, *PRESETS[name].includes):
        preset = PRESETS[part]
        mine = [row for row in rows if row["preset"] == part]
        paths = sum(len(identity.written) for identity in preset.identities)
        lists = (preset.left, preset.spots, preset.tokens, preset.told)
        entries = paths + sum(map(len, lists))
        assert len(mine) == entries
        assert all(row["becomes"] and row["where"] and row["what"] for row in mine)


async def test_a_preset_that_there_is_not_is_told_with_those_there_are(tmp_path: Path) -> None:
    ran = await promptdeck(tmp_path, "match", "show", "cursor")
    assert ran.code == 2
    assert "'claude-code'" in ran.err
