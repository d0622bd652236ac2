"""The network blocked: whoever asks, by name or address; what is allowed is not."""

import socket
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.pytest_plugin.network import (
    NetworkBlocked,
    allow_port,
    blocked,
    hosts_in,
)
from tests.pytest_project import Project

CLIENTS = """
import asyncio, socket, urllib.request, aiohttp, httpx
CLIENTS = {
    "socket": lambda url: socket.create_connection((url.split("/")[2].split(":")[0], 80)),
    "urllib": lambda url: urllib.request.urlopen(url),
    "httpx": lambda url: httpx.get(url, trust_env=False),
    "asyncio": lambda url: asyncio.run(asyncio.open_connection(url.split("/")[2], 80)),
    "httpx-async": lambda url: asyncio.run(async_httpx(url)),
    "aiohttp": lambda url: asyncio.run(async_aiohttp(url)),
}
async def async_httpx(url):
    async with httpx.AsyncClient(trust_env=False) as client: await client.get(url)
async def async_aiohttp(url):
    async with aiohttp.ClientSession() as client: await client.get(url)
@pytest.mark.parametrize("url", ["http://llm.example", "http://10.9.8.7"])
@pytest.mark.parametrize("client", CLIENTS)
def test_asks(client, url):
    try:
        CLIENTS[client](url)
    except BaseException as error:
        assert "the network is blocked: test_it.py::test_asks[" in repr(error)
        assert url.split("/")[2] in repr(error)
    else:
        raise AssertionError("not blocked")
def test_plays(openai_client):
    assert openai_client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}]).choices
@pytest.mark.block_network(allowed_hosts=["127.0.0.*"])
def test_is_allowed():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0)); server.listen()
        socket.create_connection(server.getsockname()).close()
def test_loopback_is_a_network_too():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0)); server.listen()
        with pytest.raises(RuntimeError, match="--allowed-hosts=127.0.0.1"):
            socket.create_connection(server.getsockname())
"""


@pytest.mark.long
async def test_no_client_gets_out_and_all_reach_promptdeck(project: Project) -> None:
    project.tests(CLIENTS)
    ran = await project.run("--block-network", "--record-mode=record")
    ran.assert_outcomes(passed=15)
    ran = await project.run("--block-network")
    ran.assert_outcomes(passed=15)


MARKED = """
import socket
def reach(): socket.create_connection(("llm.example", 80))
@pytest.mark.block_network
def test_marked():
    with pytest.raises(RuntimeError, match="test_marked asked for llm.example"): reach()
def test_not_marked():
    with pytest.raises(OSError): reach()
@pytest.mark.block_network("llm.example")
def test_wrong(): pass
@pytest.mark.block_network(allowed_hosts=["*.example"])
def test_allowed_by_mark():
    with pytest.raises(OSError): reach()
"""


async def test_a_mark_blocks_its_test_alone_and_settings_block_all(project: Project) -> None:
    project.tests(MARKED)
    ran = await project.run()
    ran.assert_outcomes(passed=3, errors=1)
    assert "block_network takes allowed_hosts=[...] and nothing else" in ran.stdout.str()
    project.ini("block_network = true\nallowed_hosts = other.example, llm.*")
    ran = await project.run("-k", "not_marked or by_mark")
    ran.assert_outcomes(passed=2, deselected=2)


HOSTS = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){1,2}", fullmatch=True)


@given(HOSTS, HOSTS)
def test_only_what_is_allowed_is_reached(host: str, other: str) -> None:
    # Refused before anything is looked up: these hosts are asked of nobody.
    for allowed in ((), (other,), (f"*.{other}",)):
        if host in allowed or (host.endswith(f".{other}") and allowed):
            continue
        with blocked("a test", allowed), pytest.raises(NetworkBlocked, match="a test asked for"):
            socket.getaddrinfo(host, 80)


@pytest.mark.parametrize("pattern", ["127.0.0.1", "127.0.0.*", "127.0.0.0/8", r"127\.0\..*"])
def test_a_pattern_is_a_name_an_address_a_network_or_an_expression(pattern: str) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with blocked("a test", [pattern]):
            socket.create_connection(server.getsockname()).close()
        with blocked("a test", []), pytest.raises(NetworkBlocked):
            socket.create_connection(server.getsockname())
        with blocked("a test", []), pytest.raises(NetworkBlocked), socket.socket() as client:
            client.connect_ex(server.getsockname())
        allow_port(server.getsockname()[1])
        with blocked("a test", []):
            socket.create_connection(server.getsockname()).close()


def test_servers_threads_and_local_sockets_are_not_blocked() -> None:
    told: list[object] = []

    def work() -> None:
        with socket.socket() as server, socket.socket() as client:
            server.bind(("127.0.0.1", 0))
            server.listen()
            told.append(client.connect_ex(server.getsockname()))

    with blocked("a test", []):
        thread = threading.Thread(target=work, name="promptdeck_0")
        thread.start()
        thread.join()
        if sys.platform != "win32":
            one, other = socket.socketpair()
            one.close()
            other.close()
        assert socket.getaddrinfo("localhost", 1)
    assert told == [0]


def test_hosts_may_be_told_with_commas() -> None:
    assert hosts_in(["a, b", "c,", ""]) == ["a", "b", "c"]
