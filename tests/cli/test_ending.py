"""How a server ends: what it lost, what it waits for, and a second Ctrl-C."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from promptdeck.app import Totals, serving
from promptdeck.cli.ending import UNRECORDED, exit_code_of, summary
from promptdeck.config import load
from promptdeck.core.policy import Mode
from tests.cli.test_serve import ask
from tests.command import promptdeck, serve
from tests.scripted_upstream import Upstream, chunks, plain, raw, stream

ASK = """
import json, os, urllib.request as r
body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
r.urlopen(r.Request(url, body, {"Content-Type": "application/json"})).read()
"""


def counts(**given: int) -> Totals:
    return Totals(**dict.fromkeys(Totals._fields, 0) | given)


@pytest.mark.parametrize("mode", Mode)
def test_only_what_was_to_be_recorded_can_be_lost(mode: Mode) -> None:
    assert exit_code_of(mode, counts(recorded=3)) == 0
    lost = exit_code_of(mode, counts(recorded=3, unrecorded=1))
    assert lost == (UNRECORDED if mode in (Mode.RECORD, Mode.RECORD_MISSING) else 0)


def test_the_summary_names_losses_where_there_are_some() -> None:
    assert summary(counts(hits=1)) == "1 hit, 0 misses, 0 recorded, 0 upstream calls"
    told = "0 hits, 0 misses, 0 recorded, 2 not recorded, 2 upstream calls"
    assert summary(counts(unrecorded=2, upstream_calls=2)) == told


def in_the_way(cwd: Path, what: str) -> None:
    """Make it impossible to write `cassettes/c.yaml`, to root too."""
    if what == "a file for the folder":
        (cwd / "cassettes").write_text("")
    elif what == "a folder for the file":
        (cwd / "cassettes" / "c.yaml").mkdir(parents=True)
    else:
        (cwd / "cassettes").symlink_to("/proc/no-such-place")


BLOCKED = ["a file for the folder", "a folder for the file", "a link to where nothing can be made"]


@pytest.mark.parametrize("what", BLOCKED)
@pytest.mark.parametrize("mode", ["record", "record-missing"])
async def test_recordings_that_cannot_be_written_fail_a_run_that_went_well(
    provider: Upstream, tmp_path: Path, mode: str, what: str
) -> None:
    in_the_way(tmp_path, what)
    flags = ("--mode", mode, "--cassette", "c", "--upstream", provider.url)
    ran = await promptdeck(tmp_path, "run", *flags, "--", sys.executable, "-c", ASK)
    # What is a cassette no more stops the start; all else comes out when it is written.
    assert ran.code in (UNRECORDED, 4)
    if ran.code == UNRECORDED:
        assert "not recorded: cannot save" in ran.err
        assert "0 recorded, 1 not recorded, 1 upstream call" in ran.err
        assert "1 answer could not be recorded" in ran.err


async def test_a_failure_of_the_command_itself_comes_first(
    provider: Upstream, tmp_path: Path
) -> None:
    in_the_way(tmp_path, BLOCKED[0])
    flags = ("--mode", "record", "--cassette", "c", "--upstream", provider.url)
    ran = await promptdeck(
        tmp_path, "run", *flags, "--", sys.executable, "-c", f"{ASK}\nraise SystemExit(3)"
    )
    assert ran.code == 3
    assert "1 not recorded" in ran.err


async def test_an_answer_past_our_own_limits_is_lost_and_an_error_is_not(
    provider: Upstream, tmp_path: Path
) -> None:
    provider.answers = [plain("x" * 5000)]
    flags = ("--mode", "record", "--cassette", "c", "--upstream", provider.url)
    command = ("run", *flags, "--", sys.executable, "-c", ASK)
    ran = await promptdeck(tmp_path, *command, PROMPTDECK_RECORD_MAX_BYTES="1000")
    assert ran.code == UNRECORDED
    assert "not recorded: it is larger than record.max_bytes" in ran.err
    provider.answers = [raw(b'{"error": {"message": "no"}}', status=500)]
    script = f"try:\n{ASK.replace(chr(10), chr(10) + ' ')}\nexcept OSError: 0"
    ran = await promptdeck(tmp_path, *command[:-1], script)
    assert ran.code == 0, ran.err


async def test_a_server_that_lost_recordings_says_so_at_its_end(
    provider: Upstream, tmp_path: Path
) -> None:
    in_the_way(tmp_path, BLOCKED[0])
    flags = ("--mode", "record", "--upstream", provider.url)
    async with serve(tmp_path, *flags) as server:
        await ask(server.base_url)
        code, err = await server.stop(signal.SIGTERM)
    assert code == UNRECORDED
    assert "promptdeck: 1 answer could not be recorded" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_what_it_waits_for_and_a_second_signal_ends_it_at_once(
    provider: Upstream, tmp_path: Path, number: int
) -> None:
    provider.answers = [stream(chunks("never"), gate=asyncio.Event())]
    async with serve(tmp_path, "--upstream", provider.url) as server:
        call = asyncio.get_running_loop().create_task(ask(server.base_url))
        while not provider.seen:
            await asyncio.sleep(0.01)
        server.process.send_signal(number)
        told = ""
        while "waiting for" not in told:
            assert server.process.stderr
            told = (await server.process.stderr.readline()).decode()
        assert told == (
            "promptdeck: waiting for 1 answer under way, 10s at most; Ctrl-C again ends at once\n"
        )
        code, err = await asyncio.wait_for(server.stop(number), 5)
        assert code == 128 + number
        assert "Traceback" not in err
        assert "ended at once" in err
        await asyncio.gather(call, return_exceptions=True)


async def test_workers_end_well_though_a_terminal_tells_all_of_them(
    provider: Upstream, tmp_path: Path
) -> None:
    async with serve(tmp_path, "--upstream", provider.url, "--workers", "2") as server:
        await ask(server.base_url)
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        if not children.exists():
            pytest.skip("needs /proc to find the workers")
        for pid in children.read_text().split():
            os.kill(int(pid), signal.SIGINT)
        code, err = await server.stop(signal.SIGINT)
    assert (code, "Traceback" in err, "at once" in err) == (0, False, False)


async def test_all_that_a_shutdown_waits_for_shares_one_time(
    provider: Upstream, tmp_path: Path
) -> None:
    never = asyncio.Event()
    provider.answers = [stream(chunks("never"), gate=never)] * 3
    given = {"upstream": provider.url, "port": 0, "store": tmp_path / "s.db", "mode": "cache"}
    environ = {"PROMPTDECK_SERVER_SHUTDOWN_TIMEOUT": "1s"}
    config = load(given, environ, cwd=tmp_path).config
    async with aiohttp.ClientSession() as client:
        async with serving(config) as server:
            async with client.post(f"{server.root}/_deck/sessions", json={}) as made:
                session = (await made.json())["id"]
            readers = []
            for path in ("", f"/session/{session}"):
                body = {"model": "m", "messages": [], "stream": True, "seed": len(path)}
                url = f"{server.root}{path}/v1/chat/completions"
                readers.append(await client.post(url, json=body))
            begun = time.monotonic()
        assert time.monotonic() - begun < 1.9
        for reader in readers:
            reader.close()
