"""The paths that lead to the API: Azure's, and what SDKs append to a base_url of their own."""

import orjson
import pytest

from promptdeck.core.targets import hint, prefix_of, target_of
from tests.conftest import Start
from tests.scripted_upstream import Upstream

CHAT = "/v1/chat/completions"
BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
AZURE = "deployments/gpt-4o/chat/completions?api-version=2024-10-21"


@pytest.mark.parametrize(
    ("sent", "counted"),
    [
        (CHAT, CHAT),
        ("/v1/models?a=/v1//b", "/v1/models?a=/v1//b"),
        ("/v1//chat/completions", CHAT),
        ("/v1/v1/chat/completions", CHAT),
        ("/v1/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/v1/openai/v1/chat/completions", CHAT),
        ("/openai/v1/chat/completions", CHAT),
        ("/openai/" + AZURE, "/v1/" + AZURE),
        ("/v1/openai/" + AZURE, "/v1/" + AZURE),
        ("/cassette/x/openai/" + AZURE, "/v1/" + AZURE),
        ("/cassette/by/openai/v1/chat/completions", CHAT),
        ("/session/s/openai/v1/chat/completions", CHAT),
        ("/cassette/v1/v1/v1/chat/completions", CHAT),
        ("/v1beta/models/g:generateContent?alt=sse", "/v1beta/models/g:generateContent?alt=sse"),
        ("/v1/v1beta/models/g:countTokens", "/v1beta/models/g:countTokens"),
        ("/v1beta/v1beta/models", "/v1beta/models"),
        ("/v1beta/openai/chat/completions", "/v1beta/openai/chat/completions"),
        ("/cassette/a/b/v1beta/models/g:x", "/v1beta/models/g:x"),
        ("/api/chat", "/api/chat"),
        ("/v1/api/chat", "/api/chat"),
        ("/session/s/api/tags", "/api/tags"),
        ("/v2/chat", "/v2/chat"),
        ("/v1/v2/chat", "/v2/chat"),
        # No version at all.
        ("/chat/completions", CHAT),
        ("/messages/count_tokens?beta=true", "/v1/messages/count_tokens?beta=true"),
        ("/cassette/a/b/responses/r_1", "/v1/responses/r_1"),
        # What may be a cassette's name is one.
        ("/cassette/x/v2/v1/chat/completions", CHAT),
        ("/cassette/x/v2/chat/completions", CHAT),
        ("/cassette/x/v2/v2/chat", "/v2/chat"),
        ("/cassette/api/v1/chat/completions", CHAT),
        # What is a name of the API's own stays.
        ("/v1/openai/models", "/v1/openai/models"),
        ("/v1/files//f", "/v1/files//f"),
        ("/v1/", "/v1/"),
    ],
)
def test_a_target_counts_without_what_was_appended_twice(sent: str, counted: str) -> None:
    assert target_of(sent) == counted


@pytest.mark.parametrize(
    ("sent", "prefix", "odd"),
    [
        (CHAT, "", ""),
        ("/openai/v1/chat/completions", "", ""),
        ("/openai/deployments/d/chat/completions", "", ""),
        ("/v1beta/models/g:x", "", ""),
        ("/api/chat", "", ""),
        ("/cassette/a/b/v1/models", "/cassette/a/b", ""),
        ("/session/s/v1/v1/messages", "/session/s", "it has what its client appends"),
        ("/v1//models", "", "it has what its client appends"),
        ("/cassette/a/b/models", "/cassette/a/b", "it lacks its /v1"),
        ("/responses", "", "it lacks its /v1"),
    ],
)
def test_what_is_odd_about_a_base_url_is_known(sent: str, prefix: str, odd: str) -> None:
    assert (prefix_of(sent), hint(sent)) == (prefix, odd)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v1beta/models/g:generateContent", "/v1beta/models/g:generateContent"),
        ("/v1/models/g:generateContent", "/v1/models/g:generateContent"),
        ("/api/chat", "/api/chat"),
        ("/v1/api/chat", "/api/chat"),
        ("/v2/chat", "/v2/chat"),
        ("/messages", "/v1/messages"),
        ("/chat/completions", CHAT),
    ],
)
async def test_each_providers_paths_reach_upstream_under_its_root(
    start: Start, provider: Upstream, path: str, target: str
) -> None:
    deck = await start(mode="passthrough")
    for prefix in ("", "/cassette/a/b"):
        assert (await deck.request("POST", prefix + path, BODY)).status == 200
    assert [seen.path for seen in provider.seen] == [target, target]


