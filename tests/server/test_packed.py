"""Packed requests count by what they say and are sent on as they came; bombs and lies are told."""

import gzip
import sys

import pytest

from tests.conftest import Start
from tests.core.test_codings import BODY, PACK, packed
from tests.raw_client import CHAT
from tests.scripted_upstream import Upstream


@pytest.mark.parametrize("fast", [True, False])
async def test_packed_requests_hit_and_go_on_as_they_came(
    start: Start, provider: Upstream, fast: bool
) -> None:
    deck = await start(mode="cache", fast=fast)
    plain = await deck.request("POST", CHAT, BODY)
    for number, name in enumerate([*PACK, "gzip, zstd"]):
        names = name.split(", ")
        hit = await deck.request("POST", CHAT, packed(BODY, names), Content_Encoding=name)
        assert (hit.status, hit.body) == (200, plain.body), name
        assert "; hit" in hit.cache_status
        other = BODY.replace(b"hi", b"%d" % number)
        new = await deck.request("POST", CHAT, packed(other, names), Content_Encoding=name)
        assert "fwd=uri-miss; stored" in new.cache_status
        seen = provider.seen[-1]
        assert seen.headers["Content-Encoding"] == name
        assert (await deck.request("POST", CHAT, other)).body == new.body


async def test_the_model_of_a_provider_is_written_into_an_unpacked_body(
    start: Start, provider: Upstream
) -> None:
    deck = await start(mode="cache", environ=start.local())
    got = await deck.request(
        "POST", CHAT, gzip.compress(BODY), Content_Encoding="gzip", X_Provider="local"
    )
    assert got.status == 200
    assert "Content-Encoding" not in provider.seen[-1].headers
    assert provider.seen[-1].json["model"] == "m"


@pytest.mark.parametrize("mode", ["cache", "record-missing", "passthrough", "replay"])
async def test_what_cannot_be_read_passes_where_upstream_may_be_asked(
    start: Start, provider: Upstream, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    deck = await start(mode=mode)
    for _ in range(2):
        got = await deck.request("POST", CHAT, b"\0odd", Content_Encoding="snappy")
        if mode == "replay":
            assert (got.status, got.json["code"]) == (415, "unreadable_encoding")
            assert "snappy" in got.json["message"]
        else:
            assert got.status == 200
    if mode != "replay":
        assert [seen.body for seen in provider.seen] == [b"\0odd"] * 2
        assert provider.seen[0].headers["Content-Encoding"] == "snappy"
        assert deck.server.counts().recorded == 0
        assert ("not recorded" in caplog.text) == (mode != "passthrough")
    assert deck.server.counts().misses == 0


@pytest.mark.parametrize("name", ["br", "zstd"])
async def test_a_missing_package_is_named(
    start: Start, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for module in ("brotli", "backports", "backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    deck = await start(mode="replay")
    got = await deck.request("POST", CHAT, PACK[name](BODY), Content_Encoding=name)
    assert got.status == 415
    assert "promptdeck[codings]" in got.json["message"]


@pytest.mark.parametrize("mode", ["cache", "replay"])
async def test_lies_and_bombs_are_the_clients_fault(
    start: Start, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    deck = await start(mode=mode, environ={"PROMPTDECK_SERVER_MAX_BODY": "100k"})
    for name, data, status in (
        ("gzip", BODY, 400),
        ("br", b"\xff" * 50, 400),
        ("zstd", BODY, 400),
        ("gzip", gzip.compress(bytes(1_000_000)), 413),
    ):
        got = await deck.request("POST", CHAT, data, Content_Encoding=name)
        assert got.status == status, name
    for path in ("/_deck/sessions", f"{CHAT}/none"):
        got = await deck.request("POST", path, BODY, Content_Encoding="gzip")
        assert got.status in (400, 404)
    opened = await deck.request(
        "POST", "/_deck/sessions", gzip.compress(b"{}"), Content_Encoding="gzip"
    )
    assert opened.status == 201
    assert "Traceback" not in caplog.text
