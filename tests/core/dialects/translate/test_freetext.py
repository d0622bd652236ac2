"""Tools that take text, where there are only functions: the client has text all the same."""

import orjson
import pytest
from hypothesis import given, settings

from promptdeck.core.dialects.table import TRANSLATED
from promptdeck.core.dialects.translate.aim import Aim, Lost, Options
from promptdeck.core.dialects.translate.freetext import FreeText, as_functions, names_of
from promptdeck.core.dialects.translate.neutral import (
    CallClosed,
    CallOpened,
    CallSaid,
    Prompt,
    Signal,
    Tool,
    ToolCall,
    ToolResult,
)
from promptdeck.core.dialects.translate.translation import answered, written
from promptdeck.core.interaction import Frame, Request, Response, Variant
from promptdeck.core.text.jsontext import JSONObject, compact, parse
from tests.scripted_upstream import chunk

from .strategies import essence_of, prompts

NAMES = frozenset(["patch"])


def heard(*signals: Signal) -> list[Signal]:
    freely = FreeText(NAMES)
    return [one for signal in signals for one in freely.of(signal)]


@settings(max_examples=30)
@given(prompts(also=("custom",)))
def test_a_prompt_has_functions_alone_and_the_same_texts(prompt: Prompt) -> None:
    options = Options(prompt)
    plain = as_functions(prompt, options)
    before = [part for turn in prompt.turns for part in turn.parts]
    after = [part for turn in plain.turns for part in turn.parts]
    for old, new in zip(before, after, strict=True):
        if isinstance(old, ToolCall) and isinstance(new, ToolCall) and old.is_custom:
            assert parse(new.arguments) == {"input": old.arguments}
        elif not isinstance(old, ToolCall | ToolResult):
            assert new == old
    assert not any(isinstance(one, Tool) and one.custom is not None for one in plain.tools)
    assert not any(isinstance(one, ToolCall | ToolResult) and one.is_custom for one in after)
    assert options.lost() == Options(prompt).lost()
    assert essence_of(as_functions(plain, options)) == essence_of(plain)


def test_a_grammar_is_told_to_the_model_and_lost() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}}
    prompt = Prompt("chat", "m", (), tools=(Tool("patch", None, None, custom=grammar),))
    options = Options(prompt)
    [tool] = as_functions(prompt, options).tools
    assert isinstance(tool, Tool)
    assert tool.schema["properties"]["input"]["description"].endswith("lark grammar:\nstart: x")
    why = "its grammar is told to the model, and not enforced"
    assert options.lost() == (Lost("$.tools[0]", why),)


def test_a_call_is_told_as_text_when_it_is_whole() -> None:
    function = (CallOpened(1, "b", "other"), CallSaid(1, "{}"), CallClosed(1))
    assert heard(
        CallOpened(0, "a", "patch"),
        CallSaid(0, '{"input":'),
        *function,
        CallSaid(0, '"*** x"}'),
        CallClosed(0),
    ) == [
        CallOpened(0, "a", "patch", is_custom=True),
        *function,
        CallSaid(0, "*** x"),
        CallClosed(0),
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input":"x"}', "x"),
        ('{"patch":"x"}', "x"),
        ('"x"', "x"),
        ("x", "x"),
        ('{"input":', '{"input":'),
        ('{"a":1,"b":2}', '{"a":1,"b":2}'),
        ('{"input":3}', '{"input":3}'),
        ("[]", "[]"),
    ],
)
def test_what_is_no_object_with_a_text_is_text_itself(arguments: str, text: str) -> None:
    told = heard(CallOpened(0, "a", "patch"), CallSaid(0, arguments), CallClosed(0))
    assert told[1:-1] == [CallSaid(0, text)]


def test_who_has_declared_a_function_gets_an_object() -> None:
    told = heard(CallOpened(0, "a", "f", is_custom=True), CallSaid(0, "x"), CallClosed(0))
    assert told == [CallOpened(0, "a", "f"), CallSaid(0, '{"input":"x"}'), CallClosed(0)]


def test_a_call_that_comes_as_text_is_left_alone() -> None:
    told = [CallOpened(0, "a", "patch", is_custom=True), CallSaid(0, "x"), CallClosed(0)]
    assert heard(*told) == told


def test_which_tools_take_text() -> None:
    custom = {"type": "custom", "name": "exec"}
    space = {"type": "namespace", "name": "functions", "tools": [custom, {"type": "function"}]}
    asked: JSONObject = {
        "tools": [
            custom,
            {"type": "custom", "custom": {"name": "patch"}},
            None,
            {"type": "custom"},
        ],
        "input": [{"type": "additional_tools", "tools": [space]}, {"tools": [{"type": "custom"}]}],
    }
    assert names_of("responses", asked) == {"exec", "patch", "functions__exec"}
    assert names_of("responses", {"tools": None, "input": "text"}) == frozenset()
    # Anthropic's word for functions of the client's.
    assert names_of("messages", asked) == names_of("gemini", asked) == frozenset()


# Clients that have such tools, before each upstream that has none


TEXT = '// @exec\nprint("hi")'
ARGUMENTS = compact({"input": TEXT}).decode()


def _answers() -> dict[str, list[bytes]]:
    function = {"name": "functions__exec", "arguments": ARGUMENTS}
    call = {"index": 0, "id": "c1", "type": "function", "function": function}
    google = {"functionCall": {"name": "functions__exec", "args": {"input": TEXT}}}
    block = {"type": "tool_use", "id": "c1", "name": "functions__exec", "input": {"input": TEXT}}
    message = {
        "id": "m", "type": "message", "role": "assistant", "model": "c", "content": [block],
        "stop_reason": "tool_use", "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    candidate = {"content": {"role": "model", "parts": [google]}, "finishReason": "STOP"}
    return {
        "chat": [chunk({"tool_calls": [call]}), chunk({}, "tool_calls"), b"data: [DONE]\n\n"],
        "messages": TRANSLATED["messages"].cut(message),
        "gemini": [b"data: " + compact({"candidates": [candidate]}) + b"\n\n"],
    }


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("upstream", ["chat", "messages", "gemini"])
def test_codex_runs_its_code_by_models_that_know_functions(upstream: str, stream: bool) -> None:
    custom = {"type": "custom", "name": "exec", "format": {"type": "text"}}
    body: JSONObject = {
        "model": "m",
        "input": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "namespace", "name": "functions", "tools": [custom]}],
    }
    frames = tuple(Frame(0, frame) for frame in _answers()[upstream])
    came = Response(200, (("content-type", "text/event-stream"),), frames)
    client, aim = TRANSLATED["responses"], Aim("there", upstream, "m-1")
    variant = Variant.SSE if stream else Variant.JSON
    told = answered(came, TRANSLATED[upstream], client, variant, body, aim, 7)
    [item] = client.message(told)["output"]
    assert (item["type"], item["input"]) == ("custom_tool_call", TEXT)
    assert (item["namespace"], item["name"]) == ("functions", "exec")
    result = {"type": "custom_tool_call_output", "call_id": item["call_id"], "output": "done"}
    body["input"] += [item, result]
    there = written(Request("POST", "/v1/responses", "", orjson.dumps(body)), client, aim)
    assert not [one for one in there.lost if one.asked]
    assert b"functions__exec" in there.body
    sent = there.body.decode()
    assert ARGUMENTS in sent or orjson.dumps(ARGUMENTS).decode() in sent
