"""Hosts as headers name them: nothing but the very host passes for it."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.hosts import (
    address_of,
    host_of,
    host_of_origin,
    is_loopback,
    is_origin,
    is_wildcard,
)


@pytest.mark.parametrize(
    "authority",
    [
        "localhost",
        "LocalHost:4141",
        "localhost.",
        "localhost:",
        "app.localhost:80",
        "127.0.0.1",
        "127.255.0.9:1",
        "[::1]:4141",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]:4141",
    ],
)
def test_loopback_is_known_however_it_is_spelled(authority: str) -> None:
    assert is_loopback(host_of(authority))
    assert is_loopback(host_of_origin(f"http://{authority}"))


@pytest.mark.parametrize(
    "authority",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "notlocalhost",
        "localhost@evil.example",
        "evil.example@localhost",
        "localhost:4141@evil.example",
        "localhost/evil.example",
        "localhost:80:80",
        "localhost:port",
        "localhost..",
        "localhost evil.example",
        "localhost\nevil.example",
        "localhost,evil.example",
        "127.0.0.1.evil.example",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "0.0.0.0",
        "128.0.0.1",
        "[::2]",
        "[::ffff:10.0.0.1]",
        "[fe80::1%25lo]",
        "::1",
        "ｌocalhost",
    ],
)
def test_nothing_else_passes_for_loopback(authority: str) -> None:
    assert not is_loopback(host_of(authority))
    assert not is_loopback(host_of_origin(f"http://{authority}"))


@given(st.text("localhst.:@/[]127 \n#?%", max_size=20))
def test_what_is_a_host_has_no_user_and_nothing_behind_its_port(text: str) -> None:
    host = host_of(text)
    if host:
        assert not set(text) & set("@/ \n#?%")
        assert text.lower().removeprefix("[").startswith(host[:1])
        assert host_of(f"[{host}]" if ":" in host else host) == host


@given(st.ip_addresses(), st.integers(0, 65535))
def test_addresses_are_spelled_in_one_way(address: object, port: int) -> None:
    text = str(address)
    told = host_of(f"[{text}]:{port}" if ":" in text else f"{text}:{port}")
    assert told == address_of(text)
    assert ip_address(told)


@pytest.mark.parametrize(
    "origin", ["null", "https://a.example", "app://obsidian.md", "http://[::1]:3000"]
)
def test_origins_are_schemes_with_an_authority(origin: str) -> None:
    assert is_origin(origin)


@pytest.mark.parametrize(
    "origin", ["", "a.example", "http://a/b", "http://a http://b", "http://a@b", "file:///x"]
)
def test_nothing_else_is_an_origin(origin: str) -> None:
    assert not is_origin(origin)
    assert not host_of_origin(origin)


def test_only_the_web_has_hosts_of_pages() -> None:
    assert host_of_origin("HTTPS://LocalHost:3000") == "localhost"
    assert not host_of_origin("app://localhost")


def test_a_wildcard_is_none_of_the_others() -> None:
    assert is_wildcard("0.0.0.0")
    assert is_wildcard("::")
    assert not is_wildcard("127.0.0.1")
