"""An answer told as a stream of `/v1/responses`."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings

from promptdeck.core.dialects.pieces import chunk
from promptdeck.core.dialects.responses.dialect import RESPONSES
from promptdeck.core.dialects.translate.aim import Aim
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
    Usage,
    Weighed,
)
from promptdeck.core.dialects.translate.responses.hears import ResponsesHearing
from promptdeck.core.dialects.translate.responses.tells import ResponsesTelling
from promptdeck.core.dialects.translate.responses.wrapping import wrapped
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSONObject, parse
from tests.core.dialects.translate.strategies import added_up, signals, signatures

NOW = 1_700_000_000
OPENED = Opened("chatcmpl-1", "llama", 7)
SIGNED = Signed("google", "gemini-3", "sig")


def frames_of(*told: Signal, asked: JSONObject | None = None) -> list[bytes]:
    telling = ResponsesTelling(asked or {"model": "llama"}, Variant.SSE, NOW)
    return [*(frame for one in told for frame in telling.tell(one)), *telling.end()]


def events_of(*told: Signal, asked: JSONObject | None = None) -> list[JSONObject]:
    """The events of a stream: each has its number, and its type as its name."""
    events = []
    for number, frame in enumerate(frames_of(*told, asked=asked)):
        assert frame.endswith(b"\n\n")
        event = sse.parse(frame)
        value = chunk(frame)
        assert (value["type"], value["sequence_number"]) == (event.event, number)
        events.append(value)
    return events


def kinds(events: Iterable[JSONObject]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def response_of(*told: Signal, asked: JSONObject | None = None) -> JSONObject:
    response: JSONObject = events_of(OPENED, *told, asked=asked)[-1]["response"]
    return response


def items_of(*told: Signal) -> list[Any]:
    output: list[Any] = response_of(*told, Finished("stop"))["output"]
    return output


def test_a_text_is_told_from_its_item_down_to_its_pieces() -> None:
    usage = Usage(3, 2, 5, cached=1, reasoning=1, rest={"cost": 2})
    events = events_of(OPENED, Spoken("Hel"), Spoken("lo"), Metered(usage), Finished("stop"))
    assert kinds(events) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
        "output_text.delta", "output_text.done", "content_part.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    part = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    item = {
        "id": "msg_chatcmpl-1_0", "type": "message", "role": "assistant", "status": "completed",
        "content": [part],
    }  # fmt: skip
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    assert events[2]["item"] == {**item, "status": "in_progress", "content": []}
    assert events[3].items() >= {**at, "part": {**part, "text": ""}}.items()
    assert events[4].items() >= {**at, "delta": "Hel", "logprobs": []}.items()
    assert events[6].items() >= {**at, "text": "Hello", "logprobs": []}.items()
    assert (events[7]["part"], events[8]["item"]) == (part, item)
    response = events[-1]["response"]
    assert response["output"] == [item]
    assert (response["id"], response["created_at"]) == ("resp_chatcmpl-1", 7)
    assert (response["status"], response["completed_at"]) == ("completed", NOW)
    assert response["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 5,
        "cost": 2,
    }
    assert {event["response"]["id"] for event in events if "response" in event} == {response["id"]}


def test_ids_of_items_are_short_and_their_own() -> None:
    ids = set()
    for name in ("x" * 200, "x" * 201, "short"):
        events = events_of(Opened(name, "m"), Spoken("a"), Finished("stop"))
        assert events[-1]["response"]["id"] == f"resp_{name}"
        ids.add(events[-1]["response"]["output"][0]["id"])
    assert len(ids) == 3
    assert max(map(len, ids)) <= 64


def test_the_response_says_what_was_asked() -> None:
    asked: JSONObject = {
        "model": "mine", "instructions": "Be brief.", "temperature": 0, "top_p": 0.5,
        "max_output_tokens": 9, "metadata": {"a": "b"}, "parallel_tool_calls": False,
        "reasoning": {"effort": "low"}, "text": {"format": {"type": "json_object"}},
        "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": True}],
        "tool_choice": {"type": "function", "name": "f"}, "user": "u", "top_logprobs": 2,
    }  # fmt: skip
    response = response_of(Finished("stop"), asked=asked)
    assert {name: response[name] for name in asked} == {**asked, "model": "llama"}
    plain = response_of(Finished("stop"), asked={"model": "m", "tools": None, "temperature": "x"})
    assert (plain["tools"], plain["tool_choice"], plain["temperature"]) == ([], "auto", 1.0)
    assert plain["store"] is False


def test_calls_may_come_side_by_side() -> None:
    events = events_of(
        OPENED,
        Spoken("Both."),
        CallOpened(0, "a", "f"),
        CallOpened(1, "b", "g", is_custom=True),
        CallSaid(0, '{"x"'),
        CallSaid(1, "go"),
        CallSaid(0, ":1}"),
        CallClosed(1),
        CallClosed(0),
        Finished("tool_calls"),
    )
    assert kinds(events)[8:] == [
        "output_item.added", "output_item.added", "function_call_arguments.delta",
        "custom_tool_call_input.delta", "function_call_arguments.delta",
        "custom_tool_call_input.done", "output_item.done",
        "function_call_arguments.done", "output_item.done", "completed",
    ]  # fmt: skip
    output = events[-1]["response"]["output"]
    assert output[1:] == [
        {
            "id": "fc_chatcmpl-1_1", "type": "function_call", "call_id": "a", "name": "f",
            "arguments": '{"x":1}', "status": "completed",
        },
        {
            "id": "ctc_chatcmpl-1_2", "type": "custom_tool_call", "call_id": "b", "name": "g",
            "input": "go",
        },
    ]  # fmt: skip
    done = [event for event in events if event["type"].endswith("arguments.done")]
    assert [(one["name"], one["arguments"], one["output_index"]) for one in done] == [
        ("f", '{"x":1}', 1)
    ]


def test_a_tool_of_a_namespace_is_called_by_its_name_there() -> None:
    tools = [{"type": "namespace", "name": "mcp__docs__", "tools": [{"name": "find"}]}]
    told = (CallOpened(0, "a", "mcp__docs__find"), CallClosed(0), Finished("tool_calls"))
    [item] = response_of(*told, asked={"tools": tools})["output"]
    assert (item["namespace"], item["name"]) == ("mcp__docs__", "find")


def test_reasoning_is_an_item_with_its_signature_sealed() -> None:
    full, hidden = Thought("Hm.", SIGNED), Thought("", SIGNED, is_hidden=True, id="rs_9")
    first, second, third = items_of(
        Mused("H"), Mused("m."), Sealed(full), Sealed(hidden), Spoken("There.")
    )
    assert first == {
        "id": "rs_chatcmpl-1_0", "type": "reasoning", "summary": [],
        "content": [{"type": "reasoning_text", "text": "Hm."}],
        "encrypted_content": wrapped(SIGNED, "thought", "Hm."),
    }  # fmt: skip
    assert second == {
        "id": "rs_9", "type": "reasoning", "summary": [],
        "encrypted_content": wrapped(SIGNED, "hidden"),
    }  # fmt: skip
    assert third["type"] == "message"


def test_a_summary_is_told_as_one() -> None:
    events = events_of(OPENED, Mused("Hm.", is_summary=True), Spoken("a"), Finished("stop"))
    assert kinds(events)[2:8] == [
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
    ]  # fmt: skip
    assert events[3]["summary_index"] == 0
    summary = [{"type": "summary_text", "text": "Hm."}]
    assert events[-1]["response"]["output"][0]["summary"] == summary


def test_signatures_of_calls_and_texts_are_items_of_their_own() -> None:
    kinds = [
        (item["type"], item.get("encrypted_content"))
        for item in items_of(
            Spoken("a"), Marked(SIGNED), CallOpened(0, "x", "f", SIGNED), CallClosed(0)
        )
    ]
    assert kinds == [
        ("message", None),
        ("reasoning", wrapped(SIGNED, "text")),
        ("reasoning", wrapped(SIGNED, "call")),
        ("function_call", None),
    ]


def test_a_refusal_is_a_part_of_the_message() -> None:
    [item] = items_of(Spoken("Well."), Declined("I "), Declined("can't."))
    assert [part["type"] for part in item["content"]] == ["output_text", "refusal"]
    assert item["content"][1]["refusal"] == "I can't."


def test_sources_stand_in_their_part() -> None:
    cited = {"url": "u", "start_index": 3, "end_index": 4}
    told = (Spoken("ab"), CallOpened(0, "x", "f"), CallClosed(0), Spoken("cde"))
    output = items_of(*told, Cited({"type": "url_citation", "url_citation": cited}))
    assert output[2]["content"][0]["annotations"] == [
        {"type": "url_citation", "url": "u", "title": "", "start_index": 1, "end_index": 2}
    ]


def test_log_probabilities_ride_on_the_text_and_have_bytes() -> None:
    one = {"token": "é", "logprob": -1.0, "bytes": None, "top_logprobs": []}
    [item] = items_of(Spoken("é"), Weighed((one,)))
    assert item["content"][0]["logprobs"] == [{**one, "bytes": [195, 169]}]


def test_what_is_of_this_protocol_is_told_as_it_was_and_all_else_beside() -> None:
    search: JSONObject = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    response = response_of(
        Aside(Foreign("responses", search)),
        Aside(Foreign("responses", {"type": "phase", "phase": "final_answer"})),
        Spoken("a"),
        Aside(Foreign("responses", {"type": "file_path", "file_id": "f", "index": 0})),
        Aside(Foreign("messages", {"type": "server_tool_use", "id": "s"})),
        Finished("stop"),
    )
    assert response["output"][0] == search
    assert response["output"][1]["phase"] == "final_answer"
    assert response["output"][1]["content"][0]["annotations"][0]["type"] == "file_path"
    assert response["asides"] == [{"dialect": "messages", "type": "server_tool_use", "id": "s"}]


@pytest.mark.parametrize(
    ("reason", "told"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_may_be_incomplete(reason: Any, told: str) -> None:
    events = events_of(OPENED, Spoken("a"), CallOpened(0, "x", "f"), Finished(reason))
    assert events[-1]["type"] == "response.incomplete"
    response = events[-1]["response"]
    assert response["incomplete_details"] == {"reason": told}
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]
    assert response["completed_at"] is None


@pytest.mark.parametrize(
    ("broke", "code"),
    [
        (Broke(429, "rate_limit_error", "slow", "rate_limit_exceeded"), "rate_limit_exceeded"),
        (Broke(429, "x", "slow"), "rate_limit_exceeded"),
        (Broke(502, "upstream_error", "cut", "upstream_cut"), "server_error"),
        (Broke(400, "invalid_request_error", "no", "invalid_image"), "invalid_image"),
    ],
)
def test_a_failure_is_an_error_and_the_end_of_the_response(broke: Broke, code: str) -> None:
    events = events_of(OPENED, Spoken("a"), broke, Spoken("b"), Finished("stop"))
    assert kinds(events)[-2:] == ["error", "failed"]
    error, failed = events[-2:]
    assert error["error"]["message"] == error["message"] == broke.message
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"] == {"code": code, "message": broke.message}


def test_a_failure_ahead_of_everything_is_told_alike() -> None:
    assert kinds(events_of(Broke(500, "server_error", "no"))) == ["error", "failed"]


def test_halves_of_an_emoji_meet() -> None:
    [item] = items_of(Spoken("\ud83d"), Spoken("\ude42"))
    assert item["content"][0]["text"] == "\U0001f642"


def test_there_is_one_choice() -> None:
    told = (Spoken("a"), Spoken("b", choice=1), Finished("stop"), Finished("stop", choice=1))
    assert response_of(*told)["output"][0]["content"][0]["text"] == "a"


def _plain(told: list[Signal]) -> dict[str, Any]:
    """What an answer says, but for what this protocol has otherwise: it counts all details, and
    gives ids of its own to the response and to reasoning."""
    whole = added_up(told)
    usage = whole["usage"]
    details = {name: getattr(usage, name) or 0 for name in ("cached", "cache_written", "reasoning")}
    whole["usage"] = usage._replace(**details)
    whole["id"] = whole["id"].removeprefix("resp_")
    for choice in whole["choices"].values():
        choice["sealed"] = [(one.text, one.signed, one.is_hidden) for one in choice["sealed"]]
    return whole


@settings(max_examples=40)
@given(
    signals(
        signed=signatures("google", "gemini-3"),
        also=("refusals", "citations", "marks", "bare", "summaries", "custom"),
    )
)
def test_what_is_told_is_heard_and_folds_into_the_last_response(told: list[Signal]) -> None:
    frames = frames_of(*told)
    hearing = ResponsesHearing(Aim("mine", "responses", "m-1"))
    heard = [one for frame in frames for one in hearing.hear(sse.parse(frame))]
    assert _plain([*heard, *hearing.end()]) == _plain(told)
    assert RESPONSES.fold(frames) == parse(sse.parse(frames[-1]).data or "")["response"]
