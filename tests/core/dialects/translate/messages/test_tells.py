"""Signals as a stream of Messages, that the SDK adds up and we hear again."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.messages.dialect import MESSAGES
from promptdeck.core.dialects.translate.messages.hears import MessagesHearing
from promptdeck.core.dialects.translate.messages.loose import unseal
from promptdeck.core.dialects.translate.messages.reads import prompt_of
from promptdeck.core.dialects.translate.messages.tells import MessagesTelling
from promptdeck.core.dialects.translate.neutral import (
    Aside,
    Broke,
    CallClosed,
    CallOpened,
    CallSaid,
    Cited,
    Declined,
    Finished,
    Foreign,
    Marked,
    Metered,
    Mused,
    Opened,
    Sealed,
    Signal,
    Signed,
    Spoken,
    Thought,
    ToolCall,
    Usage,
    Weighed,
    Words,
)
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from tests.core.dialects.translate.strategies import added_up, signals, signatures

from .samples import aim

GOOGLE = Signed("google", "gemini-4", "c2ln")
OPENED = Opened("chatcmpl-1", "gpt-9", 5)


def frames(told: Iterable[Signal]) -> list[bytes]:
    telling = MessagesTelling({"model": "asked"}, Variant.SSE, 1_700_000_000)
    return [*(frame for signal in told for frame in telling.tell(signal)), *telling.end()]


def events(*told: Signal) -> list[dict[str, Any]]:
    """The events of a stream, each named for its type."""
    found = []
    for frame in frames(told):
        event = sse.parse(frame)
        value = orjson.loads(event.data or "")
        assert event.event == value["type"]
        found.append(value)
    return found


def message(*told: Signal, end: Signal | None = None) -> dict[str, Any]:
    """The message that an answer adds up to."""
    return MESSAGES.fold(frames([OPENED, *told, end or Finished("stop")]))


def test_an_answer_in_order() -> None:
    found = events(OPENED, Mused("a"), Spoken("b"), Spoken("c"), Metered(Usage(9, 4, 13, 3)),
                   Finished("stop"))  # fmt: skip
    assert [one["type"].removeprefix("content_") for one in found] == [
        "message_start", "block_start", "block_delta", "block_stop", "block_start", "block_delta",
        "block_delta", "block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    assert [one.get("index") for one in found] == [None, 0, 0, 0, 1, 1, 1, 1, None, None]
    assert found[0]["message"]["usage"] == {
        "input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "output_tokens": 0,
    }  # fmt: skip
    assert found[-2]["usage"] == {
        "input_tokens": 6, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 3,
        "output_tokens": 4,
    }  # fmt: skip
    assert found[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}


def test_what_comes_after_the_finish_is_counted() -> None:
    found = events(OPENED, Spoken("a"), Finished("stop"), Metered(Usage(9, 4, 13)))
    assert found[-2]["usage"]["input_tokens"] == 9


def test_a_message_without_a_name_is_given_one() -> None:
    begun = events(Opened("", ""))[0]["message"]
    assert (begun["id"], begun["model"]) == ("msg_1700000000", "asked")


def test_calls_side_by_side_are_each_whole() -> None:
    found = message(
        Spoken("x"), CallOpened(0, "a|b", "n"), CallOpened(1, "c", "m"), CallSaid(1, '{"d":'),
        CallSaid(0, "{}"), CallSaid(1, "1}"), CallClosed(1), CallClosed(0),
        end=Finished("tool_calls"),
    )  # fmt: skip
    assert [block.get("input") for block in found["content"]] == [None, {}, {"d": 1}]
    assert found["content"][1]["id"].startswith("toolu_")
    assert found["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("told", "end", "reason"),
    [
        ([], Finished("stop"), "end_turn"),
        ([], Finished("stop", "pause_turn"), "pause_turn"),
        ([], Finished("stop", "STOP", "x"), "stop_sequence"),
        ([], Finished("length"), "max_tokens"),
        ([], Finished("content_filter", "SAFETY"), "refusal"),
        ([Declined("no")], Finished("stop"), "refusal"),
        ([CallOpened(0, "a", "n"), CallClosed(0)], Finished("stop", "stop"), "tool_use"),
    ],
)
def test_why_it_ended(told: list[Signal], end: Finished, reason: str) -> None:
    found = message(*told, end=end)
    assert found["stop_reason"] == reason
    assert found["stop_sequence"] == end.stop


def test_a_refusal_is_explained() -> None:
    found = message(Declined("I "), Declined("won't"), end=Finished("stop"))
    assert found["stop_details"]["explanation"] == "I won't"


def test_a_source_is_cited_in_its_text() -> None:
    inner = {"url": "https://a", "title": "t", "start_index": 0, "end_index": 1}
    found = message(Spoken("x"), Cited({"type": "url_citation", "url_citation": inner}))
    (block,) = found["content"]
    (cited,) = block["citations"]
    assert (cited["type"], cited["url"]) == ("web_search_result_location", "https://a")
    assert (cited["title"], cited["cited_text"], cited["encrypted_index"]) == ("t", "", "")


def test_an_error_is_an_event_and_the_end() -> None:
    broke = Broke(529, "overloaded_error", "Overloaded", retry_after=3)
    for before in ([], [OPENED, Spoken("a")]):
        *_, last = events(*before, broke, Spoken("b"), Finished("stop"))
        assert last["type"] == "error"
        assert last["error"]["type"] == "overloaded_error"
        assert last["error"]["message"] == "Overloaded"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (404, "not_found_error"),
     (413, "request_too_large"), (422, "invalid_request_error"), (429, "rate_limit_error"),
     (500, "api_error"), (502, "api_error"), (503, "api_error"), (529, "overloaded_error")],
)  # fmt: skip
def test_an_error_has_anthropic_s_word_for_it(status: int, kind: str) -> None:
    (found,) = events(Broke(status, "server_error", "x"))
    assert found["error"]["type"] == kind


def test_what_messages_have_no_place_for_is_not_told() -> None:
    elsewhere = [Spoken("b", 1), Finished("stop", choice=1), CallSaid(7, "x"), CallClosed(7)]
    foreign = Aside(Foreign("responses", {"type": "x"}))
    nothing: list[Signal] = [Weighed(({"token": "a"},)), foreign, *elsewhere]
    assert events(OPENED, *nothing) == events(OPENED)
    assert message(*nothing)["content"] == []


def test_half_an_emoji_is_told_in_escapes() -> None:
    assert b"\\ud83d" in b"".join(frames([OPENED, Spoken("\ud83d")]))


# Signatures: what a client sends back is what it was given.


def returned(*told: Signal) -> tuple[Any, ...]:
    """The parts of the turn that a client makes of an answer, as they are read."""
    content = message(*told)["content"]
    body = {"model": "m", "messages": [{"role": "assistant", "content": content}]}
    return prompt_of(body, "/v1/messages").turns[0].parts


def test_reasoning_comes_back_signed() -> None:
    thought, hidden = Thought("ab", GOOGLE), Thought("", GOOGLE, is_hidden=True)
    assert returned(Mused("a"), Mused("b"), Sealed(thought), Sealed(hidden), Spoken("c")) == (
        thought, hidden, Words("c")
    )  # fmt: skip
    assert returned(Sealed(Thought("", GOOGLE))) == (Thought("", GOOGLE),)
    assert returned(Sealed(thought), Mused("c"), Spoken("d")) == (
        thought, Thought("c"), Words("d")
    )  # fmt: skip


def test_a_signature_that_comes_late_comes_with_all_that_it_signs() -> None:
    found = returned(Mused("ab"), Spoken("c"), Sealed(Thought("ab", GOOGLE)))
    assert found == (Thought("ab"), Words("c"), Thought("ab", GOOGLE))


def test_calls_and_texts_come_back_signed() -> None:
    found = returned(
        Spoken("a"), Marked(GOOGLE), CallOpened(0, "x:1", "n", GOOGLE), CallSaid(0, "{}"),
        CallClosed(0), CallOpened(1, "y", "n"), CallClosed(1),
    )  # fmt: skip
    assert found == (
        Words("a", signed=GOOGLE), ToolCall("x:1", "n", "{}", GOOGLE), ToolCall("y", "n", "{}")
    )  # fmt: skip


# Told and heard again


def heard(stream: Iterable[bytes]) -> list[Signal]:
    hearing = MessagesHearing(aim())
    found = [one for frame in stream for one in hearing.hear(sse.parse(frame))]
    return [*found, *hearing.end()]


@given(signals(signatures("google", "gemini-4"), ("refusals", "bare")))
def test_what_is_told_is_heard_as_it_was(told: list[Signal]) -> None:
    ours, theirs = added_up(told), added_up(heard(frames(told)))
    assert _sayable(theirs) == _sayable(ours)


def _sayable(answer: dict[str, Any]) -> dict[str, Any]:
    """What of an answer Messages can say: signatures without their seals, counts in full."""
    (choice,) = answer["choices"].values()
    sealed = [*choice["sealed"]]
    for call in choice["calls"].values():
        if call[2] is not None:
            sealed.append(Thought("", call[2]))
        call[2], call[4] = None, call[4] or "{}"
    if not any(thought.is_hidden for thought in sealed):
        choice["mused"] = choice["mused"] or "".join(thought.text for thought in sealed)
    usage = answer["usage"]
    return {
        "id": answer["id"],
        "text": choice["text"],
        "mused": choice["mused"],
        "sealed": [
            (thought.text, thought.is_hidden, unseal(thought.signed.text, "")[0].text)
            for thought in sealed
        ],
        "calls": choice["calls"],
        "refusal": choice["refusal"],
        "finished": choice["finished"],
        "usage": (usage.prompt, usage.completion, usage.cached or 0, usage.reasoning),
    }


@given(signals(signatures("google", "gemini-4"), ("refusals", "bare", "marks", "citations")))
def test_a_stream_adds_up_to_what_is_cut_into_one(told: list[Signal]) -> None:
    whole = MESSAGES.fold(frames(told))
    assert MESSAGES.fold(MESSAGES.cut(whole)) == whole


@given(st.lists(st.sampled_from([
    OPENED, Spoken("a"), Mused("b"), Sealed(Thought("b", GOOGLE)), Marked(GOOGLE), Declined("c"),
    CallOpened(0, "d", "n"), CallSaid(0, "{}"), CallClosed(0), Metered(Usage(1, 2, 3)),
    Cited({"type": "url_citation"}), Aside(Foreign("messages", {"type": "e"})),
    Aside(Foreign("messages", {})), Finished("stop"), Broke(500, "a", "b"),
]), max_size=8))  # fmt: skip
def test_whatever_is_told_each_block_ends_once_and_in_its_place(told: list[Signal]) -> None:
    open_ones: set[int] = set()
    begun = 0
    for value in events(*told):
        match value["type"]:
            case "content_block_start":
                assert value["index"] == begun
                begun += 1
                open_ones.add(value["index"])
            case "content_block_delta":
                assert value["index"] in open_ones
            case "content_block_stop":
                open_ones.remove(value["index"])
            case "message_stop":
                assert not open_ones
