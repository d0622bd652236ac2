"""What is heard in a stream of `/v1/responses`, from OpenAI and from servers that differ."""

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.responses.cut import cut
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
from promptdeck.core.dialects.translate.responses.wrapping import wrapped
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject
from tests.core.dialects.translate.strategies import added_up
from tests.scripted_responses import Responses, called, frames_of, refused, said, thought

AIM = Aim("openai", "responses", "gpt-5.6-sol", "openai")
RESPONSE: JSONObject = {
    "id": "resp_1", "object": "response", "created_at": 7.0, "model": "gpt-5.6-sol-x",
    "output": [], "status": "in_progress",
}  # fmt: skip
OPENED = Opened("resp_1", "gpt-5.6-sol-x", 7)
DONE = Finished("stop", "completed")


def heard(*events: JSON) -> list[Signal]:
    """All signals of a stream that begins with a response and has these events then."""
    hearing = ResponsesHearing(AIM)
    told: list[Signal] = []
    for event in ({"type": "response.created", "response": RESPONSE}, *events):
        told += hearing.hear(sse.Event("", orjson.dumps(event).decode()))
    return [*told, *hearing.end()]


def at(place: int, kind: str, **more: JSON) -> JSONObject:
    return {"type": f"response.{kind}", "output_index": place, "item_id": "x", **more}


def end(*output: JSON, kind: str = "completed", **more: JSON) -> JSONObject:
    return {"type": f"response.{kind}", "response": {**RESPONSE, "output": [*output], **more}}


def message(*content: JSON, **more: JSON) -> JSONObject:
    return {
        "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [*content], **more,
    }  # fmt: skip


def text(said: str, **more: JSON) -> JSONObject:
    return {"type": "output_text", "text": said, "annotations": [], **more}


def call(arguments: str = "", **more: JSON) -> JSONObject:
    named = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f"}
    return {**named, "arguments": arguments, **more}


def test_text_comes_as_it_comes_and_is_told_once() -> None:
    told = text("Hello")
    assert heard(
        {"type": "response.in_progress", "response": RESPONSE},
        at(0, "output_item.added", item=message()),
        at(0, "content_part.added", content_index=0, part=text("")),
        at(0, "output_text.delta", content_index=0, delta="Hel", logprobs=[]),
        at(0, "output_text.delta", content_index=0, delta="lo", logprobs=[]),
        at(0, "output_text.done", content_index=0, text="Hello", logprobs=[]),
        at(0, "content_part.done", content_index=0, part=told),
        at(0, "output_item.done", item=message(told)),
        end(message(told)),
    ) == [OPENED, Spoken("Hel"), Spoken("lo"), DONE]


@pytest.mark.parametrize("form", range(8))
def test_what_was_not_told_by_deltas_is_told_by_what_is_done(form: int) -> None:
    events = [
        [
            at(0, "output_item.added", item=call()),
            at(0, "function_call_arguments.done", arguments='{"a":1}', name="f"),
            at(0, "output_item.done", item=call('{"a":1}')),
            end(),
        ],
        [
            at(0, "output_item.added", item=call()),
            at(0, "output_item.done", item=call('{"a":1}')),
            end(),
        ],
        [at(0, "output_item.done", item=call('{"a":1}')), end()],
        [end(call('{"a":1}'))],
        [
            at(0, "output_item.added", item=call()),
            at(0, "function_call_arguments.delta", delta='{"a":1}'),
            end(call('{"a":1}')),
        ],
        # Another id each time, as Copilot does.
        [
            at(0, "output_item.added", item=call(id="one")),
            {**at(0, "function_call_arguments.delta", delta='{"a":1}'), "item_id": "two"},
            at(0, "output_item.done", item=call('{"a":1}', id="three")),
            end(call('{"a":1}', id="four")),
        ],
        # All of it at once, and then in pieces, or never again.
        [
            at(0, "output_item.added", item=call('{"a":1}')),
            at(0, "function_call_arguments.delta", delta='{"a"'),
            at(0, "function_call_arguments.delta", delta=":1}"),
            at(0, "output_item.done", item=call('{"a":1}')),
            end(),
        ],
        [at(0, "output_item.added", item=call('{"a":1}')), end()],
    ][form]  # fmt: skip
    told = heard(*events)
    assert added_up(told) == added_up(
        [
            OPENED,
            CallOpened(0, "call_1", "f"),
            CallSaid(0, '{"a":1}'),
            CallClosed(0),
            Finished("tool_calls", "completed"),
        ]
    )