async def test_a_base_url_without_its_version_is_served_and_told_of_once(
    start: Start, provider: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    deck = await start(mode="passthrough")
    with caplog.at_level("INFO", "promptdeck"):
        for _ in range(2):
            assert (await deck.request("POST", "/chat/completions", BODY)).status == 200
    told = [line for line in caplog.messages if "base_url" in line]
    assert told == ["/chat/completions is served, but for its base_url: it lacks its /v1"]


@pytest.mark.parametrize("fast", [True, False])
async def test_each_form_of_a_path_is_the_same_call(
    start: Start, provider: Upstream, fast: bool
) -> None:
    deck = await start(mode="cache", fast=fast)
    paths = [
        CHAT,
        "/v1//chat/completions",
        "/v1/v1/chat/completions",
        "/openai/v1/chat/completions",
    ]
    for path in [*paths, *paths]:
        assert (await deck.request("POST", path, BODY)).status == 200
    assert [seen.path for seen in provider.seen] == [CHAT]


@pytest.mark.parametrize("fast", [True, False])
async def test_azures_calls_are_chat_completions(
    start: Start, provider: Upstream, fast: bool
) -> None:
    recorder = await start(mode="record", cassette="az")
    stream = orjson.dumps({**orjson.loads(BODY), "stream": True, "user": "a"})
    await recorder.request("POST", "/openai/" + AZURE, stream)
    assert provider.seen[-1].path == "/v1/" + AZURE
    deck = await start(mode="replay", cassette="az", fast=fast)
    for _ in range(2):
        got = await deck.request("POST", "/v1/" + AZURE, BODY)
        assert got.status == 200, got.body
        assert "converted-from=sse" in got.cache_status
        assert got.json["choices"][0]["message"]["content"] == "answer 1"


async def test_a_cassette_is_found_by_a_client_that_appends_openai(
    start: Start, provider: Upstream
) -> None:
    await (await start(mode="record", cassette="x")).chat("hi")
    await (await start(mode="record", cassette="by/openai")).chat("hi")
    deck = await start(mode="replay")
    for at, told in (("/cassette/x/openai", "1"), ("/cassette/by/openai", "2")):
        got = await deck.request("POST", at + CHAT, BODY)
        assert got.json["choices"][0]["message"]["content"] == f"answer {told}"


@pytest.mark.parametrize("mode", ["cache", "record-missing"])
@pytest.mark.parametrize("path", ["/openai/" + AZURE, "/cassette/x/v1/" + AZURE])
async def test_a_deployment_need_not_be_named_twice(start: Start, mode: str, path: str) -> None:
    deck = await start(mode=mode)
    body = b'{"messages":[{"role":"user","content":"hi"}]}'
    for status in ("uri-miss", "hit"):
        got = await deck.request("POST", path, body)
        assert got.status == 200
        assert status in got.cache_status
    assert deck.upstream.seen[0].body == body
    refused = await deck.request("POST", CHAT, body)
    assert (refused.status, refused.json["param"]) == (400, "$.model")


async def test_whoever_looks_whether_a_base_url_is_there_is_told(
    start: Start, provider: Upstream
) -> None:
    await (await start(mode="record", cassette="a/b")).chat("hi")
    deck = await start(mode="replay")
    for path in ("/", "/v1", "/cassette/a/b", "/cassette/a/b/", "/cassette/a/b/v1"):
        assert (await deck.request("HEAD", path)).status == 200, path
    assert (await deck.request("HEAD", "/session/none/v1")).status == 404
    # What is asked below it is no probe.
    assert (await deck.request("HEAD", "/cassette/a/b/v1/models/m")).status == 404
    assert (await deck.request("GET", "/_deck/health")).json["misses"] == 1


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        # As AI SDK asks, to whom ANTHROPIC_BASE_URL has its /v1 already.
        ("POST", "/messages", "anthropic"),
        ("POST", "/v1/v1/messages", "anthropic"),
        ("POST", "/cassette/a/messages/count_tokens", "anthropic"),
        ("GET", "/v1/messages/batches/b", "anthropic"),
        ("POST", "/v1/v1beta/models/g:generateContent", "google"),
        ("GET", "/cassette/a/v1beta/models", "google"),
        ("POST", "/chat/completions", "openai"),
        ("GET", "/cassette/a/responses/r", "openai"),
    ],
)
async def test_a_miss_has_the_shape_that_its_client_reads_whatever_its_path(
    start: Start, provider: Upstream, method: str, path: str, kind: str
) -> None:
    await (await start(mode="record", cassette="a")).chat("another")
    deck = await start(mode="replay", cassette="a")
    got = await deck.request(method, path, BODY if method == "POST" else b"")
    assert got.status in (400, 404)
    told = got.json["error"]
    assert "No recording matches" in told["message"]
    shape = {"anthropic": got.json.get("type") == "error", "google": "status" in told}
    assert [name for name, found in shape.items() if found] == [kind] * (kind != "openai")
