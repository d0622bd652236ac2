"""A stream of Messages as signals, and errors in whatever form they come."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.messages.hears import MessagesHearing, broken_of
from promptdeck.core.dialects.translate.messages.writes import ANSWER
from promptdeck.core.dialects.translate.neutral import (
    Aside,
    Broke,
    CallClosed,
    CallOpened,
    CallSaid,
    Cited,
    Declined,
    Finished,
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
from promptdeck.core.text import sse
from tests.chats import ANY_JSON
from tests.core.dialects.translate.strategies import added_up

from .samples import aim

USAGE = {"input_tokens": 5, "output_tokens": 1}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "usage": USAGE,
           "model": "claude-opus-5-5", "stop_reason": None}  # fmt: skip
START = {"type": "message_start", "message": MESSAGE}
STOP = {"type": "message_stop"}


def end(reason: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **more},
            "usage": {"output_tokens": 7}}  # fmt: skip


def block(begun: dict[str, Any], *deltas: dict[str, Any], index: int = 0) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": begun},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def delta(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"{kind}_delta", **more}


def said(text: str, index: int = 0) -> list[dict[str, Any]]:
    return block({"type": "text", "text": ""}, delta("text", text=text), index=index)


def heard(*events: dict[str, Any]) -> list[Signal]:
    """All signals of a stream, its end included."""
    hearing = MessagesHearing(aim())
    found: list[Signal] = []
    for value in events:
        found += hearing.hear(sse.Event(value.get("type", ""), orjson.dumps(value).decode()))
    return [*found, *hearing.end()]


def whole(*events: dict[str, Any], reason: str = "end_turn", **more: Any) -> list[Signal]:
    """The signals of these between an answer's first and its last."""
    found = heard(START, *events, end(reason, **more), STOP)
    assert found[0] == Opened("msg_1", "claude-opus-5-5")
    assert isinstance(found[-1], Finished)
    assert found[-2] == Metered(Usage(5, 7, 12))
    return found[1:-2]


def test_text_is_spoken() -> None:
    assert whole(*said("a"), *said("b", 1)) == [Spoken("a"), Spoken("b")]
    assert whole(*block({"type": "text", "text": "c"})) == [Spoken("c")]


def test_the_message_may_begin_with_content() -> None:
    begun = {"type": "message_start", "message": {**MESSAGE, "content": [
        {"type": "text", "text": "a"}, {"type": "tool_use", "id": "t", "name": "n",
                                        "input": {"b": 1}}]}}  # fmt: skip
    assert heard(begun, STOP)[1:-2] == [
        Spoken("a"), CallOpened(0, "t", "n"), CallSaid(0, '{"b":1}'), CallClosed(0)
    ]  # fmt: skip


def test_calls_are_numbered_by_themselves() -> None:
    call = {"type": "tool_use", "name": "n", "input": {}}
    found = whole(
        *said("a"),
        *block({**call, "id": "x"}, delta("input_json", partial_json=""),
               delta("input_json", partial_json='{"a":'), delta("input_json", partial_json="1}"),
               index=1),
        *block({**call, "id": "y"}, delta("input_json", partial_json=""), index=2),
        *block({**call, "id": "z"}, index=3),
        reason="tool_use",
    )  # fmt: skip
    assert found[1:] == [
        CallOpened(0, "x", "n"), CallSaid(0, '{"a":'), CallSaid(0, "1}"), CallClosed(0),
        CallOpened(1, "y", "n"), CallSaid(1, "{}"), CallClosed(1),
        CallOpened(2, "z", "n"), CallSaid(2, "{}"), CallClosed(2),
    ]  # fmt: skip


def test_a_tool_is_called_by_its_own_name() -> None:
    call = {"type": "tool_use", "id": "x", "name": "maps_x2e_find", "input": {}}
    assert whole(*block(call), reason="tool_use")[0] == CallOpened(0, "x", "maps.find")


def test_a_call_that_nobody_ended_ends_with_the_message() -> None:
    call = {"type": "tool_use", "id": "x", "name": "n", "input": {}}
    begun = block(call, delta("input_json", partial_json='{"a'))[:2]
    assert whole(*begun, reason="max_tokens")[-1] == CallClosed(0)