def test_a_text_that_was_there_from_the_beginning_is_told_once() -> None:
    told = heard(
        at(0, "output_item.added", item=message(text("Hello"))),
        at(0, "output_text.delta", content_index=0, delta="Hello"),
        at(0, "output_item.done", item=message(text("Hello"))),
        end(),
    )
    assert told == [OPENED, Spoken("Hello"), DONE]


def test_a_call_is_not_told_of_before_its_name_is_known() -> None:
    assert heard(
        at(0, "function_call_arguments.delta", delta='{"a"'),
        at(0, "output_item.added", item=call()),
        at(0, "function_call_arguments.delta", delta=":1}"),
        at(0, "output_item.done", item=call('{"a":1}')),
        end(),
    )[1:-1] == [
        CallOpened(0, "call_1", "f"),
        CallSaid(0, '{"a"'),
        CallSaid(0, ":1}"),
        CallClosed(0),
    ]
    nameless = heard(at(0, "function_call_arguments.delta", delta="{}"), end())
    assert nameless[1] == CallOpened(0, "call_0", "")


def test_a_call_without_arguments_has_an_empty_object_of_them() -> None:
    said = [OPENED, CallOpened(0, "call_1", "f"), CallSaid(0, "{}"), CallClosed(0)]
    assert heard(at(0, "output_item.done", item=call()), end())[:4] == said
    assert heard(at(0, "output_item.added", item=call()), end())[:4] == said


def test_calls_are_numbered_by_their_own_order() -> None:
    custom = {"type": "custom_tool_call", "call_id": "b", "name": "g", "input": "x"}
    told = heard(
        at(0, "output_item.done", item={"type": "reasoning", "id": "rs", "summary": []}),
        at(2, "output_item.added", item=call(call_id="a")),
        at(1, "output_item.added", item={**custom, "input": ""}),
        at(1, "custom_tool_call_input.delta", delta="x"),
        at(2, "function_call_arguments.delta", delta="{}"),
        at(1, "custom_tool_call_input.done", input="x"),
        at(1, "output_item.done", item=custom),
        at(2, "output_item.done", item=call("{}")),
        end(),
    )
    calls = added_up(told)["choices"][0]["calls"]
    assert calls == {
        0: ["a", "f", None, False, "{}", True],
        1: ["b", "g", None, True, "x", True],
    }


def test_reasoning_is_sealed_when_it_is_done() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "g1"}
    parts = [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}]
    done = {**item, "encrypted_content": "gAAA", "summary": parts}
    assert heard(
        at(0, "output_item.added", item=item),
        at(0, "reasoning_summary_part.added", summary_index=0, part=parts[0]),
        at(0, "reasoning_summary_text.delta", summary_index=0, delta="One."),
        at(0, "reasoning_summary_text.delta", summary_index=1, delta="Two."),
        at(0, "reasoning_summary_text.done", summary_index=1, text="Two."),
        at(0, "output_item.done", item=done),
        end(done),
    ) == [
        OPENED,
        Mused("One.", is_summary=True),
        Mused("\n\n", is_summary=True),
        Mused("Two.", is_summary=True),
        Sealed(
            Thought(
                "One.\n\nTwo.", Signed("openai", "gpt-5.6-sol", "gAAA"), is_summary=True, id="rs_1"
            )
        ),
        DONE,
    ]


