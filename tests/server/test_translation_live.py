"""Answers of four dialects reach the clients of four: live, recorded, and replayed offline."""

import asyncio
import gzip
import re
from typing import Any

import pytest

from promptdeck.core.dialects.interpreted import is_told_otherwise
from promptdeck.core.dialects.table import TRANSLATED, dialect_answering, dialect_in
from promptdeck.core.interaction import Interaction, Response, frames_of
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import compact
from promptdeck.server.answers.rendering import is_events
from promptdeck.server.fast import connection as fastpath
from promptdeck.server.fast.direct import Direct
from promptdeck.stores.cassettes.file import read
from tests.conftest import Deck, Got, Start
from tests.dialects import PROTOCOLS
from tests.raw_client import dechunked, talking
from tests.scripted_upstream import Answer, Upstream, raw
from tests.scripted_upstream import stream as streaming
from tests.server.fast.test_paced import comparable
from tests.translations import MODELS, PAIRS, asked_by, served_by

JSON = {"Content-Type": "application/json"}


# Live


def upstreams(start: Start, provider: Upstream) -> None:
    """Settings by which all upstreams of these tests are the scripted one."""
    lines = [
        f"  {name}: {{dialect: {dialect}, base_url: '{provider.url}', api_key: k-{name}}}\n"
        for dialect, (name, _) in MODELS.items()
    ]
    (start.folder / "promptdeck.yaml").write_text(
        "routing: {retries: 0}\nupstreams:\n" + "".join(lines)
    )


def giving(upstream: str, *, stream: bool, **more: Any) -> Answer:
    """What an upstream answers, and who would be told to have served."""
    protocol = PROTOCOLS[upstream]
    named = dict([served_by(upstream)])
    return (
        streaming(protocol.stream, headers=named, **more)
        if stream
        else raw(compact(protocol.whole), headers=named)
    )


async def got_by(deck: Deck, client: str, upstream: str, *, stream: bool) -> Got:
    asked_for = asked_by(client, upstream, stream=stream)
    return await deck.request("POST", asked_for.target, asked_for.body)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("stream", [True, False])
async def test_any_dialect_answers_any_client_and_is_recorded_as_it_came(
    start: Start, provider: Upstream, stream: bool, fast: bool
) -> None:
    upstreams(start, provider)
    deck = await start(mode="record", cassette="c", fast=fast)
    live = {}
    for client, upstream in PAIRS:
        provider.answers = [giving(upstream, stream=stream)]
        got = await got_by(deck, client, upstream, stream=stream)
        assert got.status == 200, got.body
        assert got.headers["x-promptdeck-served"].endswith(f"; translated-from={upstream}")
        assert is_events(got.headers["content-type"]) == stream
        live[client, upstream] = got
    kept = {answering(one): one for one in read(start.folder / "cassettes" / "c.yaml")}
    assert kept.keys() == live.keys()
    for (client, upstream), one in kept.items():
        protocol = PROTOCOLS[upstream]
        wanted = b"".join(protocol.stream) if stream else compact(protocol.whole)
        assert one.response.body == wanted
        assert one.response.body != live[client, upstream].body
        assert not is_told_otherwise(one)
        assert "x-promptdeck-rendered" in dict(one.response.headers)
    offline = await start(mode="replay", cassette="c", fast=fast, store=start.folder / "2.db")
    for (client, upstream), before in live.items():
        again = await got_by(offline, client, upstream, stream=stream)
        assert again.body == before.body
        assert "hit" in again.cache_status
        assert comparable_headers(again) == comparable_headers(before)


def heard(got: Got) -> Response:
    """An answer as a recording would have it."""
    streams = is_events(got.headers["content-type"])
    frames = sse.frames(got.body) if streams else [got.body]
    return Response(got.status, tuple(got.headers.items()), frames_of((0, one) for one in frames))


def answering(one: Interaction) -> tuple[str, str]:
    return dialect_in(one.request).name, dialect_answering(one).name


def comparable_headers(got: Got) -> dict[str, str]:
    ours = {"age", "cache-status", "content-length", "date", "server", "transfer-encoding"}
    ours |= {"x-request-id", "x-promptdeck-route"}
    return {name.lower(): value for name, value in got.headers.items() if name.lower() not in ours}


