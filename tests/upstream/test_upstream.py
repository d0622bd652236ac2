"""The way upstream: whose key is sent, and what is never sent."""

import asyncio
from pathlib import Path

import pytest

from promptdeck.core.headers import PLACEHOLDER_KEY
from promptdeck.core.targets import below
from promptdeck.upstream import Upstream
from promptdeck.upstream.keys import Keys
from tests.conftest import Start
from tests.scripted_upstream import chunks, raw, stream


@pytest.fixture(params=["lean", "session"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every law holds on both ways."""
    monkeypatch.setattr(Upstream, "lean", request.param == "lean")


@pytest.mark.parametrize(
    ("client", "sent"),
    [
        ({}, "Bearer ours"),
        ({"Authorization": f"Bearer {PLACEHOLDER_KEY}"}, "Bearer ours"),
        ({"Authorization": "Bearer theirs"}, "Bearer theirs"),
        ({"x-api-key": "theirs"}, None),
    ],
)
async def test_our_key_is_sent_only_where_the_client_has_none(
    start: Start, client: dict[str, str], sent: str | None
) -> None:
    deck = await start(mode="passthrough", environ={"PROMPTDECK_UPSTREAM_API_KEY": "ours"})
    await deck.chat(headers=client)
    assert deck.upstream.seen[0].headers.get("Authorization") == sent


async def test_the_placeholder_never_leaves_the_house(start: Start) -> None:
    deck = await start(mode="passthrough")
    await deck.chat(headers={"Authorization": f"Bearer {PLACEHOLDER_KEY}"})
    assert PLACEHOLDER_KEY not in str(deck.upstream.seen[0].headers)


async def test_a_request_may_bring_its_own_provider_and_key(start: Start) -> None:
    deck = await start(
        mode="record", cassette="c", upstream="http://127.0.0.1:9/v1", environ=start.local()
    )
    byok = {"X-Provider": "local", "X-Provider-Key": "theirs", "Authorization": "Bearer ours"}
    got = await deck.chat(model="tiny", headers=byok)
    assert got.status == 200
    [seen] = deck.upstream.seen
    assert seen.headers["Authorization"] == "Bearer theirs"
    assert not [name for name in seen.headers if name.lower().startswith("x-provider")]
    assert seen.json["model"] == "tiny"
    kept = (start.folder / "cassettes" / "c.yaml").read_text()
    assert "model: local/tiny" in kept
    assert f"upstream: {deck.upstream.url}" in kept
    assert "theirs" not in kept


async def test_the_same_prompt_from_another_provider_is_another_request(start: Start) -> None:
    deck = await start(mode="cache", environ=start.local())
    await deck.chat(model="tiny", headers={"X-Provider": "local"})
    got = await deck.chat(model="tiny")
    assert "hit" not in got.cache_status
    again = await deck.chat(model="local/tiny", headers={"X-Provider-Key": "other"})
    assert "hit" in again.cache_status


async def test_an_unknown_provider_is_400_with_the_list(start: Start) -> None:
    deck = await start(mode="cache")
    got = await deck.chat(headers={"X-Provider": "nobody"})
    assert (got.status, got.json["code"]) == (400, "unknown_provider")
    assert "anthropic" in got.json["message"]


async def test_the_clients_timeout_bounds_the_upstream_call(start: Start) -> None:
    deck = await start(mode="cache")
    gate = asyncio.Event()
    deck.upstream.answers = [stream(chunks("late"), gate=gate)]
    got = await deck.chat(stream=True, headers={"x-stainless-read-timeout": "0.05"})
    gate.set()
    assert b"upstream_timeout" in got.body


async def test_a_redirect_is_the_clients_to_follow(start: Start) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers = [raw(b"", status=307, headers={"Location": "http://127.0.0.1:9/"})]
    url = f"{deck.server.base_url}/models"
    async with deck.session.get(url, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (307, "http://127.0.0.1:9/")


async def test_nothing_is_opened_before_the_first_call() -> None:
    upstream = Upstream("http://127.0.0.1:9/v1", Keys(), None, None)
    await upstream.close()
    assert upstream.calls == 0


async def test_a_proxy_of_the_environment_is_used_and_no_proxy_heeded(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    deck = await start(mode="passthrough", upstream="http://far.example/v1")
    monkeypatch.setenv("http_proxy", deck.upstream.url.removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", "near.example")
    assert (await deck.chat()).status == 200
    # A forward proxy is asked for the absolute URL.
    assert deck.upstream.seen[0].headers["Host"] == "far.example"
    near = await start(mode="passthrough", upstream="http://near.example:9/v1")
    assert (await near.chat()).status == 502


async def test_a_netrc_of_the_user_is_not_read(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login someone password hush")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    deck = await start(mode="passthrough")
    assert (await deck.chat(headers={"Authorization": "Bearer k"})).status == 200
    assert deck.upstream.seen[0].headers["Authorization"] == "Bearer k"


async def test_a_proxy_that_refuses_is_named_without_its_password(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    deck = await start(mode="passthrough", upstream="https://far.example/v1")
    # It answers CONNECT like any other request: not as a proxy does.
    proxy = deck.upstream.url.removesuffix("/v1").replace("//", "//someone:hush-hush@")
    monkeypatch.setenv("https_proxy", proxy)
    got = await deck.chat()
    assert got.status == 502
    assert "far.example" in got.json["message"]
    assert b"hush" not in got.body


@pytest.mark.parametrize(
    ("base", "target", "asked"),
    [
        ("https://h/v1", "/v1/models", "https://h/v1/models"),
        ("https://h/openai/v1", "/v1/models?a=b", "https://h/openai/v1/models?a=b"),
        ("https://h/a", "/v1/models", "https://h/a/models"),
        ("https://h/v1", "/v1beta/models/g:x", "https://h/v1beta/models/g:x"),
        ("https://h/t/v1beta", "/v1beta/models", "https://h/t/v1beta/models"),
        ("https://h/v1beta", "/v1/models", "https://h/v1beta/models"),
        ("https://h/v1beta/openai", "/v1beta/models", "https://h/v1beta/models"),
        ("https://h/v1", "/v2/chat", "https://h/v2/chat"),
        ("http://h:11434/api", "/api/chat", "http://h:11434/api/chat"),
        ("http://h:11434/v1", "/api/chat", "http://h:11434/api/chat"),
        ("", "/api/chat", "/api/chat"),
    ],
)
def test_another_version_than_1_stands_in_place_of_the_base_urls(
    base: str, target: str, asked: str
) -> None:
    assert below(base, target) == asked