@pytest.mark.parametrize("kind", ["reasoning_summary_text", "reasoning_summary"])
def test_summaries_are_heard_by_any_name(kind: str) -> None:
    part = {"type": "summary_text", "text": "One."}
    assert heard(
        at(0, "output_item.added", item={"type": "reasoning", "id": "rs_1", "summary": []}),
        at(0, f"{kind}.delta", summary_index=0, delta="On"),
        at(0, "reasoning_summary_part.done", summary_index=0, part=part),
        end(),
    ) == [OPENED, Mused("On", is_summary=True), Mused("e.", is_summary=True), DONE]


def test_reasoning_may_be_hidden_or_signed_by_nobody() -> None:
    hidden = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    content = [{"type": "reasoning_text", "text": "Hm."}]
    open_one = {"type": "reasoning", "id": "rs_2", "summary": [], "content": content}
    signed = Signed("openai", "gpt-5.6-sol", "gAAA")
    assert heard(
        at(0, "output_item.done", item=hidden), at(1, "output_item.done", item=open_one), end()
    ) == [OPENED, Sealed(Thought("", signed, is_hidden=True, id="rs_1")), Mused("Hm."), DONE]


def test_signatures_of_calls_and_texts_from_behind_another_promptdeck() -> None:
    signed = Signed("google", "gemini-3", "s")

    def sealed(of: Any) -> JSONObject:
        return {"type": "reasoning", "summary": [], "encrypted_content": wrapped(signed, of)}

    assert heard(
        at(0, "output_item.done", item=message(text("a"))),
        at(1, "output_item.done", item=sealed("text")),
        at(2, "output_item.done", item=sealed("call")),
        at(3, "output_item.done", item=call("{}")),
        end(),
    )[2:4] == [Marked(signed), CallOpened(0, "call_1", "f", signed)]


def test_a_refusal_and_several_messages() -> None:
    assert heard(
        at(0, "output_text.delta", content_index=0, delta="Well."),
        at(1, "refusal.delta", content_index=0, delta="I "),
        at(1, "refusal.done", content_index=0, refusal="I can't."),
        end(),
    ) == [OPENED, Spoken("Well."), Declined("I "), Declined("can't."), DONE]


def test_phases_are_told_beside() -> None:
    def phase(name: str) -> Aside:
        return Aside(Foreign("responses", {"type": "phase", "phase": name}))

    assert heard(
        at(0, "output_item.done", item=message(text("Hm. "), phase="commentary")),
        at(1, "output_item.done", item=message(text("There."), phase="final_answer")),
        end(),
    ) == [
        OPENED, phase("commentary"), Spoken("Hm. "), phase("final_answer"), Spoken("There."), DONE,
    ]  # fmt: skip


def test_a_phase_may_be_known_late_and_is_told_once() -> None:
    done = message(text("Hm."), phase="commentary")
    told = heard(
        at(0, "output_item.added", item=message()),
        at(0, "output_text.delta", content_index=0, delta="Hm."),
        at(0, "output_item.done", item=done),
        end(done),
    )
    phase = Aside(Foreign("responses", {"type": "phase", "phase": "commentary"}))
    assert told == [OPENED, Spoken("Hm."), phase, DONE]


def test_sources_stand_in_the_whole_text_and_come_once() -> None:
    source = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 2}
    file: JSONObject = {"type": "file_citation", "file_id": "f", "filename": "n", "index": 1}
    told = text("cd", annotations=[source, file])
    added = at(1, "output_text.annotation.added", content_index=0, annotation_index=0)
    inner = {"url": "u", "title": "t", "start_index": 2, "end_index": 4}
    assert heard(
        at(0, "output_text.delta", content_index=0, delta="ab"),
        at(1, "output_text.delta", content_index=0, delta="cd"),
        {**added, "annotation": source},
        at(1, "output_item.done", item=message(told)),
        end(message(text("ab")), message(told)),
    ) == [
        OPENED,
        Spoken("ab"),
        Spoken("cd"),
        Cited({"type": "url_citation", "url_citation": inner}),
        Aside(Foreign("responses", file)),
        DONE,
    ]