@pytest.mark.parametrize("fast", [True, False])
async def test_a_stream_is_passed_on_while_it_comes(
    start: Start, provider: Upstream, fast: bool
) -> None:
    upstreams(start, provider)
    deck = await start(mode="cache", fast=fast)
    gate = asyncio.Event()
    frames = PROTOCOLS["messages"].stream
    spoken = next(n for n, frame in enumerate(frames) if b"It is " in frame)
    for prompt in ("first", "second"):  # the second one may take the fast path
        gate.clear()
        provider.answers = [giving("messages", stream=True, gate=gate, before_gate=spoken + 1)]
        body = {
            "model": "anthropic/claude-opus-5",
            "messages": [{"role": "user", "content": prompt}],
            "stream": True,
        }
        url = f"{deck.server.root}/v1/chat/completions"
        async with deck.session.post(url, data=compact(body), headers=JSON) as response:
            seen = b""
            while b"It is " not in seen:
                seen += await response.content.readany()
            assert b"[DONE]" not in seen
            gate.set()
            seen += await response.content.read()
        assert seen.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("quiet", [True, False])
async def test_an_answer_without_its_end_is_an_error_and_is_not_kept(
    start: Start, provider: Upstream, stream: bool, quiet: bool, fast: bool
) -> None:
    upstreams(start, provider)
    deck = await start(mode="record", cassette="c", fast=fast)
    for client, upstream in PAIRS:
        frames = PROTOCOLS[upstream].stream[: PROTOCOLS[upstream].end - 1]
        named = dict([served_by(upstream)])
        provider.answers = [streaming(frames, cut=not quiet, headers=named)]
        got = await got_by(deck, client, upstream, stream=stream)
        dialect = TRANSLATED[client]
        told = heard(got)
        problem = dialect.problem_with(told)
        assert problem in ("the stream reports an error", "the body reports an error"), got.body
        assert got.status == (200 if stream else 502)
    assert not (start.folder / "cassettes" / "c.yaml").exists()


@pytest.mark.parametrize("fast", [True, False])
async def test_errors_keep_their_status_and_when_to_come_again(
    start: Start, provider: Upstream, fast: bool
) -> None:
    upstreams(start, provider)
    deck = await start(mode="cache", fast=fast)
    error = compact({"type": "error", "error": {"type": "x", "message": "so it is", "code": 9}})
    for client, upstream in PAIRS:
        headers = dict([served_by(upstream), ("retry-after", "7"), ("request-id", "r-1")])
        provider.answers = [raw(error, status=422, headers=headers)]
        got = await got_by(deck, client, upstream, stream=True)
        assert got.status == 422
        assert b"so it is" in got.body
        assert got.headers["content-type"].startswith("application/json")
        assert got.headers["retry-after"] == "7"
        assert got.headers["x-upstream-request-id"] == "r-1"


@pytest.mark.parametrize("fast", [True, False])
async def test_what_is_too_large_to_be_translated_as_a_whole_is_said(
    start: Start, provider: Upstream, fast: bool
) -> None:
    upstreams(start, provider)
    deck = await start(
        mode="passthrough", fast=fast, environ={"PROMPTDECK_RECORD_MAX_BYTES": "500"}
    )
    for _ in range(2):
        provider.answers = [giving("messages", stream=False)]
        got = await got_by(deck, "chat", "messages", stream=False)
        assert got.status == 502
        assert got.json["error"]["code"] == "untranslatable"
        assert "record.max_bytes" in got.json["error"]["message"]


async def test_what_the_contract_finds_odd_is_said_beside_what_was_lost(
    start: Start, provider: Upstream
) -> None:
    upstreams(start, provider)
    for mode in ("record", "replay"):
        deck = await start(mode=mode, cassette="c", store=start.folder / f"{mode}.db")
        lost = {"Warning": '299 promptdeck "$.seed has no counterpart"'}
        provider.answers = [
            raw(
                compact(PROTOCOLS["messages"].whole),
                headers={**dict([served_by("messages")]), **lost},
            )
        ]
        got = await deck.chat(model="anthropic/claude-opus-5", seed=1, temperature=9)
        [warning] = got.headers.getall("Warning")
        assert warning.startswith('299 promptdeck "')
        assert "temperature" in warning
        assert "$.seed" in warning


PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "gemini": "/v1beta/models/gemini-3.8-flash:",
}


def test_the_paths_are_those_of_all_dialects() -> None:
    assert PATHS.keys() == MODELS.keys()


async def test_each_upstream_is_asked_in_its_own_dialect_with_its_own_key(
    start: Start, provider: Upstream
) -> None:
    upstreams(start, provider)
    deck = await start(mode="cache")
    for client, upstream in PAIRS:
        provider.answers = [giving(upstream, stream=False)]
        await got_by(deck, client, upstream, stream=False)
        seen = provider.seen[-1]
        assert seen.path.startswith(PATHS[upstream])
        name, model = MODELS[upstream]
        assert f"k-{name}" in str(seen.headers)
        assert seen.json.get("model", model) == model


@pytest.mark.parametrize("mode", ["passthrough", "record-missing"])
@pytest.mark.parametrize("stream", [True, False])
async def test_what_was_signed_goes_back_though_its_client_has_lost_it(
    start: Start, provider: Upstream, stream: bool, mode: str
) -> None:
    upstreams(start, provider)
    deck = await start(mode=mode, cassette="c")
    provider.answers = [giving("messages", stream=stream)]
    model = "anthropic/claude-opus-5"
    await deck.chat("hi", model=model, tools=TOOLS, **({"stream": True} if stream else {}))
    if mode == "record-missing":
        # Another server, which has only heard it from the recording.
        deck = await start(mode=mode, cassette="c", store=start.folder / "2.db")
        hit = await deck.chat(
            "hi", model=model, tools=TOOLS, **({"stream": True} if stream else {})
        )
        assert "hit" in hit.cache_status
    calls = [
        {"id": f"toolu_{n}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for n, name in ((1, "paint"), (2, "now"))
    ]
    results = [{"role": "tool", "tool_call_id": one["id"], "content": "ok"} for one in calls]
    provider.answers = [giving("messages", stream=False)]
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        *results,
    ]
    await deck.chat(model=model, tools=TOOLS, messages=turns)
    [_, answer, _] = provider.seen[-1].json["messages"]
    assert [block["type"] for block in answer["content"]] == [
        *("thinking", "redacted_thinking", "tool_use", "tool_use")
    ]
    assert answer["content"][0]["signature"] == "c2ln"
    # Another provider gets nothing of it.
    provider.answers = [giving("gemini", stream=False)]
    await deck.chat(model="google/gemini-3.8-flash", tools=TOOLS, messages=turns)
    assert b"c2ln" not in provider.seen[-1].body
    assert b"Let me look" not in provider.seen[-1].body


TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("paint", "now")
]


@pytest.mark.parametrize("strict", [True, False])
async def test_what_is_lost_is_named_live_and_replayed_or_refused(
    start: Start, provider: Upstream, strict: bool
) -> None:
    upstreams(start, provider)
    environ = {"PROMPTDECK_CONTRACT_STRICT": "true"} if strict else {}
    provider.answers = [giving("messages", stream=False)]
    for mode in ("record", "replay"):
        deck = await start(mode=mode, cassette="c", store=start.folder / mode, environ=environ)
        got = await deck.chat(model="anthropic/claude-opus-5", seed=1, logit_bias={"1": 2})
        if strict:
            assert got.status == 400
            assert not provider.seen
            if mode == "record":
                assert "seed" in str(got.json["error"])
                assert "logit_bias" in str(got.json["error"])
        else:
            [warning] = got.headers.getall("Warning")
            assert "$.seed" in warning
            assert "$.logit_bias" in warning
            assert len(provider.seen) == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_is_stored_or_deferred_is_a_chat_completion(
    start: Start, provider: Upstream, stream: bool
) -> None:
    upstreams(start, provider)
    deck = await start(mode="cache")
    asked = {"model": "anthropic/claude-opus-5"}
    provider.answers = [giving("messages", stream=stream)]
    await deck.chat("keep it", store=True, **asked, **({"stream": True} if stream else {}))
    [kept] = (await deck.request("GET", "/v1/chat/completions")).json["data"]
    assert kept["choices"][0]["message"]["content"] == "It is blue, I think."
    provider.answers = [giving("messages", stream=False)]
    slip = (await deck.chat("later", deferred=True, **asked)).json["request_id"]
    while (
        later := await deck.request("GET", f"/v1/chat/deferred-completion/{slip}")
    ).status == 202:
        await asyncio.sleep(0.01)
    assert later.json["choices"][0]["message"]["content"] == "It is blue, I think."


