"""Requests that name their upstream, over sockets: keys, headers, limits, fallbacks, replay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import product
from typing import Any

import orjson
import pytest

from promptdeck.config import load
from promptdeck.core.headers import PLACEHOLDER_KEY
from promptdeck.core.interaction import Request
from promptdeck.core.routing.upstreams import BUILTINS
from promptdeck.routes import homes_of
from tests.conftest import Got, Start
from tests.scripted_upstream import DONE, Upstream, chunk, plain, raw, stream, upstream

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "from claude"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 2},
}
DOWN = raw(b'{"error":{"message":"down"}}', status=503)


class Providers:
    """Scripted providers by name, and the setting that names them."""

    def __init__(self, **scripted: Upstream) -> None:
        self.scripted = scripted

    def __getitem__(self, name: str) -> Upstream:
        return self.scripted[name]

    def environ(self, **more: dict[str, Any]) -> dict[str, str]:
        said = {
            name: {
                "base_url": one.url,
                "api_key": f"key-of-{name}-0123456789",
                **more.get(name, {}),
            }
            for name, one in self.scripted.items()
        }
        return {"PROMPTDECK_UPSTREAMS": orjson.dumps(said).decode()}


@pytest.fixture
async def providers() -> AsyncIterator[Providers]:
    async with AsyncExitStack() as stack:
        yield Providers(
            **{name: await stack.enter_async_context(upstream()) for name in ("one", "two")}
        )


def credentials(one: Upstream) -> list[str]:
    names = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
    sent = [item for seen in one.seen for item in seen.headers.items()]
    return [value for name, value in sent if name.lower() in names]


def said(got: Got) -> str:
    return str(got.json["choices"][0]["message"]["content"])


@pytest.mark.parametrize("fast", [True, False])
async def test_a_fallback_in_mid_outage(start: Start, providers: Providers, fast: bool) -> None:
    deck = await start(providers.environ(), mode="passthrough", fast=fast)
    model = ["one/a", "two/b"]
    assert said(await deck.chat(model=model)) == "answer 1"
    providers["one"].answers = [DOWN]
    for _ in range(2):
        got = await deck.chat(model=model)
        assert got.headers["X-Promptdeck-Served"] == "two/b; dialect=chat"
        assert got.headers["X-Promptdeck-Route"] == '"one/a"; failed=503; why="down", "two/b"'
    assert [seen.json["model"] for seen in providers["two"].seen] == ["b", "b"]


async def test_each_upstream_gets_its_own_key_and_nobody_elses(
    start: Start, providers: Providers
) -> None:
    environ = providers.environ(two={"auth": "api-key"}) | {"PROMPTDECK_UPSTREAM_API_KEY": "ours"}
    deck = await start(environ, mode="passthrough")
    mine = [
        ("Authorization", "Bearer theirs"),
        ("x-api-key", "theirs"),
        ("x-goog-api-key", "theirs"),
        ("Cookie", "session=theirs"),
        ("Authorization", f"Bearer {PLACEHOLDER_KEY}"),
    ]
    for header, model in product(mine, ["one/m", "two/m", ["one/m"], ["bare"]]):
        await deck.chat(model=model, headers=dict([header]))
    assert {*credentials(providers["one"])} == {"Bearer key-of-one-0123456789"}
    assert {*credentials(providers["two"])} == {"key-of-two-0123456789"}
    assert {*credentials(deck.upstream)} == {"Bearer theirs", "theirs", "Bearer ours"}
    for name in ("one", "two"):
        assert all("Cookie" not in seen.headers for seen in providers[name].seen)


async def test_an_upstream_is_spoken_to_in_its_dialect(start: Start, providers: Providers) -> None:
    environ = providers.environ(one={"dialect": "messages", "headers": {"X-Team": "blue"}})
    deck = await start(environ, mode="passthrough")
    providers["one"].answers = [raw(orjson.dumps(MESSAGE))]
    got = await deck.chat(model="one/claude", max_tokens=9)
    [seen] = providers["one"].seen
    assert seen.path == "/v1/messages"
    assert seen.headers["x-api-key"] == "key-of-one-0123456789"
    assert seen.headers["anthropic-version"] == "2023-06-01"
    assert seen.headers["X-Team"] == "blue"
    assert got.headers["X-Promptdeck-Served"].startswith("one/claude")


async def test_the_environments_key_is_enough_for_what_is_built_in(
    start: Start, providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "from-the-environment")
    url = providers["one"].url
    deck = await start({"PROMPTDECK_UPSTREAMS": f"{{mistral: {{base_url: '{url}'}}}}"})
    await deck.chat(model="mistral/large", user="from-the-environment")
    assert credentials(providers["one"]) == ["Bearer from-the-environment"]
    # What is sent as it is, is kept without.
    assert b"from-the-environment" not in (start.folder / "store.db").read_bytes()


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "body",
    [
        {"model": ["one/a", "two/b"]},
        {"model": ["one/a", "two/b"], "stream": True},
        {"model": {"model": "two/b", "settings": {"top_p": 0.5}}},
    ],
)
async def test_an_answer_of_a_fallback_is_the_lists_and_replays_without_upstream(
    start: Start, providers: Providers, body: dict[str, Any], fast: bool
) -> None:
    providers["one"].answers = [DOWN]
    environ = providers.environ()
    deck = await start(environ, mode="record", cassette="c", fast=fast)
    first = await deck.chat(**body)
    assert "stored" in first.cache_status
    replay = await start(mode="replay", cassette="c", fast=fast)
    for _ in range(3):
        again = await replay.chat(**body)
        assert again.body == first.body
        for name in ("X-Promptdeck-Served", "X-Promptdeck-Route"):
            assert again.headers.get(name) == first.headers.get(name)
    # It is nobody else's: not the single model's, nor another list's.
    for model in ("two/b", "b", ["two/b"], ["two/b", "one/a"]):
        assert (await replay.chat(**{**body, "model": model})).status == 400
    assert len(providers["two"].seen) == 1


async def test_that_all_have_failed_can_be_recorded_and_replayed(
    start: Start, providers: Providers
) -> None:
    for name in ("one", "two"):
        providers[name].answers = [DOWN]
    environ = providers.environ() | {
        "PROMPTDECK_RECORD_ERRORS": "true",
        "PROMPTDECK_ROUTING_RETRIES": "0",
    }
    deck = await start(environ, mode="record", cassette="c")
    model = ["one/a", "two/b"]
    first = await deck.chat(model=model)
    assert first.status == 503
    assert [one["model"] for one in first.json["details"]["attempts"]] == model
    again = await (await start(mode="replay", cassette="c")).chat(model=model)
    assert (again.status, again.body) == (503, first.body)


async def test_in_the_cache_a_list_is_a_request_of_its_own(
    start: Start, providers: Providers
) -> None:
    providers["one"].answers = [DOWN, plain("well again")]
    deck = await start(providers.environ(), mode="cache")
    model = ["one/a", "two/b"]
    assert [said(await deck.chat(model=model)) for _ in range(2)] == ["answer 1", "answer 1"]
    assert said(await deck.chat(model="two/b")) == "answer 2"
    assert said(await deck.chat(model="one/a")) == "well again"


async def test_a_cached_answer_is_none_of_a_name_that_has_come_to_mean_another_model(
    start: Start, providers: Providers
) -> None:
    answers = []
    for model in ("one/a", "two/b", "one/a"):
        aliases = {"PROMPTDECK_ROUTING_ALIASES": f"{{fast: {model}}}"}
        deck = await start(providers.environ() | aliases, mode="cache")
        answers += [(await deck.chat(model="fast")).headers["X-Promptdeck-Served"]] * 2
    assert answers == 2 * ["one/a; dialect=chat"] + 2 * ["two/b; dialect=chat"] + 2 * [
        "one/a; dialect=chat"
    ]
    assert (len(providers["one"].seen), len(providers["two"].seen)) == (1, 1)


@pytest.mark.parametrize("fast", [True, False])
async def test_an_unknown_upstream_is_400_with_the_list_and_the_nearest(
    start: Start, providers: Providers, fast: bool
) -> None:
    deck = await start(providers.environ(), mode="cache", fast=fast)
    for _ in range(2):
        got = await deck.chat(model="tow/m")
        assert (got.status, got.json["code"]) == (400, "unknown_upstream")
        assert "one, two" in got.json["message"]
        assert got.json["details"]["upstreams"] == ["one", "two"]
        assert got.headers["x-should-retry"] == "false"
    assert not deck.upstream.seen


async def test_with_no_upstreams_named_slashes_pass_as_they_did(start: Start) -> None:
    deck = await start(mode="passthrough")
    await deck.chat(model="anthropic/claude")
    assert deck.upstream.seen[0].json["model"] == "anthropic/claude"


async def test_an_error_in_a_stream_before_content_is_not_seen(
    start: Start, providers: Providers
) -> None:
    broken = b'data: {"error":{"message":"overloaded","type":"overloaded_error"}}\n\n'
    role = chunk({"role": "assistant", "content": ""})
    providers["one"].answers = [stream([role, broken, DONE])]
    deck = await start(providers.environ(), mode="passthrough")
    got = await deck.chat(model=["one/a", "two/b"], stream=True)
    assert b"answer" in got.body
    assert b"overloaded" not in got.body


async def test_no_more_are_under_way_than_may_be(start: Start, providers: Providers) -> None:
    under_way, most = 0, 0

    async def slowly(seen: Any, request: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.005)
        under_way -= 1
        return await plain("ok")(seen, request)

    providers["one"].answers = [slowly]
    deck = await start(providers.environ(one={"max_concurrent": 2}), mode="passthrough")
    got = await asyncio.gather(*(deck.chat(str(n), model="one/m") for n in range(8)))
    assert {one.status for one in got} == {200}
    assert most == 2


async def test_a_native_call_goes_to_the_upstream_of_its_name_with_the_key_that_is_set(
    start: Start, providers: Providers
) -> None:
    said = {"anthropic": {"base_url": providers["one"].url, "api_key": "key-of-anthropic-1"}}
    environ = {"PROMPTDECK_UPSTREAMS": orjson.dumps(said).decode()}
    providers["one"].answers = [raw(orjson.dumps(MESSAGE))]
    deck = await start(environ, mode="passthrough")
    body = orjson.dumps({"model": "claude", "max_tokens": 9, "messages": []})
    await deck.request("POST", "/v1/messages", body, Anthropic_Version="2023-06-01")
    await deck.request("POST", "/v1/messages", body, X_Api_Key="own")
    assert credentials(providers["one"]) == ["key-of-anthropic-1", "own"]
    assert {seen.path for seen in providers["one"].seen} == {"/v1/messages"}


@pytest.mark.parametrize("name", ["anthropic", "google"])
def test_a_provider_that_is_named_is_the_home_of_its_protocols_calls(name: str) -> None:
    target = {"anthropic": "/v1/messages", "google": "/v1beta/models/g:generateContent"}[name]
    call = Request("POST", target, "", b"{}")
    own = {"upstream": "http://127.0.0.1:8000/v1"}
    assert homes_of(load(own, {}).config).route(call, ()) is None
    named = {"PROMPTDECK_UPSTREAMS": f"{{{name}: {{}}}}"}
    route = homes_of(load(own, named).config).route(call, ())
    assert route is not None
    assert (route.url, route.is_home) == (BUILTINS[name].url, True)


async def test_byok_goes_on_whatever_the_model_is_called(
    start: Start, providers: Providers
) -> None:
    deck = await start(providers.environ(), mode="passthrough")
    byok = {"X-Provider": "two", "X-Provider-Key": "brought"}
    await deck.chat(model="one/m", headers=byok)
    assert credentials(providers["two"]) == ["Bearer brought"]
    assert providers["two"].seen[0].json["model"] == "one/m"


async def test_aliases_and_patterns_choose(start: Start, providers: Providers) -> None:
    environ = providers.environ() | {
        "PROMPTDECK_ROUTING_ALIASES": "{fast: [one/small, two/small]}",
        "PROMPTDECK_ROUTING_PATTERNS": '{"claude-*": two/*}',
    }
    deck = await start(environ, mode="passthrough")
    providers["one"].answers = [DOWN]
    got = await deck.chat(model="fast")
    assert got.headers["X-Promptdeck-Served"] == "two/small; dialect=chat"
    got = await deck.chat(model="claude-x")
    assert got.headers["X-Promptdeck-Served"] == "two/claude-x; dialect=chat"
    assert "X-Promptdeck-Served" not in (await deck.chat(model="gpt")).headers


async def test_the_best_fit_is_asked_first_and_its_score_told(
    start: Start, providers: Providers
) -> None:
    deck = await start(providers.environ(), mode="passthrough")
    got = await deck.chat(
        model=["one/a", "two/b"],
        agent_attributes={"accuracy": 0.9, "efficiency": 0.3},
        model_attributes={"a": {"accuracy": 0.4, "speed": 0.9}, "two/b": {"accuracy": 0.9}},
    )
    assert got.headers["X-Promptdeck-Served"] == "two/b; dialect=chat"
    assert got.headers["X-Promptdeck-Route"] == '"two/b"; score=0.8'


async def test_a_proxy_of_its_own_is_asked(start: Start, providers: Providers) -> None:
    proxied = {"base_url": "http://far.example/v1", "proxy": providers["one"].url[:-3]}
    deck = await start(providers.environ(two=proxied), mode="passthrough")
    assert (await deck.chat(model="two/m")).status == 200
    [seen] = providers["one"].seen
    assert seen.path == "http://far.example/v1/chat/completions"