def test_log_probabilities_come_once_with_bytes_or_without() -> None:
    one = {"token": "a", "logprob": -1.0, "top_logprobs": [{"token": "b", "logprob": -2.0}]}
    two = {"token": "b", "logprob": -1.5, "bytes": [98], "top_logprobs": []}
    events = (
        at(0, "output_text.delta", content_index=0, delta="a", logprobs=[one]),
        at(0, "output_text.delta", content_index=0, delta="b", logprobs=[]),
        at(0, "output_text.done", content_index=0, text="ab", logprobs=[one, two]),
        at(0, "output_item.done", item=message(text("ab", logprobs=[one, two]))),
        end(),
    )
    top = [{"bytes": None, "token": "b", "logprob": -2.0}]
    assert [signal for signal in heard(*events) if isinstance(signal, Weighed)] == [
        Weighed(({**one, "bytes": None, "top_logprobs": top},)),
        Weighed((two,)),
    ]


def test_the_provider_s_own_tools_are_no_calls() -> None:
    item: JSONObject = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    assert heard(
        at(0, "output_item.added", item={**item, "status": "in_progress"}),
        at(0, "web_search_call.searching"),
        at(0, "output_item.done", item=item),
        at(0, "something.new.delta", delta="x"),
        end(item),
    ) == [OPENED, Aside(Foreign("responses", item)), DONE]


USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 14,
    "cost": 1,
}


@pytest.mark.parametrize(
    ("kind", "more", "finished"),
    [
        ("completed", {}, Finished("stop", "completed")),
        (
            "incomplete",
            {"incomplete_details": {"reason": "max_output_tokens"}},
            Finished("length", "max_output_tokens"),
        ),
        (
            "incomplete",
            {"incomplete_details": {"reason": "content_filter"}},
            Finished("content_filter", "content_filter"),
        ),
        ("incomplete", {"incomplete_details": None}, Finished("length", "incomplete")),
    ],
)
def test_the_end_has_its_reason_and_usage(kind: str, more: JSONObject, finished: Finished) -> None:
    assert heard(end(kind=kind, usage=USAGE, **more)) == [
        OPENED, Metered(Usage(9, 5, 14, 4, 2, 3, {"cost": 1})), finished,
    ]  # fmt: skip


def test_usage_of_other_servers() -> None:
    assert heard(end(usage={"input_tokens": 1, "output_tokens": 2}))[1] == Metered(Usage(1, 2, 3))
    assert heard(end(usage=None)) == [OPENED, DONE]


@pytest.mark.parametrize(
    ("event", "broke"),
    [
        (
            end(kind="failed", error={"code": "rate_limit_exceeded", "message": "slow"}),
            Broke(429, "rate_limit_error", "slow", "rate_limit_exceeded"),
        ),
        (
            {"type": "error", "code": "server_error", "message": "no", "param": None},
            Broke(500, "server_error", "no", "server_error"),
        ),
        (
            {"type": "error", "error": {"type": "server_error", "code": None, "message": "no"}},
            Broke(500, "server_error", "no"),
        ),
        (
            end(kind="failed", error=None),
            Broke(500, "server_error", "the upstream says that it failed, and not why"),
        ),
    ],
)
def test_a_failure_ends_it(event: JSONObject, broke: Broke) -> None:
    assert heard(at(0, "output_text.delta", delta="a"), event, end()) == [
        OPENED, Spoken("a"), broke,
    ]  # fmt: skip


def test_a_body_that_ends_without_its_end_is_cut() -> None:
    told = heard(at(0, "output_item.done", item=message(text("a"))))
    assert told[:2] == [OPENED, Spoken("a")]
    [broke] = told[2:]
    assert isinstance(broke, Broke)
    assert (broke.status, broke.code) == (502, "upstream_cut")


def test_what_is_no_json_is_a_failure_and_what_is_empty_nothing() -> None:
    hearing = ResponsesHearing(AIM)
    for data in (None, "", sse.DONE, "3", "[]"):
        assert list(hearing.hear(sse.Event("", data))) == []
    [broke] = hearing.hear(sse.Event("response.created", "{"))
    assert isinstance(broke, Broke)
    assert broke.status == 502
    assert list(hearing.end()) == []


