"""Where the URL of a server that came with a request may lead."""

import socket
from typing import Any

import pytest

from promptdeck.engine.agent.sides import MCPTrouble
from promptdeck.mcp.addresses import Allowance, place_of, without_secrets

LOCAL = Allowance(loopback=True, own_ports=(8642,))


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1/mcp", "https://192.168.1.1/", "https://172.16.0.9/", "https://0.0.0.0/",
        "https://169.254.169.254/latest", "https://224.0.0.1/", "https://[fe80::1]/",
        "https://[::]/", "https://[fd00::1]/", "https://[::ffff:10.0.0.1]/", "https://100.64.0.1/",
        "https://[2002:a00:1::]/", "https://240.0.0.1/", "https://255.255.255.255/",
        "http://127.0.0.1:8642/mcp", "http://localhost:8642/v1", "http://[::1]:8642/",
        "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "https://[", "mcp", "",
        "http://8.8.8.8/mcp",
    ],
)  # fmt: skip
async def test_what_is_never_asked(url: str) -> None:
    with pytest.raises(MCPTrouble) as no:
        await place_of(url, LOCAL)
    assert no.value.code == "forbidden_url"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/mcp", "http://127.9.9.9/", "http://[::1]:80/", "https://8.8.8.8/"]
)
async def test_what_is_asked(url: str) -> None:
    assert (await place_of(url, LOCAL)).addresses


async def test_this_machine_is_not_asked_for_others() -> None:
    with pytest.raises(MCPTrouble, match="is this machine"):
        await place_of("http://127.0.0.1:9/mcp", Allowance(loopback=False))


async def test_what_the_user_allows() -> None:
    allowed = Allowance(loopback=False, hosts=["10.1.0.0/16", "127.0.0.1"])
    assert (await place_of("https://10.1.2.3/mcp", allowed)).addresses == ("10.1.2.3",)
    assert (await place_of("http://127.0.0.1:9/", allowed)).addresses == ("127.0.0.1",)
    with pytest.raises(MCPTrouble):
        await place_of("https://10.2.2.3/mcp", allowed)


@pytest.mark.parametrize("bad", ["10.0.0.1", "127.0.0.1", "169.254.169.254"])
async def test_one_address_of_a_name_that_is_private_is_enough(
    bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolved(*args: Any, **more: Any) -> list[Any]:
        return [(2, 1, 6, "", (address, 443)) for address in ("8.8.8.8", bad)]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with pytest.raises(MCPTrouble) as no:
        await place_of("https://rebound.example/mcp", LOCAL)
    assert no.value.code == "forbidden_url"


def test_what_is_told_of_a_url_holds_no_secret() -> None:
    url = "https://user:pass@host.example:8443/mcp?key=secret#part"
    assert without_secrets(url) == "https://host.example:8443/mcp"
    assert without_secrets("http://[::1]:80/x") == "http://[::1]:80/x"
    assert without_secrets("http://[") == "the URL"
