"""`promptdeck serve` as a process: what it prints, how it ends, what a kill leaves."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from promptdeck.cli.workers import supervise
from promptdeck.config import Config, load
from tests.command import promptdeck, serve
from tests.scripted_upstream import Upstream, chunks, plain, stream

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}


async def ask(base_url: str) -> bytes:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{base_url}/chat/completions", json=BODY) as response,
    ):
        return await response.read()


async def test_it_prints_the_base_url_and_what_it_works_with(
    provider: Upstream, tmp_path: Path
) -> None:
    async with serve(tmp_path, "--upstream", provider.url) as server:
        assert server.base_url.startswith("http://127.0.0.1:")
        assert server.base_url.endswith("/v1")
        assert server.told == (
            f"mode cache, upstream {provider.url},"
            f" store {tmp_path}/cache/promptdeck/store.db, cassette none"
        )


async def test_under_ci_it_replays(tmp_path: Path) -> None:
    async with serve(tmp_path, CI="true") as server:
        assert server.told == "mode replay, upstream none, store none, cassette all in cassettes"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_recording_under_way_finish(
    provider: Upstream, tmp_path: Path, number: int
) -> None:
    gate = asyncio.Event()
    provider.answers = [stream(chunks("to the end"), gate=gate)]
    async with serve(tmp_path, "--upstream", provider.url) as server:
        call = asyncio.get_running_loop().create_task(ask(server.base_url))
        while not provider.seen:
            await asyncio.sleep(0.01)
        stopping = asyncio.get_running_loop().create_task(server.stop(number))
        await asyncio.sleep(0.1)
        gate.set()
        assert await call == b"".join(chunks("to the end"))
        code, err = await stopping
        assert code == 0
        assert "recorded" in err
    async with serve(tmp_path, "--upstream", provider.url) as again:
        assert await ask(again.base_url) == b"".join(chunks("to the end"))
    assert len(provider.seen) == 1


async def test_kill_in_mid_stream_leaves_nothing_half_kept(
    provider: Upstream, tmp_path: Path
) -> None:
    provider.answers = [plain("whole"), stream(chunks("half"), gate=asyncio.Event()), plain("new")]
    arguments = ("--mode", "record-missing", "--cassette", "c", "--upstream", provider.url)
    async with serve(tmp_path, *arguments) as server:
        whole = await ask(server.base_url)
        call = asyncio.get_running_loop().create_task(ask(f"{server.base_url[:-3]}/cassette/d/v1"))
        while len(provider.seen) < 2 or not (tmp_path / "cassettes" / "c.yaml").exists():
            await asyncio.sleep(0.01)
        server.process.kill()
        with pytest.raises(aiohttp.ClientError):
            await call
    assert [path.name for path in (tmp_path / "cassettes").iterdir()] == ["c.yaml"]
    async with serve(tmp_path, *arguments) as again:
        assert await ask(again.base_url) == whole
        assert await ask(f"{again.base_url[:-3]}/cassette/d/v1") == b"".join(chunks("new"))


async def test_a_taken_port_is_one_line_and_exit_code_5(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = await promptdeck(tmp_path, "serve", "--port", str(port))
    assert ran.code == 5
    [line] = ran.err.splitlines()
    assert line.startswith(f"promptdeck: cannot listen on 127.0.0.1:{port}: the port is taken")
    assert line.endswith(" choose another --port (0: a free one)")


async def test_a_wrong_setting_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "promptdeck.yaml").write_text("store:\n  tll: 1h\n")
    ran = await promptdeck(tmp_path, "serve")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        "promptdeck: promptdeck.yaml:2: store.tll is not a setting; did you mean store.ttl?\n"
    )


async def test_a_corrupt_cassette_is_one_line_and_exit_code_4(tmp_path: Path) -> None:
    (tmp_path / "cassettes").mkdir()
    (tmp_path / "cassettes" / "bad.yaml").write_text("promptdeck: 1\ninteractions:\n- id: [\n")
    ran = await promptdeck(tmp_path, "serve", "--mode", "replay", "--port", "0")
    assert ran.code == 4
    [line] = ran.err.splitlines()
    assert "bad.yaml:" in line


async def test_an_unusable_store_is_one_line_and_exit_code_7(tmp_path: Path) -> None:
    (tmp_path / "file.db").write_bytes(b"not a database at all, and long enough to be read" * 9)
    ran = await promptdeck(tmp_path, "serve", "--store", "file.db", "--port", "0")
    assert ran.code == 7
    [line] = ran.err.splitlines()
    assert "file.db" in line
    assert "--store" in line


async def test_replay_needs_no_usable_store(tmp_path: Path) -> None:
    (tmp_path / "file.db").write_bytes(b"not a database at all, and long enough to be read" * 9)
    async with serve(tmp_path, "--mode", "replay", "--store", "file.db") as server:
        assert server.told.startswith("mode replay")


async def get(base_url: str, path: str) -> tuple[int, Any]:
    root = base_url.removesuffix("/v1")
    async with aiohttp.ClientSession() as session, session.get(root + path) as response:
        return response.status, await response.json()


async def pids(base_url: str) -> set[int]:
    """The processes that answer."""
    found: set[int] = set()
    for _ in range(200):
        found.add((await get(base_url, "/_deck/health"))[1]["worker"])
    return found


async def test_workers_share_the_port_the_store_and_what_is_under_way(
    provider: Upstream, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    provider.answers = [stream(chunks("once"), gate=gate)]
    arguments = ("--upstream", provider.url, "--mode", "cache", "--workers", "3")
    async with serve(tmp_path, *arguments) as server:
        while len(await pids(server.base_url)) < 3:
            await asyncio.sleep(0.05)
        asking = asyncio.gather(*[ask(server.base_url) for _ in range(30)])
        while not provider.seen:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        gate.set()
        answers = await asking
        assert set(answers) == {b"".join(chunks("once"))}
        assert len(provider.seen) == 1
        assert await ask(server.base_url) == answers[0]
        assert len(provider.seen) == 1
        status, refused = await get(server.base_url, "/_deck/sessions/x")
        assert (status, refused["code"]) == (501, "needs_one_process")
        code, err = await server.stop(signal.SIGTERM)
        assert (code, "Traceback" in err) == (0, False)
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(server.base_url)


async def test_no_worker_gives_the_request_ids_of_another(
    provider: Upstream, tmp_path: Path
) -> None:
    arguments = ("--upstream", provider.url, "--mode", "cache", "--workers", "2")
    drawn: dict[int, str] = {}
    async with serve(tmp_path, *arguments) as server:
        while len(drawn) < 2:
            async with (
                aiohttp.ClientSession() as session,
                session.get(server.base_url.removesuffix("/v1") + "/_deck/health") as response,
            ):
                # The last eight digits count.
                drawn[(await response.json())["worker"]] = response.headers["X-Request-Id"][:-8]
    assert len(set(drawn.values())) == 2


async def test_when_one_worker_dies_all_end_and_say_why(provider: Upstream, tmp_path: Path) -> None:
    arguments = ("--upstream", provider.url, "--mode", "cache", "--workers", "2")
    async with serve(tmp_path, *arguments) as server:
        while len(found := await pids(server.base_url)) < 2:
            await asyncio.sleep(0.05)
        victim = found.pop()
        os.kill(victim, signal.SIGKILL)
        _, err = await asyncio.wait_for(server.process.communicate(), 60)
        assert server.process.returncode == 1
        assert f"worker {victim} ended by itself (SIGKILL); stopping" in err.decode()


async def test_workers_outlive_no_parent(provider: Upstream, tmp_path: Path) -> None:
    arguments = ("--upstream", provider.url, "--mode", "cache", "--workers", "2")
    async with serve(tmp_path, *arguments) as server:
        server.process.kill()
        await server.process.wait()
        while True:
            try:
                await get(server.base_url, "/_deck/health")
            except aiohttp.ClientConnectionError:
                break
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("mode", ["replay", "record", "record-missing"])
async def test_what_one_process_must_do_is_refused_to_workers(tmp_path: Path, mode: str) -> None:
    ran = await promptdeck(tmp_path, "serve", "--mode", mode, "--workers", "2")
    assert ran.code == 2
    assert f"mode {mode} keeps the order of recordings" in ran.err
    assert "leave --workers out" in ran.err


async def test_a_port_that_is_taken_is_not_shared_by_mistake(
    provider: Upstream, tmp_path: Path
) -> None:
    arguments = ("--upstream", provider.url, "--mode", "cache", "--workers", "2")
    async with serve(tmp_path, *arguments) as server:
        port = server.base_url.split(":")[2].removesuffix("/v1")
        ran = await promptdeck(tmp_path, "serve", "--mode", "cache", "--port", port)
        assert (ran.code, ran.err.count("choose another --port")) == (5, 1)
        ran = await promptdeck(
            tmp_path, "serve", "--mode", "cache", "--port", port, "--workers", "2"
        )
        assert (ran.code, ran.err.count("choose another --port")) == (5, 1)


async def test_what_stops_a_worker_is_told_and_is_the_exit_code(tmp_path: Path) -> None:
    broken = tmp_path / "store.db"
    broken.write_bytes(b"no database at all")
    arguments = ("serve", "--mode", "cache", "--store", str(broken))
    alone = await promptdeck(tmp_path, *arguments)
    ran = await promptdeck(tmp_path, *arguments, "--workers", "2")
    assert ran.code == alone.code == 7
    assert f"cannot use the store {broken}" in ran.err
    nowhere = ("serve", "--mode", "cache", "--host", "no-such-host.invalid", "--workers", "2")
    ran = await promptdeck(tmp_path, *nowhere, PROMPTDECK_SERVER_ALLOW_ANYONE="true")
    assert (ran.code, ran.err.count("\n")) == (5, 1)


def test_a_worker_that_fails_shows_where(capfd: pytest.CaptureFixture[str]) -> None:
    def work(config: Config, announcing: bool) -> None:
        raise ValueError("of some kind")

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert supervise(load({"port": 0}, {}).config, 2, work) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert "ValueError: of some kind" in capfd.readouterr().err


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_other_machines_need_a_token(tmp_path: Path, workers: str) -> None:
    wide = ("serve", "--host", "0.0.0.0", "--port", "0", "--workers", workers)
    ran = await promptdeck(tmp_path, *wide)
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    assert "server.token" in ran.err
    async with serve(tmp_path, *wide[1:3], PROMPTDECK_SERVER_TOKEN="deck-token") as server:
        assert server.base_url.startswith("http://127.0.0.1:")


async def test_an_upstream_that_is_the_server_itself_is_told_at_the_start(tmp_path: Path) -> None:
    ran = await promptdeck(tmp_path, "serve", "--upstream", "http://localhost:4141/v1")
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    assert "own address" in ran.err