HERE = Signed("anthropic", "claude-opus-5-5", "sig")


def test_reasoning_is_mused_and_sealed_when_it_ends() -> None:
    begun = {"type": "thinking", "thinking": "", "signature": ""}
    found = whole(
        *block(begun, delta("thinking", thinking="a"), delta("thinking", thinking="b"),
               delta("signature", signature="sig")),
        *block(begun, delta("signature", signature="sig"), index=1),
        *block({"type": "redacted_thinking", "data": "sig"}, index=2),
        *block(begun, delta("thinking", thinking="c"), index=3),
    )  # fmt: skip
    assert found == [
        Mused("a"), Mused("b"), Sealed(Thought("ab", HERE)), Sealed(Thought("", HERE)),
        Sealed(Thought("", HERE, is_hidden=True)), Mused("c"),
    ]  # fmt: skip


def test_what_anthropic_ran_itself_is_no_call() -> None:
    used = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    got = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    found = whole(
        *block(used, delta("input_json", partial_json='{"q":'), delta("input_json",
               partial_json="1}")), *block(got, index=1), *block({"type": "fallback"}, index=2),
    )  # fmt: skip
    assert [part.part.value for part in found if isinstance(part, Aside)] == [
        {**used, "input": {"q": 1}}, got, {"type": "fallback"}
    ]  # fmt: skip
    assert len(found) == 3
    broken = whole(*block(used, delta("input_json", partial_json='{"q":')))
    assert [part.part.value["input"] for part in broken if isinstance(part, Aside)] == ['{"q":']


def test_sources_stand_where_they_are_cited() -> None:
    web = {"type": "web_search_result_location", "url": "https://a", "title": "t",
           "cited_text": "c", "encrypted_index": "x"}  # fmt: skip
    paper = {"type": "char_location", "cited_text": "c", "document_index": 0}
    found = whole(
        *said("One. "),
        *block({"type": "text", "text": ""}, delta("citations", citation=web),
               delta("citations", citation=paper), delta("text", text="Two."), index=1),
    )  # fmt: skip
    told = {"url": "https://a", "title": "t", "content": "c", "start_index": 5, "end_index": 9}
    assert found[2] == Cited({"type": "url_citation", "url_citation": told})
    assert isinstance(found[3], Aside)
    assert found[3].part.value == {
        "type": "citation", "citation": paper, "start_index": 5, "end_index": 9
    }  # fmt: skip


@pytest.mark.parametrize(
    ("native", "reason"),
    [("end_turn", "stop"), ("stop_sequence", "stop"), ("pause_turn", "stop"),
     ("max_tokens", "length"), ("model_context_window_exceeded", "length"),
     ("refusal", "content_filter"), ("something_new", "stop")],
)  # fmt: skip
def test_why_it_ended(native: str, reason: str) -> None:
    found = heard(START, *said("a"), end(native, stop_sequence="x"), STOP)
    assert found[-1] == Finished(reason, native, "x")  # type: ignore[arg-type]


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "no"}
    assert whole(reason="refusal", stop_details=details) == [Declined("no")]
    assert whole(reason="refusal", stop_details=None) == []


def test_the_call_that_is_the_answer_is_its_text() -> None:
    call = {"type": "tool_use", "id": "x", "name": ANSWER, "input": {}}
    found = heard(START, *block(call, delta("input_json", partial_json='{"a":1}')),
                  end("tool_use"), STOP)  # fmt: skip
    assert found[1] == Spoken('{"a":1}')
    assert found[-1] == Finished("stop", "tool_use")
    at_once = whole(*block({**call, "input": {"b": 2}}), reason="tool_use")
    assert at_once == [Spoken('{"b":2}')]


# What breaks


def test_a_stream_without_its_end_is_cut() -> None:
    events = [START, *said("a"), end(), STOP]
    for length in range(len(events)):
        *_, last = heard(*events[:length])
        assert isinstance(last, Broke)
        assert (last.status, last.code) == (502, "upstream_cut")
    assert isinstance(heard(*events)[-1], Finished)


