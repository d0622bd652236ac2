"""render: `config show`, config.example.yaml and README's table say what the declarations say."""

import os
import re

import pytest

from promptdeck.config import SETTINGS, Config, Setting
from promptdeck.config.render import example, settings_table, show
from tests import ROOT
from tests.config.test_config import every_setting, read

EXAMPLE = ROOT / "config.example.yaml"


def test_show_says_only_that_a_secret_is_set() -> None:
    loaded = read(PROMPTDECK_UPSTREAM_API_KEY="sk-hush")
    row = next(row for row in show(loaded) if row.path == "upstream.api_key")
    assert row == ("upstream.api_key", "(set, not shown)", "PROMPTDECK_UPSTREAM_API_KEY")
    assert "hush" not in repr(loaded.config)


def test_show_has_a_row_for_every_setting() -> None:
    rows = show(read("store: {ttl: 90m}", flags={"pace": "0.5x"}))
    assert [row.path for row in rows] == list(SETTINGS)
    assert ("store.ttl", "90m", "promptdeck.yaml:1") in rows
    assert ("replay.pace", "0.5x", "--pace") in rows
    assert ("upstream.api_key", "none", "default") in rows


def test_the_example_file_is_the_one_made_from_the_declarations() -> None:
    if os.environ.get("REGENERATE") == "1":
        EXAMPLE.write_text(example())
    assert EXAMPLE.read_bytes() == example().encode(), (
        "out of date; rewrite it with: REGENERATE=1 pytest tests/config/test_render.py"
    )


def test_the_example_changes_nothing_as_it_stands() -> None:
    loaded = read(example())
    assert loaded.config == Config()
    assert set(loaded.sources.values()) == {"default"}


@pytest.mark.parametrize("cache", ["", "/elsewhere"])
def test_the_example_says_the_defaults_with_every_setting_uncommented(cache: str) -> None:
    uncommented = re.sub(r"(?m)^( *)# (?=[a-z_]+: )", r"\1", example())
    loaded = read(uncommented, XDG_CACHE_HOME=cache)
    assert loaded.config == read(XDG_CACHE_HOME=cache).config
    assert all(source.startswith("promptdeck.yaml:") for source in loaded.sources.values())


@every_setting
def test_the_table_has_a_row_for_every_setting(setting: Setting) -> None:
    (row,) = (line for line in settings_table().splitlines() if f"| `{setting.path}` |" in line)
    assert f"| `{setting.default}` | `{setting.variable}` | " in row
    assert row.count("|") == 6
    assert setting.flag in row
