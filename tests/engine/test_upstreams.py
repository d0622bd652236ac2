"""An answer of one upstream is none of another's: in the cache, for odd requests anywhere."""

import pytest

from tests.conftest import Start
from tests.scripted_upstream import Upstream, raw

JSON = {"Content-Type": "application/json"}
HALF = b'{"model":"m","messages":[{"role":"user","content":"half \\ud83d emoji"}]}'


def two(provider: Upstream) -> dict[str, str]:
    """The environment in which there are two providers, one and two."""
    root = provider.url.removesuffix("/v1")
    named = ", ".join(f"{{name: {name}, url: {root}/{name}/v1}}" for name in ("one", "two"))
    return {"PROMPTDECK_UPSTREAM_PROVIDERS": f"[{named}]"}


@pytest.mark.parametrize("fast", [True, False])
async def test_two_upstreams_on_one_store_keep_their_answers_apart(
    start: Start, provider: Upstream, fast: bool
) -> None:
    urls = [provider.url, provider.url + "/other"]
    for _ in range(2):
        for number, url in enumerate(urls, 1):
            deck = await start(mode="cache", upstream=url, fast=fast)
            for _ in range(3):
                got = await deck.chat("hi")
                assert got.json["choices"][0]["message"]["content"] == f"answer {number}"
    assert len(provider.seen) == 2


async def test_a_cassette_is_portable(start: Start, provider: Upstream) -> None:
    await (await start(mode="record", cassette="x")).chat("hi")
    elsewhere = await start(mode="replay", cassette="x", upstream=provider.url + "/other")
    assert (await elsewhere.chat("hi")).status == 200


@pytest.mark.parametrize("mode", ["cache", "record-missing"])
@pytest.mark.parametrize(
    ("method", "path", "data"),
    [
        ("POST", "/v1/chat/completions", HALF),
        ("POST", "/v1/embeddings", b'{"input": "no model"}'),
        ("GET", "/v1/models", None),
    ],
)
async def test_a_provider_counts_where_it_cannot_be_part_of_the_model(
    start: Start, provider: Upstream, mode: str, method: str, path: str, data: bytes | None
) -> None:
    answers = {
        name: b'{"choices":[{"index":0,"message":{"content":"%b"},"finish_reason":"stop"}]}' % name
        for name in (b"one", b"two")
    }
    provider.answers = [raw(answer, headers=JSON) for answer in answers.values()]
    deck = await start(two(provider), mode=mode, cassette="x" if mode != "cache" else None)
    for name in (b"one", b"two"):
        got = await deck.request(method, path, data, X_Provider=name.decode())
        assert got.body == answers[name]
    if mode == "record-missing":
        replay = await start(two(provider), mode="replay", cassette="x")
        for name in (b"two", b"one"):
            got = await replay.request(method, path, data, X_Provider=name.decode())
            assert got.body == answers[name]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("wants", [b"{}", b'{"cassette": "x"}'])
@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/v1/chat/completions", HALF),
        ("/v1/chat/completions", b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'),
        ("/v1/embeddings", b'{"input": "no model"}'),
    ],
)
async def test_a_session_in_cache_mode_keeps_providers_apart_as_its_server_does(
    start: Start, provider: Upstream, fast: bool, wants: bytes, path: str, data: bytes
) -> None:
    answers = {
        name: b'{"choices":[{"index":0,"message":{"content":"%b"},"finish_reason":"stop"}]}' % name
        for name in (b"none", b"one", b"two")
    }
    provider.answers = [raw(answer, headers=JSON) for answer in answers.values()]
    deck = await start(two(provider), mode="cache", fast=fast)
    session = (await deck.request("POST", "/_deck/sessions", wants)).json["id"]
    for at in (f"/session/{session}", f"/session/{session}", ""):
        for name, answer in answers.items():
            chosen = {} if name == b"none" else {"X_Provider": name.decode()}
            assert (await deck.request("POST", at + path, data, **chosen)).body == answer
            await deck.idle()
    assert len(provider.seen) == 3


def beside(provider: Upstream, *names: str) -> dict[str, str]:
    """The environment in which each of these providers is below the scripted upstream's root."""
    root = provider.url.removesuffix("/v1")
    return {f"PROMPTDECK_UPSTREAM_{name.upper()}": f"{root}/{name}/v1" for name in names}


@pytest.mark.parametrize("fast", [True, False])
async def test_a_call_goes_to_the_provider_that_it_is_meant_for_with_its_own_key(
    start: Start, provider: Upstream, fast: bool
) -> None:
    environ = beside(provider, "anthropic", "google") | {"PROMPTDECK_UPSTREAM_API_KEY": "ours"}
    deck = await start(environ, mode="passthrough", fast=fast)
    body = b'{"model":"m"}'
    for _ in range(2):
        await deck.request("POST", "/v1/messages", body, X_Api_Key="a", Anthropic_Version="1")
        await deck.request("POST", "/v1beta/models/g:generateContent", body, X_Goog_Api_Key="g")
        await deck.request("POST", "/v1/embeddings", body)
        await deck.request("POST", "/v1/embeddings", body, Anthropic_Version="1")
    seen = [
        (
            one.path,
            *(one.headers.get(key) for key in ("Authorization", "X-Api-Key", "X-Goog-Api-Key")),
        )
        for one in provider.seen
    ]
    assert seen == 2 * [
        ("/anthropic/v1/messages", None, "a", None),
        ("/google/v1beta/models/g:generateContent", None, None, "g"),
        ("/v1/embeddings", "Bearer ours", None, None),
        ("/anthropic/v1/embeddings", None, None, None),
    ]


@pytest.mark.parametrize("fast", [True, False])
async def test_the_same_call_of_two_providers_is_two_in_the_cache(
    start: Start, provider: Upstream, fast: bool
) -> None:
    deck = await start(beside(provider, "azure", "anthropic"), mode="cache", fast=fast)
    provider.answers = [raw(b'{"data":["%b"]}' % n, headers=JSON) for n in (b"1", b"2", b"3")]
    body = b'{"model":"e","input":"a"}'
    heads = [{}, {"Api_Key": "k"}, {"Anthropic_Version": "1"}]
    for _ in range(3):
        for number, head in enumerate(heads, 1):
            got = await deck.request("POST", "/v1/embeddings", body, **head)
            assert got.json == {"data": [str(number)]}, got.cache_status
    assert [one.path for one in provider.seen] == [
        "/v1/embeddings",
        "/azure/openai/v1/embeddings",
        "/anthropic/v1/embeddings",
    ]


async def test_what_is_azures_goes_to_nobody_where_no_endpoint_is_set(start: Start) -> None:
    deck = await start(mode="cache", upstream="https://api.openai.com/v1")
    path = "/openai/deployments/d/chat/completions?api-version=2024-10-21"
    got = await deck.request("POST", path, b'{"model":"m","messages":[]}', Api_Key="k")
    assert got.status == 400
    assert "upstream.azure" in got.json["error"]["message"]
    assert got.json["error"]["code"] == "no_upstream"
