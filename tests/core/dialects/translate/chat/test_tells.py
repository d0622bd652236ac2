"""Signals told to a chat client: what comes out is heard again, and every SDK reads it."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.chat.hears import ChatHearing
from promptdeck.core.dialects.translate.chat.tells import ChatTelling
from promptdeck.core.dialects.translate.neutral import (
    Broke,
    CallClosed,
    CallOpened,
    CallSaid,
    Cited,
    Finished,
    Marked,
    Metered,
    Mused,
    Opened,
    Sealed,
    Signal,
    Signed,
    Spoken,
    Thought,
    Usage,
)
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSONObject
from tests.core.dialects.translate.strategies import added_up, signals, signatures

AIM = Aim("local", "chat", "m-1")
SIGNED = signatures("anthropic", "m-1")


def told(
    answer: list[Signal], asked: JSONObject | None = None, variant: Variant = Variant.SSE_USAGE
) -> list[bytes]:
    telling = ChatTelling({} if asked is None else asked, variant, 1700000000)
    frames = [frame for signal in answer for frame in telling.tell(signal)]
    return [*frames, *telling.end()]


def heard(frames: list[bytes], aim: Aim = AIM) -> list[Signal]:
    hearing = ChatHearing(aim)
    found = [signal for frame in frames for signal in hearing.hear(sse.parse(frame))]
    return [*found, *hearing.end()]


def chunks(frames: list[bytes]) -> list[dict[str, Any]]:
    assert frames[-1] == b"data: [DONE]\n\n"
    assert all(sse.is_one_line(frame) for frame in frames)
    return [orjson.loads(frame[6:]) for frame in frames[:-1]]


@settings(max_examples=25)
@given(signals(also=("refusals", "citations", "bare"), choices=3))
def test_what_is_told_is_heard_again(answer: list[Signal]) -> None:
    assert added_up(heard(told(answer))) == added_up(answer)


@settings(max_examples=25)
@given(signals(signed=SIGNED, also=("refusals", "citations", "marks"), choices=2))
def test_a_stream_is_in_the_form_that_every_sdk_reads(answer: list[Signal]) -> None:
    stream = chunks(told(answer))
    assert len({(one["id"], one["created"], one["model"]) for one in stream}) == 1
    pieces = [choice for one in stream for choice in one["choices"]]
    assert [one["usage"] is not None for one in stream] == [False] * (len(stream) - 1) + [True]
    assert stream[-1]["choices"] == []
    for choice in {piece["index"] for piece in pieces}:
        own = [piece for piece in pieces if piece["index"] == choice]
        assert own[0]["delta"]["role"] == "assistant"
        assert not any("role" in piece["delta"] for piece in own[1:])
        assert [piece["finish_reason"] is not None for piece in own].index(True) == len(own) - 1
        calls = [call for piece in own for call in piece["delta"].get("tool_calls", ())]
        opened = [call["index"] for call in calls if "id" in call]
        assert opened == [*range(len(opened))]
        details = [one for piece in own for one in piece["delta"].get("reasoning_details", ())]
        assert [one["index"] for one in details] == [*range(len(details))]


@given(signals(), st.sampled_from([Variant.SSE, Variant.SSE_USAGE]))
def test_usage_is_told_only_if_it_is_wanted(answer: list[Signal], variant: Variant) -> None:
    usages = [one.get("usage") for one in chunks(told(answer, variant=variant))]
    assert any(usages) is (variant is Variant.SSE_USAGE)


ANSWER: list[Signal] = [
    Opened("msg_1", "claude-5", None),
    Mused("Let me "),
    Mused("see."),
    Sealed(Thought("Let me see.", Signed("anthropic", "claude-5", "c2ln"))),
    Spoken("Hello"),
    Sealed(Thought("", Signed("anthropic", "claude-5", "ZW5j"), is_hidden=True)),
    CallOpened(0, "toolu_1", "now", Signed("google", "gemini-3", "Z29v")),
    CallSaid(0, "{}"),
    CallClosed(0),
    Metered(Usage(7, 5, 12, 3, 2, 1, {"iterations": 2})),
    Finished("tool_calls", "tool_use"),
]


def test_signed_blocks_are_whole_and_tell_who_signed_and_where_they_stood() -> None:
    message = CHAT.fold(told(ANSWER))["choices"][0]["message"]
    anthropic = {"format": "anthropic-claude-v1", "upstream": "anthropic", "model": "claude-5"}
    google = {"format": "google-gemini-v1", "upstream": "google", "model": "gemini-3"}
    assert message["reasoning_content"] == "Let me see."
    assert message["reasoning_details"] == [
        {"index": 0, "type": "reasoning.text", "text": "Let me see.", "signature": "c2ln"}
        | anthropic,
        {"index": 1, "type": "reasoning.encrypted", "data": "ZW5j"}
        | anthropic
        | {"after": {"content": 5, "tool_calls": 0}},
        {"index": 2, "type": "reasoning.encrypted", "data": "Z29v", "id": "toolu_1"}
        | google
        | {"of": "call", "after": {"content": 5, "tool_calls": 0}},
    ]
    (call,) = message["tool_calls"]
    assert call["thought_signature"] == "Z29v"
    assert call["extra_content"] == {"google": {"thought_signature": "Z29v"}}


def test_usage_has_what_the_provider_counts_beside() -> None:
    usage = chunks(told(ANSWER))[-1]["usage"]
    assert usage == {
        "iterations": 2,
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }


def test_the_provider_s_own_reason_is_told_beside() -> None:
    ending = chunks(told([*ANSWER[:-1], Finished("stop", "stop_sequence", "END")]))[-2]
    assert ending["choices"] == [
        {
            "index": 0,
            "delta": {},
            "finish_reason": "stop",
            "native_finish_reason": "stop_sequence",
            "stop_reason": "END",
        }
    ]


def test_a_client_of_the_time_before_tools_gets_a_function_call() -> None:
    asked = {"functions": [{"name": "now"}]}
    message = CHAT.fold(told(ANSWER, asked))
    assert message["choices"][0]["finish_reason"] == "function_call"
    assert message["choices"][0]["message"]["function_call"] == {"name": "now", "arguments": "{}"}
    assert "tool_calls" not in message["choices"][0]["message"]


def test_a_failure_is_one_error_event_and_nothing_after() -> None:
    frames = told([Opened("a", "m"), Broke(529, "overloaded_error", "later"), Spoken("x")])
    (frame,) = frames
    event = sse.parse(frame)
    assert event.event == "error"
    assert orjson.loads(event.data or "")["error"]["message"] == "later"


def test_citations_come_once_and_whole_for_sdks_that_add_deltas_up() -> None:
    cited = [Cited({"type": "url_citation", "url_citation": {"url": str(n)}}) for n in range(2)]
    frames = told([Opened("a", "m"), Spoken("x"), *cited, Marked(Signed("google", "g", "s")),
                   Finished("stop")])  # fmt: skip
    deltas = [choice["delta"] for one in chunks(frames) for choice in one["choices"]]
    assert [len(one["annotations"]) for one in deltas if "annotations" in one] == [2]
    (detail,) = [one["reasoning_details"][0] for one in deltas if "reasoning_details" in one]
    assert (detail["of"], detail["data"]) == ("text", "s")
    assert detail["after"] == {"content": 1, "tool_calls": 0}
