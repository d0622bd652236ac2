"""README: its tables are the code's, and every command in it is run and says what it shows."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from promptdeck.config.render import settings_table
from promptdeck.core.contract.request import fields_table
from promptdeck.core.dialects.chat.counting import matching_table
from promptdeck.core.dialects.table import calls_table
from promptdeck.core.misses.explain import Reason
from promptdeck.core.policy import modes_table
from tests import ROOT
from tests.command import environment

README = ROOT / "README.md"
TABLES = {
    "modes": modes_table,
    "matching": matching_table,
    "calls": calls_table,
    "settings": settings_table,
    "fields": fields_table,
}


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_the_codes_own(name: str) -> None:
    """`REGENERATE=1 pytest tests/test_readme.py` writes it anew."""
    table = TABLES[name]().rstrip("\n") + "\n"
    text = README.read_text()
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    made = re.sub(pattern, lambda match: match[1] + table + match[2], text, flags=re.DOTALL)
    if os.environ.get("REGENERATE"):
        README.write_text(made)
    assert made == README.read_text()
    assert table in made


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command of the console blocks with the lines shown below it."""
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip("\n").split("\n")
            yield command, shown


def expected(shown: list[str]) -> "re.Pattern[str]":
    """Lines as shown; `...` stands for any text, on a line of its own for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?"
        if line == "..."
        else re.escape(line).replace(r"\.\.\.", ".*").replace("\\\t", r"\s+") + "\n"
        for line in shown
    )
    return re.compile(pattern)


@contextmanager
def serving(command: str, cwd: Path, env: dict[str, str], shown: list[str]) -> Iterator[None]:
    process = subprocess.Popen(
        command.split(), cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout
        out = "".join(process.stdout.readline().decode() for _ in range(3))
        check(command, out, shown)
        yield
    finally:
        process.terminate()
        process.communicate()


def output(command: str, cwd: Path, env: dict[str, str]) -> str:
    ran = subprocess.run(
        command, shell=True, cwd=cwd, env=env, capture_output=True, text=True, timeout=60
    )
    out = ran.stdout + ran.stderr
    return out if out.endswith("\n") or not out else out + "\n"


def check(command: str, out: str, shown: list[str]) -> None:
    if shown:
        assert expected(shown).fullmatch(out), f"{command} printed\n{out}"


@pytest.mark.long
def test_every_console_command_does_what_is_shown(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "cassettes", tmp_path / "cassettes")
    for block in blocks("python"):
        (tmp_path / block.split()[1]).write_text(block)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = environment(tmp_path, PATH=path, PROMPTDECK_SERVER_PORT=port, HOME=str(tmp_path))
    env["XDG_CACHE_HOME"] = ""
    # It would print a warning of its own in a folder without settings for it.
    env["PYTEST_ADDOPTS"] = "-p no:asyncio"
    with ExitStack() as server:
        for command, shown in commands():
            command = command.replace("4141", port)
            shown = [line.replace("4141", port).replace("~", str(tmp_path)) for line in shown]
            if command.startswith("promptdeck serve"):
                server.close()
                server.enter_context(serving(command, tmp_path, env, shown))
            else:
                check(command, output(command, tmp_path, env), shown)


def test_every_reason_of_a_miss_is_named() -> None:
    assert all(f"`{reason}`" in README.read_text() for reason in Reason)


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    documents = README.read_text() + (ROOT / "cassettes" / "README.md").read_text()
    for targets in re.findall(
        r"^make ([a-z ]+?)(?: +#.*)?$|`make ([a-z ]+)`", documents, re.MULTILINE
    ):
        for target in " ".join(targets).split():
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def contributing() -> str:
    return README.read_text().partition("\n## Contributing\n")[2].partition("\nMIT licence")[0]


def test_every_place_that_a_newcomer_is_sent_to_is_there() -> None:
    section = contributing()
    places = re.findall(r"`([a-z_/]+(?:\.py|/))`", section)
    assert len(places) > 10
    assert [
        place
        for place in (*places, *re.findall(r"\]\(([^)]+)\)", section))
        if not any((folder / place).exists() for folder in (ROOT, ROOT / "proxy" / "promptdeck"))
    ] == []
    assert section.count("\n") <= 30


def test_what_a_newcomer_is_told_to_test_can_be_collected() -> None:
    told = re.findall(r"^.*\.venv/bin/pytest (.*?)(?: +#|$)", contributing(), re.MULTILINE)
    assert told
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-qq", *" ".join(told).split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_demo_shows_a_stream_a_conversion_and_a_miss() -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "cassettes" / "demo.py"],
        env=environment(Path("/nonexistent")),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    statuses = re.findall(r"Cache-Status: (.*)", ran.stdout)
    assert ["hit" in statuses[0], "converted-from=sse" in statuses[1]] == [True, True]
    assert 'detail="not_recorded"' in statuses[2]
    assert "(blue -> red)" in ran.stdout
    assert len(re.findall(r"took \d+ ms", ran.stdout)) == 3
    assert "promptdeck run --mode record --cassette mine" in ran.stdout.partition("next:")[2]


def test_the_shipped_cassettes_are_sound_and_name_no_secret() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "promptdeck", "cassette", "verify", "--cassettes", "cassettes"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout == "4 cassettes: all sound\n"
