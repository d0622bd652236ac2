"""A command within a fence, on this machine's kernel: what it reaches, and what is told of it."""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from promptdeck.cli.fence import Fence, Unavailable
from tests.scripted_upstream import Upstream

TCP = "import socket; socket.create_connection(({!r}, {}), 5)"


async def ran(
    *argv: str, allowed: tuple[str, ...] = (), env: dict[str, str] | None = None
) -> tuple[int, list[str]]:
    """The exit code of a command, and the hosts that it was kept from."""
    fence = Fence(allowed)
    try:
        process = await fence.start(argv, {**os.environ, **(env or {})})
        code = await asyncio.wait_for(process.wait(), 60)
    except Unavailable as error:
        pytest.skip(str(error))
    else:
        return code, fence.tried
    finally:
        fence.close()


async def python(code: str, **options: tuple[str, ...]) -> tuple[int, list[str]]:
    return await ran(sys.executable, "-c", code, **options)  # type: ignore[arg-type]


async def test_loopback_is_reached_as_without_a_fence(provider: Upstream) -> None:
    port = int(provider.url.rpartition(":")[2].partition("/")[0])
    assert await python(TCP.format("127.0.0.1", port)) == (0, [])
    assert await python(TCP.format("localhost", port)) == (0, [])


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("203.0.113.9", "203.0.113.9:443"),
        ("::ffff:203.0.113.9", "203.0.113.9:443"),
        ("2001:db8::9", "[2001:db8::9]:443"),
    ],
)
async def test_an_address_is_refused_at_once_and_named(host: str, named: str) -> None:
    assert await python(TCP.format(host, 443)) == (1, [named])


async def test_a_name_is_named_whichever_resolver_looks_it_up() -> None:
    code, tried = await python("import socket; socket.getaddrinfo('api.openai.example', 443)")
    assert (code, tried) == (1, ["api.openai.example"])
    code, tried = await python("import socket; socket.gethostbyname('v4.openai.example')")
    assert (code, tried) == (1, ["v4.openai.example"])


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
async def test_node_is_kept_in_as_well() -> None:
    code, tried = await ran("node", "-e", "fetch('https://api.anthropic.example/v1/messages')")
    assert (code, tried) == (1, ["api.anthropic.example"])


async def test_what_the_command_starts_is_within_the_fence_and_each_host_told_once() -> None:
    inner = TCP.format("203.0.113.9", 443)
    code, tried = await python(
        f"import subprocess as s, sys\nfor _ in 1, 2: s.run([sys.executable, '-c', {inner!r}])"
    )
    assert (code, tried) == (0, ["203.0.113.9:443"])


async def test_threads_and_non_blocking_sockets_are_judged() -> None:
    code = (
        "import asyncio\n"
        "async def one(n):\n"
        "    try: await asyncio.open_connection(f'203.0.113.{n}', 80)\n"
        "    except OSError as e: return e.errno\n"
        "async def main(): print(await asyncio.gather(*map(one, range(1, 30))))\n"
        "asyncio.run(main())"
    )
    ended, tried = await python(code)
    assert ended == 0
    assert sorted(tried) == sorted(f"203.0.113.{n}:80" for n in range(1, 30))


async def test_a_program_may_learn_its_own_address_and_use_unix_sockets(tmp_path: Path) -> None:
    code = (
        "import socket\n"
        "s = socket.socket(type=socket.SOCK_DGRAM); s.connect(('203.0.113.9', 80))\n"
        f"a = socket.socket(socket.AF_UNIX); a.bind({str(tmp_path / 'u')!r}); a.listen()\n"
        f"socket.socket(socket.AF_UNIX).connect({str(tmp_path / 'u')!r})"
    )
    ended, tried = await python(code)
    assert tried == []
    assert ended in (0, 1)  # 1 where this machine has no way out at all


async def test_a_host_that_is_allowed_is_not_refused_by_the_fence() -> None:
    code, tried = await python(
        "import socket\ntry: socket.create_connection(('192.0.2.1', 9), 0.3)\nexcept OSError: 0",
        allowed=("192.0.2.0/24",),
    )
    assert (code, tried) == (0, [])


async def test_a_commands_code_signal_environment_and_missing_file_are_as_without() -> None:
    assert (await python("import sys; sys.exit(42)"))[0] == 42
    assert (await python("import os; os.kill(os.getpid(), 9)"))[0] == -signal.SIGKILL
    # Python ignores SIGPIPE; what it becomes must not.
    assert (await ran("sh", "-c", "kill -PIPE $$; exit 3"))[0] == -signal.SIGPIPE
    assert (await ran("sh", "-c", 'exit "$N"', env={"N": "7"}))[0] == 7
    fence = Fence()
    try:
        with pytest.raises(FileNotFoundError):
            await fence.start(["no-such-command"], dict(os.environ))
    except Unavailable as error:
        pytest.skip(str(error))
    finally:
        fence.close()


async def test_the_environment_is_handed_on_as_it_is() -> None:
    env = {"LC_ALL": "C", "LANG": "C", "ODD": "a=b\n\tc", "PYTHONPATH": "/nowhere"}
    check = "import os, sys; sys.exit(dict(os.environ) != eval(sys.argv[1]))"
    fence = Fence()
    try:
        process = await fence.start([sys.executable, "-I", "-c", check, repr(env)], env)
        assert await process.wait() == 0
    except Unavailable as error:
        pytest.skip(str(error))
    finally:
        fence.close()