def test_an_error_ends_it() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded",
             "details": {"error_code": "x"}}}  # fmt: skip
    for before in ([], [START], [START, *said("a")]):
        found = heard(*before, error, *said("b"), STOP)
        assert found[-1] == Broke(
            529, "overloaded_error", "Overloaded", "x", details={"error_code": "x"}
        )
        assert sum(isinstance(one, Broke) for one in found) == 1


def test_the_message_twice_is_one_and_another_s_breaks_it() -> None:
    assert whole(START, *said("a"), START) == [Spoken("a")]
    other = {**START, "message": {**MESSAGE, "id": "msg_2"}}
    assert isinstance(heard(START, *said("a"), other)[-1], Broke)


def test_what_nobody_knows_is_passed_over() -> None:
    new = [{"type": "future_event"}, {"type": "ping"}, {"x": 1}]
    stray = {"type": "content_block_delta", "index": 9, "delta": delta("text", text="x")}
    odd = {"type": "content_block_start", "index": "0", "content_block": {"type": "text"}}
    hints = block({"type": "text", "text": ""}, delta("new", x=1), delta("text", text="a"))
    assert heard(*new, *said("x"), START, *new, stray, odd, *hints, end(), STOP)[1] == Spoken("a")


def test_what_is_no_json_breaks_it() -> None:
    hearing = MessagesHearing(aim())
    assert not [*hearing.hear(sse.Event("", None)), *hearing.hear(sse.Event("", "[DONE]"))]
    assert isinstance(next(iter(hearing.hear(sse.Event("message_start", "{")))), Broke)
    assert not [*hearing.end()]


KINDS = ("message_start", "content_block_start", "content_block_delta", "content_block_stop",
         "message_delta", "message_stop", "error", "ping")  # fmt: skip
BLOCKS = st.builds(
    lambda kind, more: {"type": kind, **more},
    st.sampled_from(["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use",
                     "text_delta", "input_json_delta", "thinking_delta", "citations_delta"]),
    st.dictionaries(st.sampled_from(["text", "thinking", "signature", "data", "id", "name",
                    "input", "partial_json", "citation", "citations"]), ANY_JSON, max_size=3),
)  # fmt: skip
EVENTS = st.builds(
    lambda kind, more: {"type": kind, **more},
    st.sampled_from(KINDS),
    st.dictionaries(
        st.sampled_from(["index", "content_block", "delta", "usage", "message", "error"]),
        st.integers(0, 2) | BLOCKS | ANY_JSON,
        max_size=3,
    ),
)


@given(st.lists(EVENTS, max_size=8))
def test_whatever_comes_is_signals_of_one_answer(events: list[dict[str, Any]]) -> None:
    found = heard(*events)
    ends = [one for one in found if isinstance(one, Finished | Broke)]
    assert ends == found[-1:]
    assert sum(isinstance(one, Opened) for one in found) == any(
        isinstance(one, Opened) for one in found[:1]
    )
    added_up(found)


# Errors with a status


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (429, b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}',
         "rate_limit_error", "slow"),
        (529, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
         "overloaded_error", "Overloaded"),
        (413, b'{"error":{"type":"request_too_large","message":"big"}}', "request_too_large",
         "big"),
        (400, b'{"message":"flat"}', "invalid_request_error", "flat"),
        (400, b'{"error":"plain"}', "invalid_request_error", "plain"),
        (502, b"<html>bad gateway</html>", "server_error", "<html>bad gateway</html>"),
        (503, b"", "overloaded_error", "503"),
        (401, b"[1]", "authentication_error", "1"),
    ],
)  # fmt: skip
def test_an_error_is_understood(status: int, body: bytes, kind: str, message: str) -> None:
    found = broken_of(status, (("retry-after", "7"),), body)
    assert (found.status, found.type, found.retry_after) == (status, kind, 7)
    assert message in found.message


@given(st.integers(400, 599), st.binary(max_size=20) | ANY_JSON.map(orjson.dumps))
def test_whatever_an_error_says_it_is_one(status: int, body: bytes) -> None:
    found = broken_of(status, (("retry-after", "Wed, 21 Oct"),), body)
    assert (found.status, found.retry_after) == (status, None)
    assert found.message