async def test_an_answer_is_given_once_more_by_its_key(start: Start, provider: Upstream) -> None:
    upstreams(start, provider)
    deck = await start(mode="record", cassette="c")
    provider.answers = [giving("messages", stream=False)]
    headers = {"Idempotency_Key": "one"}
    both = [await deck.chat(model="anthropic/claude-opus-5", headers=headers) for _ in range(2)]
    assert len(provider.seen) == 1
    assert both[0].json == both[1].json
    assert "idempotency-key" in both[1].cache_status


async def test_several_clients_of_one_answer_have_it_translated(
    start: Start, provider: Upstream
) -> None:
    upstreams(start, provider)
    deck = await start(mode="cache")
    gate = asyncio.Event()
    provider.answers = [giving("messages", stream=True, gate=gate, before_gate=20)]
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(deck.chat(model="anthropic/claude-opus-5", stream=True))
            for _ in range(3)
        ]
        while not provider.seen:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        gate.set()
    got = [one.result() for one in asked]
    assert len(provider.seen) == 1
    assert len({one.body for one in got}) == 1
    assert got[0].body.endswith(b"data: [DONE]\n\n")


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> list[Direct]:
    """The answers that are written without aiohttp's request."""
    seen: list[Direct] = []

    class Counted(Direct):
        def begin(self) -> None:
            seen.append(self)
            super().begin()

    monkeypatch.setattr(fastpath, "Direct", Counted)
    return seen


@pytest.mark.parametrize("wanted", ["json", "sse"])
@pytest.mark.parametrize("given", ["json", "sse", "gzip", "cut", "error", "failed", "odd type"])
async def test_both_ways_of_a_new_answer_tell_the_same(
    start: Start, provider: Upstream, direct: list[Direct], wanted: str, given: str
) -> None:
    upstreams(start, provider)
    told = []
    for fast in (True, False):
        deck = await start(mode="passthrough", fast=fast)
        answers = []
        async with talking(deck.server) as talk:
            for _ in range(2):  # the second time its head is known
                for client, upstream in PAIRS:
                    provider.answers = [odd(given, upstream)]
                    asked_for = asked_by(client, upstream, stream=wanted == "sse")
                    talk.ask(asked_for.body, target=asked_for.target)
                    answers.append(await talk.answer())
        told.append([without_moments(comparable(one)) for one in answers])
        for (client, _), one in zip(PAIRS * 2, answers, strict=True):
            good = given not in ("cut", "error", "failed")
            streams = is_events(one.headers["content-type"])
            body = dechunked(one.body) if "transfer-encoding" in one.headers else one.body
            frames = sse.frames(body) if streams else [body]
            response = Response(
                int(one.status.split()[1]),
                tuple(one.headers.items()),
                frames_of((0, frame) for frame in frames),
            )
            problem = TRANSLATED[client].problem_with(response)
            assert (problem is None) == good, (one.status, body)
            assert streams == (wanted == "sse") or not good
            assert good or streams or response.status >= 400
    if given == "failed":  # what is told of the tries hangs on how long they took
        told = [[status for status, *_ in one] for one in told]
    assert told[0] == told[1]
    assert len(direct) >= len(PAIRS)


def without_moments(answer: Any) -> Any:
    """An answer without what tells the time, or how long a try has taken."""
    status, headers, body, closed = answer
    kept = {k: v for k, v in headers.items() if k not in ("x-promptdeck-route", "content-length")}
    body = re.sub(rb'"(created|created_at|completed_at|seconds)":[0-9.]+', rb'"\1":0', body)
    return status, kept, body, closed


