"""Clients that want another protocol: where no WebSocket is, it is refused by name."""

import pytest

from tests.conftest import Start
from tests.scripted_upstream import Upstream

WEBSOCKET = {
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("mode", ["cache", "replay", "passthrough"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/x?realtime", "/session/s/v1/x", "/"])
async def test_websocket_is_refused_by_name(
    start: Start, provider: Upstream, fast: bool, mode: str, path: str
) -> None:
    deck = await start(mode=mode, fast=fast)
    for headers in (WEBSOCKET, {**WEBSOCKET, "Upgrade": "h2c, WebSocket/13"}):
        got = await deck.request("GET", path, **headers)
        assert (got.status, got.json["code"]) == (426, "websocket_unsupported")
        assert "WebSocket" in got.json["message"]
        assert got.headers["Upgrade"] == "HTTP/1.1"
        assert got.headers["x-should-retry"] == "false"
    assert provider.seen == []
    assert deck.server.counts().misses == 0
    after = await deck.chat()
    assert (after.status == 200) == (mode != "replay")


async def test_what_is_no_handshake_is_refused(start: Start, provider: Upstream) -> None:
    deck = await start(mode="cache")
    for odd in ({"Upgrade": "h2c, WebSocket/13"}, {"Sec-WebSocket-Version": "99"}):
        got = await deck.request("GET", "/v1/responses", **{**WEBSOCKET, **odd})
        assert (got.status, got.json["code"]) == (426, "websocket_unsupported")
    assert provider.seen == []


async def test_a_foreign_page_is_refused_before(start: Start) -> None:
    deck = await start(mode="cache")
    got = await deck.request("GET", "/v1/responses", Origin="http://evil.example", **WEBSOCKET)
    assert got.status == 403


async def test_h2c_is_ignored(start: Start, provider: Upstream) -> None:
    deck = await start(mode="cache")
    got = await deck.chat(headers={"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"})
    assert got.status == 200
    assert len(provider.seen) == 1
