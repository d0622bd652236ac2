"""The command line as a whole: help, versions, completion, errors."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from promptdeck import __version__
from promptdeck.cli import cli
from tests.command import promptdeck


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize("path", commands(cli), ids=" ".join)
def test_every_command_has_help_with_examples(path: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(cli, [*path, "--help"], prog_name="promptdeck")
    assert ran.exit_code == 0
    assert "Examples:\n" in ran.output
    # No sentence is cut off in a list of commands, and each option has one.
    assert not re.search(r"\.\.\.$", ran.output.partition("\nCommands:\n")[2], re.MULTILINE)
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name) or command
    told = [one.help or "" for one in command.params if isinstance(one, click.Option)]
    assert not [text for text in told if not text.endswith((".", "]"))]
    assert f"promptdeck {' '.join(path)}" in ran.output


async def test_the_version_is_printed(tmp_path: Path) -> None:
    ran = await promptdeck(tmp_path, "--version")
    assert ran.out == f"promptdeck, version {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_completion_scripts_call_back_into_promptdeck(tmp_path: Path, shell: str) -> None:
    ran = await promptdeck(tmp_path, "completion", shell)
    assert ran.code == 0
    assert f"_PROMPTDECK_COMPLETE={shell}_complete" in ran.out


@pytest.mark.parametrize("path", [(), *commands(cli)], ids=" ".join)
def test_every_command_has_the_short_flag_for_help(path: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(cli, [*path, "-h"], prog_name="promptdeck")
    assert ran.exit_code == 0
    assert ran.output == CliRunner().invoke(cli, [*path, "--help"], prog_name="promptdeck").output


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("serv",), "did you mean serve?"),
        (("cassette", "shw"), "did you mean show?"),
        (
            ("xyz",),
            "there are serve, run, cassette, mcp, upstreams, store, doctor, explain, match,",
        ),
    ],
)
def test_an_unknown_command_is_wrong_usage_with_what_may_be_meant(
    words: tuple[str, ...], hint: str
) -> None:
    ran = CliRunner().invoke(cli, words, prog_name="promptdeck")
    assert ran.exit_code == 2
    assert f"No such command '{words[-1]}'; {hint}" in ran.stderr


async def test_config_check_says_every_problem(tmp_path: Path) -> None:
    (tmp_path / "promptdeck.yaml").write_text("mode: recrod\nserver:\n  prot: 1\n")
    ran = await promptdeck(tmp_path, "config", "check")
    assert ran.code == 3
    assert [line.split(": ")[1] for line in ran.err.splitlines()] == [
        "promptdeck.yaml:1",
        "promptdeck.yaml:3",
    ]


async def test_config_check_is_content_with_no_file(tmp_path: Path) -> None:
    ran = await promptdeck(tmp_path, "config", "check")
    assert (ran.code, ran.out) == (0, "the configuration is sound\n")


async def test_config_show_masks_secrets_and_names_sources(tmp_path: Path) -> None:
    ran = await promptdeck(
        tmp_path, "config", "show", "--port", "5000", PROMPTDECK_UPSTREAM_API_KEY="hush"
    )
    rows = [line.split("\t") for line in ran.out.splitlines()]
    assert ["server.port", "5000", "--port"] in rows
    assert ["upstream.api_key", "(set, not shown)", "PROMPTDECK_UPSTREAM_API_KEY"] in rows
    assert "hush" not in ran.out


async def test_config_show_reads_what_it_writes_as_json(tmp_path: Path) -> None:
    import orjson

    ran = await promptdeck(tmp_path, "config", "show", "--json", "--pace", "2x")
    rows = {row["setting"]: row for row in orjson.loads(ran.out)}
    assert rows["replay.pace"] == {"setting": "replay.pace", "value": "2x", "from": "--pace"}
