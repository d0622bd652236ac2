"""The name server of a fenced program: what it reads of questions, and what it answers."""

import asyncio
import ipaddress
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.cli.fence.lookups import (
    Allowed,
    Lookups,
    addresses_in,
    name_in,
    no_such_name,
)

LABEL = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\Z")
NAME = st.lists(LABEL, min_size=1, max_size=5).map(".".join)


def query(name: str, kind: int = 1, number: int = 7) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return (
        struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">xHH", kind, 1)
    )


def answer(name: str, *addresses: str) -> bytes:
    asked = query(name)
    records = b""
    for text in addresses:
        packed = ipaddress.ip_address(text).packed
        records += struct.pack(">HHHIH", 0xC00C, 1 if len(packed) == 4 else 28, 1, 60, len(packed))
        records += packed
    head = struct.pack(">HHHHHH", 7, 0x8180, 1, len(addresses), 0, 0)
    return head + asked[12:] + records


@given(NAME, st.integers(0, 65535))
def test_a_question_is_read_and_answered_with_no_such_name(name: str, number: int) -> None:
    asked = query(name, number=number)
    assert name_in(asked) == name
    told = no_such_name(asked)
    assert told[:2] == asked[:2]
    assert struct.unpack(">HHHHH", told[2:12]) == (0x8183, 1, 0, 0, 0)
    assert name_in(told) == name
    assert told[12:] == asked[12:]


@given(
    NAME,
    st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str), max_size=4),
)
def test_the_addresses_of_an_answer_are_read(name: str, addresses: list[str]) -> None:
    assert addresses_in(answer(name, *addresses)) == addresses


@given(st.binary(max_size=80), st.integers(0, 80))
def test_no_bytes_break_the_reading(data: bytes, cut: int) -> None:
    for message in (data, answer("a.b", "192.0.2.1", "2001:db8::1")[:cut]):
        name_in(message)
        no_such_name(message)
        addresses_in(message)


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),
        ("::", True),
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("2001:db8::5", True),
        ("8.8.8.8", False),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
    ],
)
def test_loopback_and_what_is_allowed_can_be_reached(host: str, reached: bool) -> None:
    allowed = Allowed(["10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "db"])
    assert allowed.address(host) is reached


def test_names_are_allowed_whatever_their_case_and_with_any_text_for_a_star() -> None:
    allowed = Allowed(["*.Example.com", "db"])
    assert allowed.name("API.example.com")
    assert allowed.name("db")
    assert not allowed.name("example.com")
    assert not allowed.name("db2")
    with pytest.raises(ValueError, match="has a name or an address"):
        Allowed([""])


async def test_an_allowed_name_is_asked_for_where_the_program_would_have_asked() -> None:
    loop = asyncio.get_running_loop()
    refused: list[str] = []
    allowed = Allowed(["db"])
    with socket.socket(type=socket.SOCK_DGRAM) as real, socket.socket(type=socket.SOCK_DGRAM) as us:
        real.bind(("127.0.0.1", 0))
        real.setblocking(False)
        us.setblocking(False)
        lookups = Lookups(allowed, refused.append)
        try:
            lookups.server = real.getsockname()
            us.connect(lookups.address)
            us.send(query("db"))
            asked, who = await asyncio.wait_for(loop.sock_recvfrom(real, 512), 10)
            assert name_in(asked) == "db"
            real.sendto(answer("db", "203.0.113.5"), who)
            assert await asyncio.wait_for(loop.sock_recv(us, 512), 10) == answer(
                "db", "203.0.113.5"
            )
            assert allowed.address("203.0.113.5")
            us.send(query("api.openai.com"))
            told = await asyncio.wait_for(loop.sock_recv(us, 512), 10)
            assert told == no_such_name(query("api.openai.com"))
            us.send(query("9.113.0.203.in-addr.arpa", kind=12))
            await asyncio.wait_for(loop.sock_recv(us, 512), 10)
        finally:
            lookups.close()
    assert refused == ["api.openai.com"]
