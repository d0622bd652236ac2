"""Why upstream cannot be reached: each cause in words, with what to do about it."""

import asyncio
import socket
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.upstream.trouble import unreachable
from tests.conftest import Start
from tests.scripted_upstream import Upstream, raw

BASE = "https://llm.example/v1"


def wrapped(error: OSError) -> aiohttp.ClientError:
    """As aiohttp hands on what the system said."""
    key = ConnectionKey("llm.example", 443, True, True, None, None, None)
    return aiohttp.ClientConnectorError(key, error)


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] (_ssl.c:1006)")
    error.verify_message = "self-signed certificate"
    return error


REFUSED = ConnectionRefusedError(111, "Connect call failed ('10.0.0.1', 443)")
NO_HOST = socket.gaierror(-2, "Name or service not known")


@pytest.mark.parametrize("wrap", [lambda error: error, wrapped])
@pytest.mark.parametrize(
    ("error", "why", "mend"),
    [
        (untrusted(), "its certificate is not trusted (self-signed certificate)", "SSL_CERT_FILE="),
        (REFUSED, "nothing listens there (connection refused)", "--upstream"),
        (NO_HOST, "there is no host llm.example (Name or service not known)", "upstream.url"),
    ],
)
def test_each_cause_has_its_words_and_its_mend(error, wrap, why, mend) -> None:
    told = unreachable(BASE, wrap(error))
    assert told.startswith(f"cannot reach {BASE}: {why}; ")
    assert mend in told
    assert "\n" not in told


def test_a_proxy_on_the_way_is_named_and_its_password_is_not() -> None:
    told = unreachable(BASE, wrapped(REFUSED), "http://ann:secret@proxy.corp:3128")
    assert told.endswith(
        "it was asked through the proxy proxy.corp:3128, as the environment says;"
        " NO_PROXY=llm.example goes past that"
    )
    assert "secret" not in unreachable(BASE, OSError("no way to http://ann:secret@proxy.corp:1"))


@given(st.text(), st.sampled_from([OSError, aiohttp.ClientError, ssl.SSLError, ConnectionError]))
def test_any_other_error_is_told_by_its_own_words(text: str, kind: type[Exception]) -> None:
    assert unreachable(BASE, kind(text)).startswith(f"cannot reach {BASE}: ")


async def test_the_log_says_it_too_for_a_program_may_swallow_it(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    deck = await start(upstream="http://127.0.0.1:9/v1")
    got = await deck.chat("hi")
    assert got.status == 502
    assert "nothing listens there (connection refused); start it" in got.json["message"]
    assert got.json["message"] in caplog.messages


async def test_plain_http_where_tls_is_asked_for_is_told(start: Start) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    plain = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = plain.sockets[0].getsockname()[1]
    deck = await start(upstream=f"https://127.0.0.1:{port}/v1")
    got = await deck.chat("hi")
    plain.close()
    assert "no TLS is spoken there; is its URL one with http://?" in got.json["message"]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, True),
        ({"Authorization": "Bearer promptdeck-placeholder-key"}, True),
        ({"Authorization": "Bearer sk-mine"}, False),
        ({"x-api-key": "mine"}, False),
    ],
)
async def test_a_401_for_want_of_a_key_says_where_keys_come_from(
    start: Start,
    provider: Upstream,
    caplog: pytest.LogCaptureFixture,
    headers: dict[str, str],
    told: bool,
) -> None:
    provider.answers = [raw(b'{"error": {"message": "no key"}}', status=401)]
    deck = await start()
    assert (await deck.chat("hi", headers=headers)).status == 401
    hints = [line for line in caplog.messages if "wants a key and none was sent" in line]
    assert len(hints) == told


async def test_a_key_of_ours_is_a_key(
    start: Start, provider: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    provider.answers = [raw(b"{}", status=401)]
    deck = await start({"PROMPTDECK_UPSTREAM_API_KEY": "sk-ours"})
    await deck.chat("hi")
    assert "wants a key" not in caplog.text