def test_half_an_emoji_is_heard() -> None:
    hearing = ResponsesHearing(AIM)
    data = r'{"type":"response.output_text.delta","output_index":0,"delta":"\ud83d"}'
    assert list(hearing.hear(sse.Event("", data)))[1:] == [Spoken("\ud83d")]


def test_the_event_s_name_counts_where_its_data_has_no_type() -> None:
    hearing = ResponsesHearing(AIM)
    data = orjson.dumps({"output_index": 0, "delta": "a"}).decode()
    told = list(hearing.hear(sse.Event("response.output_text.delta", data)))
    assert told == [Opened("", "gpt-5.6-sol", None), Spoken("a")]


def test_a_whole_response_is_heard_as_its_stream() -> None:
    response = {
        **RESPONSE,
        "status": "completed",
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            message(text("Hello")),
            call('{"a": 1}'),
        ],
    }
    hearing = ResponsesHearing(AIM)
    told = [one for frame in cut(response) for one in hearing.hear(sse.parse(frame))]
    whole = added_up(told)["choices"][0]
    assert whole["text"] == "Hello"
    assert whole["calls"] == {0: ["call_1", "f", None, False, '{"a": 1}', True]}
    assert len(whole["sealed"]) == 1
    assert told[-1] == Finished("tool_calls", "completed")


_KEYS = (
    "type response output_index item item_id delta text arguments content_index summary_index part "
    "annotation logprobs id call_id name content summary usage error output encrypted_content phase"
).split()
_KINDS = (
    "response.output_item.added response.output_item.done response.output_text.delta "
    "response.output_text.done response.function_call_arguments.delta response.completed "
    "response.content_part.done response.reasoning_summary_text.delta response.incomplete error "
    "response.output_text.annotation.added response.failed function_call message reasoning "
    "output_text refusal url_citation"
).split()
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(_KINDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=5), max_size=4))
def test_no_stream_is_too_odd(events: list[JSONObject]) -> None:
    told = heard(*events)
    last = [signal for signal in told if isinstance(signal, Finished | Broke)]
    assert told[0] == OPENED
    assert len(last) == 1
    assert told[-1] is last[0]
    added_up(told)


SENT = Responses(
    [thought("Hm.", "So."), said("Hello"), called("f", '{"x":1}'), refused("no")]
).reply(
    {
        "model": "gpt-5.6-sol",
        "input": "hi",
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
)[1]
EVENTS = [orjson.loads(sse.parse(frame).data or "") for frame in frames_of(SENT)]
_ODD = st.sampled_from([None, True, 0, 3, -1, "x", "message", [], {}, [{}], {"type": ["x"]}])


@settings(max_examples=60)
@given(st.data())
def test_a_stream_with_odd_events_among_its_own_is_heard_in_order(data: st.DataObject) -> None:
    events = deepcopy(EVENTS)
    for _ in range(data.draw(st.integers(1, 6))):
        event = data.draw(st.sampled_from(events))
        place = event
        while inner := [one for one in place.values() if isinstance(one, dict) and one]:
            if data.draw(st.booleans()):
                break
            place = data.draw(st.sampled_from(inner))
        place[data.draw(st.sampled_from(sorted(place)))] = data.draw(_ODD)
    if data.draw(st.booleans()):
        events = data.draw(st.permutations(events))
    told = heard(*events)
    added_up(told)  # each call is opened once, before all that it says, and closed once
    last = [signal for signal in told if isinstance(signal, Finished | Broke)]
    assert told[-1:] == last


def test_the_scripted_stream_is_heard_whole() -> None:
    whole = added_up(heard(*EVENTS))["choices"][0]
    assert (whole["text"], whole["refusal"], whole["mused"]) == ("Hello", "no", "Hm.\n\nSo.")
    assert whole["calls"] == {0: ["call_1", "f", None, False, '{"x":1}', True]}
    assert [one.signed.text for one in whole["sealed"]] == [
        item["encrypted_content"] for item in SENT["output"] if item["type"] == "reasoning"
    ]