def odd(given: str, upstream: str) -> Answer:
    """An answer of an upstream's, in one of the ways that answers are given."""
    protocol, named = PROTOCOLS[upstream], dict([served_by(upstream)])
    if given == "json":
        return raw(compact(protocol.whole), headers=named)
    if given == "gzip":
        packed = {"Content-Encoding": "gzip", "Content-Type": "text/event-stream"}
        return raw(gzip.compress(b"".join(protocol.stream)), headers={**named, **packed})
    if given == "error":
        body = {"type": "error", "error": {"type": "x", "message": "no", "code": 400}}
        return raw(compact(body), status=400, headers=named)
    if given == "failed":
        return raw(b'{"id":"x","status":"failed","error":{"code":"server_error","message":"no"}}')
    if given == "odd type":
        return streaming(protocol.stream, content_type="text/plain")
    frames = protocol.stream if given == "sse" else protocol.stream[: protocol.end - 1]
    return streaming(frames, headers=named)


async def test_a_list_is_the_same_live_and_replayed(start: Start, provider: Upstream) -> None:
    upstreams(start, provider)
    for upstream in ("chat", "messages", "responses"):
        asked_for = asked_by("gemini", upstream, stream=True)
        target = asked_for.target.partition("?")[0]
        provider.answers = [giving(upstream, stream=True)]
        live = await start(mode="record", cassette=upstream, store=start.folder / f"{upstream}.db")
        first = await live.request("POST", target, asked_for.body)
        offline = await start(mode="replay", cassette=upstream)
        second = await offline.request("POST", target, asked_for.body)
        assert isinstance(first.json, list)
        assert (first.body, first.headers["content-type"]) == (
            second.body,
            second.headers["content-type"],
        )


SIGNED = {"messages": b"c2ln", "gemini": b"Z29vZ2xl", "responses": b"b3BlbmFp"}
"""What each provider has signed, of which the samples have the same."""


def signed_by(upstream: str) -> Answer:
    body = compact(PROTOCOLS[upstream].whole)
    before = {"gemini": b"c2ln", "responses": b"ZW5j"}.get(upstream, SIGNED[upstream])
    return raw(body.replace(b'"%b"' % before, b'"%b"' % SIGNED[upstream]))


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_loop_of_tools_moves_from_one_provider_to_another_and_back(
    start: Start, provider: Upstream, keeps: bool
) -> None:
    upstreams(start, provider)
    deck = await start(mode="record", cassette="c")
    turns: list[Any] = [{"role": "user", "content": "hi"}]
    path = ("messages", "gemini", "messages", "responses", "gemini", "responses")
    for step, upstream in enumerate(path):
        provider.answers = [signed_by(upstream)]
        asked = {"model": "/".join(MODELS[upstream]), "tools": TOOLS, "messages": turns}
        got = await deck.chat(**asked)
        for signer, text in SIGNED.items():
            # Each goes home once its own have come, and to nobody else.
            own = signer == upstream and signer in path[:step]
            assert (b'"%b"' % text in provider.seen[-1].body) == own, (step, upstream, signer)
        message = got.json["choices"][0]["message"]
        if not keeps:  # as clients do that know the contract's fields alone
            message = {name: message[name] for name in ("role", "content", "tool_calls")}
            for call in message["tool_calls"]:
                call.pop("extra_content", None)
                call.pop("thought_signature", None)
        results = [
            {"role": "tool", "tool_call_id": call["id"], "content": "ok"}
            for call in message["tool_calls"]
        ]
        turns = [*turns, message, *results]
    offline = await start(mode="replay", cassette="c", store=start.folder / "2.db")
    again = await offline.chat(**asked)
    assert again.json == got.json


@pytest.mark.parametrize("mode", ["record", "cache"])
async def test_what_can_only_be_told_of_as_a_failure_is_not_kept(
    start: Start, provider: Upstream, mode: str
) -> None:
    upstreams(start, provider)
    deck = await start(mode=mode, cassette="c")
    frames = PROTOCOLS["messages"].stream
    # Its end is there; an event on the way cannot be read.
    broken = [frame.replace(b'"It is "', b'"It is ') for frame in frames]
    assert broken != frames
    for wanted in ("hit me", "hit me"):
        provider.answers = [streaming(broken)]
        got = await deck.chat(wanted, model="anthropic/claude-opus-5", stream=True)
        assert TRANSLATED["chat"].problem_with(heard(got)) == "the stream reports an error"
    assert len(provider.seen) == 2
    assert deck.server.counts().recorded == 0
