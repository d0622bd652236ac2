"""Streams of chat servers, each with its own ways, heard as signals."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.chat.hears import ChatHearing, broken_of
from promptdeck.core.dialects.translate.neutral import (
    Aside,
    Broke,
    CallClosed,
    CallOpened,
    CallSaid,
    Finished,
    Metered,
    Opened,
    Sealed,
    Signal,
    Signed,
    Usage,
)
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, compact
from tests.chats import ANY_JSON, COMPLETIONS
from tests.core.dialects.translate.strategies import added_up

AIM = Aim("local", "chat", "m-1")


def heard(*chunks: Any, aim: Aim = AIM, done: bool = True) -> list[Signal]:
    hearing = ChatHearing(aim)
    frames = [one if isinstance(one, bytes) else sse.encode(compact(one)) for one in chunks]
    frames += [b"data: [DONE]\n\n"] if done else []
    found = [signal for frame in frames for signal in hearing.hear(sse.parse(frame))]
    return [*found, *hearing.end()]


def piece(delta: JSON, finish: str | None = None, **more: JSON) -> dict[str, JSON]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "model": "m-1", "created": 1, "choices": [choice], **more}


def called(*pieces: JSON) -> dict[int, list[Any]]:
    """The calls that pieces of them, each in a chunk of its own, add up to."""
    found = heard(*(piece({"tool_calls": [one]}) for one in pieces), piece({}, "tool_calls"))
    calls: dict[int, list[Any]] = added_up(found)["choices"][0]["calls"]
    order = [one.number for one in found if isinstance(one, CallOpened | CallClosed | CallSaid)]
    assert order == sorted(order), "a call begins before the one ahead of it has ended"
    return {number: [call[1], orjson.loads(call[4])] for number, call in calls.items()}


def function(name: str = "", arguments: JSON = "", **more: JSON) -> dict[str, JSON]:
    inner = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    return {**more, "function": inner}


TWO = {0: ["f", {"a": 1}], 1: ["g", {"b": 2}]}


@pytest.mark.parametrize(
    "pieces",
    [
        [function("f", '{"a":', index=0, id="x"), function(arguments="1}", index=0),
         function("g", '{"b":2}', index=1, id="y")],
        # Google's layer: whole, and none has an index
        [function("f", '{"a":1}', id="x"), function("g", '{"b":2}', id="y")],
        # all are number 0, and an id tells them apart
        [function("f", '{"a":1}', index=0, id="x"), function("g", '{"b":2}', index=0, id="y")],
        # DashScope: an empty id on every delta but the first
        [function("f", '{"a":', index=0, id="x"), function(arguments="1}", index=0, id=""),
         function("g", '{"b":2}', index=1, id="y")],
        # Mistral: arguments as an object
        [function("f", {"a": 1}, index=0, id="x"), function("g", {"b": 2}, index=1, id="y")],
        # in turns
        [function("f", '{"a":', index=0, id="x"), function("g", '{"b":', index=1, id="y"),
         function(arguments="1}", index=0), function(arguments="2}", index=1)],
        # the index begins with one
        [function("f", '{"a":1}', index=1, id="x"), function("g", '{"b":2}', index=2, id="y")],
        # the name comes after the id
        [{"index": 0, "id": "x"}, function("f", '{"a":1}', index=0),
         function("g", '{"b":2}', index=1, id="y")],
    ],
)  # fmt: skip
def test_calls_are_told_apart_however_they_are_numbered(pieces: list[JSON]) -> None:
    assert called(*pieces) == TWO


def test_calls_that_are_opened_first_and_go_on_in_turns_are_each_whole() -> None:
    begun = [{"index": n, "id": f"c{n}", **function("f")} for n in range(3)]
    going = [{"index": n, **function(arguments=text)} for text in ('{"a"', ":1}") for n in range(2)]
    assert called(*begun, *going) == {0: ["f", {"a": 1}], 1: ["f", {"a": 1}], 2: ["f", {}]}


def test_a_call_without_arguments_says_an_empty_object() -> None:
    assert called(function("f", "", index=0, id="x")) == {0: ["f", {}]}


def test_a_missing_id_is_made_up_and_stays_the_same() -> None:
    chunks = [piece({"tool_calls": [function("f", "{}"), ]}), piece({}, "stop")]  # fmt: skip
    ids = [one.id for one in heard(*chunks) if isinstance(one, CallOpened)]
    assert ids == ["call_c_0"]
    assert ids == [one.id for one in heard(*chunks) if isinstance(one, CallOpened)]


def test_a_forced_call_ends_as_a_call_though_openai_says_stop() -> None:
    found = heard(piece({"tool_calls": [function("f", "{}", index=0, id="x")]}), piece({}, "stop"))
    assert found[-1] == Finished("tool_calls", "stop")


@pytest.mark.parametrize(
    ("delta", "mused"),
    [
        ({"reasoning_content": "why"}, "why"),
        ({"reasoning": "why"}, "why"),
        ({"reasoning": "why", "reasoning_content": "why"}, "why"),
        ({"reasoning": "why", "reasoning_details": [{"type": "reasoning.text", "text": "why"}]},
         "why"),
        ({"reasoning_details": [{"type": "reasoning.summary", "summary": "why"}]}, "why"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "why"}]}]}, "why"),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}, ""),
    ],
)  # fmt: skip
def test_reasoning_is_heard_once(delta: JSON, mused: str) -> None:
    choice = added_up(heard(piece(delta), piece({"content": "a"}, "stop")))["choices"][0]
    assert choice["mused"] == mused
    assert choice["text"] == "a"


def test_a_block_that_comes_behind_its_text_says_nothing_again() -> None:
    block = {"type": "reasoning.text", "text": "why", "signature": "c2ln"}
    for key in ("reasoning", "reasoning_content"):
        found = heard(piece({key: "why"}), piece({"reasoning_details": [block]}), piece({}, "stop"))
        choice = added_up(found)["choices"][0]
        assert (choice["mused"], len(choice["sealed"])) == ("why", 1)


def test_signed_reasoning_is_whole_and_comes_before_what_it_led_to() -> None:
    entries = [
        {"index": 0, "type": "reasoning.text", "text": "w", "format": "anthropic-claude-v1"},
        {"index": 0, "type": "reasoning.text", "text": "hy"},
        {"index": 0, "type": "reasoning.text", "signature": "c2ln"},
    ]
    found = heard(
        *(piece({"reasoning_details": [one]}) for one in entries),
        piece({"content": "a"}),
        piece({}, "stop"),
    )
    (at,) = [n for n, one in enumerate(found) if isinstance(one, Sealed)]
    sealed = found[at]
    assert isinstance(sealed, Sealed)
    assert sealed.thought.text == "why"
    assert sealed.thought.signed is not None
    assert sealed.thought.signed[:2] == ("local", "m-1")
    assert orjson.loads(sealed.thought.signed.text) == {
        "index": 0, "type": "reasoning.text", "text": "why", "signature": "c2ln",
        "format": "anthropic-claude-v1",
    }  # fmt: skip
    assert type(found[at + 1]).__name__ == "Spoken"


def test_a_signature_on_a_call_is_the_upstream_s() -> None:
    signed = Signed("local", "m-1", "s")
    extra = {"google": {"thought_signature": "s"}}
    for more in ({"extra_content": extra}, {"thought_signature": "s"}):
        call = function("f", "{}", index=0, id="x", **more)
        found = heard(piece({"tool_calls": [call]}), piece({}, "tool_calls"))
        assert [one.signed for one in found if isinstance(one, CallOpened)] == [signed]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}, Usage(7, 5, 12)),
        ({"prompt_tokens": 7, "completion_tokens": 5}, Usage(7, 5, 12)),
        ({"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12,
          "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
          "completion_tokens_details": {"reasoning_tokens": 4}}, Usage(7, 5, 12, 3, 2, 4)),
        ({"prompt_tokens": 7, "completion_tokens": 5, "num_cached_tokens": 3}, Usage(7, 5, 12, 3)),
        ({"prompt_tokens": 7, "completion_tokens": 5, "prompt_cache_hit_tokens": 3,
          "prompt_cache_miss_tokens": 4}, Usage(7, 5, 12, 3)),
        ({"prompt_tokens": 7, "completion_tokens": 5, "cost": 0.1},
         Usage(7, 5, 12, rest={"cost": 0.1})),
    ],
)  # fmt: skip
def test_usage_is_counted_as_openai_does(usage: JSON, expected: Usage) -> None:
    found = heard(piece({"content": "a"}, "stop"), piece({}, usage=usage) | {"choices": []})
    assert [one.usage for one in found if isinstance(one, Metered)] == [expected]
    assert isinstance(found[-1], Finished)


def test_usage_stands_where_a_server_puts_it() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    moonshot = piece({}, "stop")
    moonshot["choices"][0]["usage"] = usage
    groq = piece({}, "stop", x_groq={"usage": usage})
    for last in (moonshot, groq):
        assert added_up(heard(piece({"content": "a"}), last))["usage"] == Usage(7, 5, 12)


def test_xai_counts_reasoning_beside_the_completion() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 22,
             "completion_tokens_details": {"reasoning_tokens": 10}}  # fmt: skip
    aim = Aim("xai", "chat", "grok-4", "xai")
    found = heard(piece({"content": "a"}, "stop", usage=usage), aim=aim)
    assert added_up(found)["usage"] == Usage(7, 15, 22, reasoning=10)


def test_azure_s_first_chunk_opens_nothing() -> None:
    first = {"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": []}
    found = heard(first, piece({"content": "a"}, "stop"))
    assert [one for one in found if isinstance(one, Opened)] == [Opened("c", "m-1", 1)]


@pytest.mark.parametrize(
    "chunks",
    [
        [piece({"content": "a"})],
        [piece({"content": "a"}, usage=None), piece({}, "stop", usage=None)],
        [],
    ],
)
def test_a_quiet_end_is_a_cut(chunks: list[JSON]) -> None:
    (broke,) = [one for one in heard(*chunks, done=False) if isinstance(one, Broke)]
    assert broke.status == 502
    assert not any(isinstance(one, Finished) for one in heard(*chunks, done=False))


def test_an_end_without_done_is_one_where_every_choice_is_finished() -> None:
    assert heard(piece({"content": "a"}, "stop"), done=False)[-1] == Finished("stop", "stop")


@pytest.mark.parametrize(
    "frame",
    [
        {"error": {"message": "later", "code": 429, "type": "rate_limit"}},
        b'event: error\ndata: {"error":{"message":"later","code":429,"type":"rate_limit"}}\n\n',
        {"object": "error", "message": "later", "code": 429, "type": "rate_limit"},
        piece({"content": ""}, "error", error={"message": "later", "code": 429,
                                              "type": "rate_limit"}),
    ],
)  # fmt: skip
def test_an_error_in_the_stream_ends_it(frame: JSON) -> None:
    found = heard(piece({"content": "a"}), frame, piece({"content": "b"}, "stop"))
    assert found[-1] == Broke(429, "rate_limit", "later")
    assert added_up(found)["choices"][0]["text"] == "a"


def test_a_finish_reason_that_tells_of_a_failure_is_one() -> None:
    found = heard(piece({"content": "a"}), piece({}, "insufficient_system_resource"))
    assert isinstance(found[-1], Broke)
    assert "insufficient_system_resource" in found[-1].message


def test_perplexity_s_sources_are_citations() -> None:
    chunk = piece({"content": "a"}, "stop", citations=["https://a.example"])
    assert added_up(heard(chunk))["choices"][0]["cited"] == [
        {"type": "url_citation",
         "url_citation": {"url": "https://a.example", "title": "https://a.example"}}
    ]  # fmt: skip


def test_what_other_protocols_have_no_place_for_is_kept_beside() -> None:
    found = heard(piece({"images": [{"image_url": {"url": "data:"}}]}, "stop"))
    assert [one.part.value for one in found if isinstance(one, Aside)] == [
        {"images": [{"image_url": {"url": "data:"}}]}
    ]


@settings(max_examples=20)
@given(COMPLETIONS)
def test_any_completion_is_heard_to_one_end(completion: dict[str, Any]) -> None:
    try:
        frames = CHAT.cut(completion)
    except (ValueError, TypeError, AttributeError):
        return
    found = heard(*frames, done=False)
    ends = [one for one in found if isinstance(one, Broke | Finished)]
    assert ends
    assert found[-len(ends) :] == ends
    added_up(found)


@settings(max_examples=50)
@given(st.lists(ANY_JSON | st.builds(piece, ANY_JSON, st.none() | st.just("stop")), max_size=4))
def test_no_odd_bytes_raise_anything(chunks: list[JSON]) -> None:
    found = heard(*map(compact_frame, chunks))
    assert isinstance(found[-1], Broke | Finished)
    added_up(found)


def compact_frame(value: JSON) -> bytes:
    return sse.encode(compact(value))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error":{"message":"no","type":"t","param":"p","code":"c"}}',
         Broke(429, "t", "no", "c", "p")),
        (b'{"object":"error","message":"no","type":"t","code":"c"}', Broke(429, "t", "no", "c")),
        (b'{"detail":"no"}', Broke(429, "rate_limit_error", "no")),
        (b'{"code":"c","error":"no"}', Broke(429, "rate_limit_error", "no", "c")),
        (b'[{"error":{"code":429,"message":"no","status":"S"}}]',
         Broke(429, "rate_limit_error", "no")),
        (b"<html><title>429 Too Many</title></html>", Broke(429, "rate_limit_error",
                                                            "429 Too Many")),
        (b"", Broke(429, "rate_limit_error", "the upstream answered with 429")),
        (b'{"type":"error","error":{"type":"rate_limit_error","message":"no"}}',
         Broke(429, "rate_limit_error", "no")),
    ],
)  # fmt: skip
def test_errors_of_every_form_are_understood(body: bytes, expected: Broke) -> None:
    found = broken_of(429, (("Retry-After", "3"),), body)
    assert found == expected._replace(retry_after=3.0)


@given(st.integers(400, 599), st.binary(max_size=40) | ANY_JSON.map(compact))
def test_no_error_is_too_odd(status: int, body: bytes) -> None:
    found = broken_of(status, (("retry-after", "Wed"), ("retry-after-ms", "x")), body)
    assert found.status == status
    assert found.message
    assert found.retry_after is None
