"""`promptdeck run`: the command's environment, its signals, and the exit code."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from promptdeck.cli.variables import variables
from promptdeck.core.headers import PLACEHOLDER_KEY
from promptdeck.errors import UsageError
from tests.command import COMMAND, environment, promptdeck
from tests.scripted_upstream import Upstream

APP = """
import openai, sys
answer = openai.OpenAI().chat.completions.create(
    model="m", messages=[{"role": "user", "content": sys.argv[1]}]
)
print(answer.choices[0].message.content)
"""
GET = "import os, urllib.request as r; r.urlopen(os.environ['OPENAI_BASE_URL'] + '{}')".format


@pytest.fixture
def app(tmp_path: Path) -> list[str]:
    (tmp_path / "app.py").write_text(APP)
    return [sys.executable, "app.py"]


@pytest.mark.long
async def test_record_then_replay_with_the_network_down(
    provider: Upstream, tmp_path: Path, app: list[str]
) -> None:
    prompt = "Name three rivers in Europe"
    recorded = await promptdeck(
        tmp_path,
        *("run", "--mode", "record", "--cassette", "c", "--upstream", provider.url),
        *("--", *app, prompt),
    )
    assert (recorded.code, recorded.out) == (0, "answer 1\n")
    assert recorded.err == "promptdeck: 0 hits, 0 misses, 1 recorded, 1 upstream call\n"
    replay = ("run", "--mode", "replay", "--cassette", "c", "--upstream", "http://127.0.0.1:9/v1")
    replayed = await promptdeck(tmp_path, *replay, "--", *app, prompt)
    assert (replayed.code, replayed.out) == (0, "answer 1\n")
    assert replayed.err == "promptdeck: 1 hit, 0 misses, 0 recorded, 0 upstream calls\n"
    changed = await promptdeck(tmp_path, *replay, "--", *app, prompt.replace("rivers", "lakes"))
    assert changed.code == 1
    assert "rivers -> lakes" in changed.err
    assert "0 hits, 1 miss, 0 recorded, 0 upstream calls" in changed.err


async def test_a_miss_that_the_program_swallows_still_fails_the_run(tmp_path: Path) -> None:
    script = f"try: {GET('/models/x')}\nexcept OSError: 0"
    (tmp_path / "cassettes").mkdir()
    ran = await promptdeck(tmp_path, "run", "--mode", "replay", "--", sys.executable, "-c", script)
    assert ran.code == 6


async def test_leftovers_fail_the_run_where_it_is_asked_to(
    provider: Upstream, tmp_path: Path
) -> None:
    await promptdeck(
        tmp_path,
        *("run", "--mode", "record", "--cassette", "c", "--upstream", provider.url),
        *("--", sys.executable, "-c", GET("/models")),
    )
    replay = ("run", "--mode", "replay", "--cassette", "c")
    ran = await promptdeck(tmp_path, *replay, "--fail-on", "miss", "--", "true")
    assert ran.code == 0
    ran = await promptdeck(tmp_path, *replay, "--fail-on", "miss,unused", "--", "true")
    assert ran.code == 6
    assert "promptdeck: not used: " in ran.err
    assert (await promptdeck(tmp_path, *replay, "--fail-on", "x", "--", "true")).code == 2


ROUND = (
    "import urllib.request as r\ntry: r.urlopen('https://api.openai.example/v1')\nexcept OSError: 0"
)


@pytest.mark.parametrize("script", [ROUND, ROUND.replace("except OSError: 0", "finally: 0")])
async def test_a_command_that_asks_its_provider_is_kept_from_it_and_told_of(
    tmp_path: Path, script: str
) -> None:
    (tmp_path / "cassettes").mkdir()
    replay = ("run", "--mode", "replay", "--block-network", "--", sys.executable, "-c", script)
    ran = await promptdeck(tmp_path, *replay)
    if "cannot block" in ran.err:
        pytest.skip(ran.err)
    assert ran.code == 9
    assert "the command was kept from api.openai.example: have its client use" in ran.err
    assert "--allow-host api.openai.example" in ran.err


async def test_a_command_that_asks_nothing_is_told_of_and_fails_where_it_matters(
    tmp_path: Path,
) -> None:
    (tmp_path / "cassettes").mkdir()
    said = "the command asked nothing of promptdeck"
    for mode, code in (("replay", 9), ("record", 9), ("cache", 0), ("passthrough", 0)):
        ran = await promptdeck(tmp_path, "run", "--mode", mode, "--", "true")
        assert (ran.code, said in ran.err) == (code, True), mode
    ran = await promptdeck(tmp_path, "run", "--mode", "replay", "--fail-on", "miss", "--", "true")
    assert (ran.code, said in ran.err) == (0, True)
    ran = await promptdeck(tmp_path, "run", "--mode", "replay", "--", "false")
    assert (ran.code, said in ran.err) == (1, False)


async def test_a_host_that_cannot_be_one_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "cassettes").mkdir()
    ran = await promptdeck(tmp_path, "run", "--mode", "replay", "--allow-host", "", "--", "true")
    assert ran.code == UsageError.exit_code
    assert ran.err.endswith("--allow-host: a host that is allowed has a name or an address\n")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("python", "app.py", "--mode", "replay"), "--mode replay -- python"),
        (("python", "app.py", "--cassette=trip"), "--cassette trip -- python"),
        (("npm", "test", "--", "--fail-on", "miss"), "--fail-on miss -- npm"),
        (("app", "--mode", "fast"), ""),
        (("app", "--port", "80"), ""),
        (("promptdeck", "serve", "--mode", "replay"), ""),
        (("python", "-m", "promptdeck", "serve", "--mode", "replay"), ""),
    ],
)
async def test_a_flag_of_ours_behind_the_command_is_told(
    tmp_path: Path, argv: tuple[str, ...], told: str
) -> None:
    dashes = ("--",) if len(argv) % 2 else ()
    ran = await promptdeck(tmp_path, "run", "--port", "0", *dashes, "true", *argv[1:])
    if "promptdeck" not in argv:
        told = told.replace(f"-- {argv[0]}", "-- true")
        assert ran.code == 0
        assert (f"promptdeck run {told} ..." in ran.err) is bool(told), ran.err


@pytest.mark.parametrize("dashes", [(), ("--",)])
async def test_a_flag_that_stands_before_as_well_is_the_commands(
    tmp_path: Path, dashes: tuple[str, ...]
) -> None:
    given = await promptdeck(
        tmp_path, "run", "--mode", "replay", *dashes, "true", "--mode", "cache"
    )
    assert "stands behind" not in given.err


async def test_a_run_that_recorded_nothing_though_it_asked_says_so(tmp_path: Path) -> None:
    script = f"try: {GET('/models')}\nexcept OSError: 0"
    flags = ("--mode", "record", "--upstream", "http://127.0.0.1:9")
    ran = await promptdeck(tmp_path, "run", *flags, "--", sys.executable, "-c", script)
    assert ran.code == 0
    assert "cannot reach http://127.0.0.1:9/v1: nothing listens there" in ran.err
    assert "promptdeck: nothing was recorded: no answer was whole and without an error" in ran.err


async def test_the_commands_own_exit_code_comes_first(tmp_path: Path) -> None:
    ran = await promptdeck(
        tmp_path, "run", "--mode", "replay", "--", sys.executable, "-c", "import sys; sys.exit(42)"
    )
    assert ran.code == 42


async def test_an_unknown_command_is_127(tmp_path: Path) -> None:
    ran = await promptdeck(tmp_path, "run", "--mode", "replay", "--", "no-such-command")
    assert ran.code == 127
    assert "cannot run no-such-command" in ran.err


async def test_a_signal_reaches_the_command(tmp_path: Path) -> None:
    script = "import signal,sys,time\nsignal.signal(15, lambda *_: sys.exit(9))\nprint(1, flush=True)\ntime.sleep(20)"  # noqa: E501
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("run", "--mode", "replay", "--", sys.executable, "-c", script),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert await process.stdout.readline() == b"1\n"
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 60) == 9
    await process.communicate()


async def test_a_command_killed_by_a_signal_is_128_and_its_number(tmp_path: Path) -> None:
    script = "import os; os.kill(os.getpid(), 9)"
    ran = await promptdeck(tmp_path, "run", "--mode", "replay", "--", sys.executable, "-c", script)
    assert ran.code == 128 + 9


def test_the_environment_says_where_the_server_is_and_gives_a_key_to_who_has_none() -> None:
    outer = {"OPENAI_API_KEY": "mine", "NO_PROXY": "corp"}
    seen = outer | variables(outer, "http://127.0.0.1:5")
    assert seen["OPENAI_BASE_URL"] == "http://127.0.0.1:5/v1"
    for name in ("DEDALUS_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "OLLAMA_HOST"):
        assert seen[name] == "http://127.0.0.1:5"
    assert "ANTHROPIC_API_KEY" not in seen
    assert seen["OPENAI_API_KEY"] == "mine"
    assert seen["DEDALUS_API_KEY"] == PLACEHOLDER_KEY
    assert seen["NO_PROXY"] == "corp,127.0.0.1,localhost,::1"
    logged_in = {"ANTHROPIC_AUTH_TOKEN": "mine"}
    replayed = variables(logged_in, "http://127.0.0.1:5", replays=True)
    assert "ANTHROPIC_API_KEY" not in replayed
    assert replayed["GEMINI_API_KEY"] == PLACEHOLDER_KEY
    assert replayed["GOOGLE_GENERATIVE_AI_API_KEY"] == PLACEHOLDER_KEY


async def test_its_server_is_for_the_command_alone_whatever_others_are_told(
    provider: Upstream, tmp_path: Path
) -> None:
    (tmp_path / "promptdeck.yaml").write_text("server: {host: 0.0.0.0, token: deck-token}\n")
    script = f"import os; print(os.environ['OPENAI_BASE_URL']); {GET('/models')}"
    ran = await promptdeck(
        tmp_path, "run", "--upstream", provider.url, "--", sys.executable, "-c", script
    )
    assert ran.code == 0, ran.err
    assert ran.out.startswith("http://127.0.0.1:")
    wide = ("run", "--host", "0.0.0.0", "--upstream", provider.url, "--")
    refused = await promptdeck(tmp_path, *wide, sys.executable, "-c", script)
    assert refused.code != 0  # the command brings no token
    assert "127.0.0.1" in refused.out  # of all addresses, the near one is told
