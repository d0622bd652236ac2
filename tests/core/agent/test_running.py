"""A run from its request to its answer, by a scripted model and scripted tools."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.agent.asked import wish_of
from promptdeck.core.agent.calls import Called
from promptdeck.core.agent.offering import offered
from promptdeck.core.agent.running import Ending, Gave, Running, summed
from promptdeck.core.agent.streaming import RunStream, as_message
from promptdeck.core.dialects.chat.cut import cut
from promptdeck.core.dialects.chat.fold import fold
from promptdeck.core.dialects.mcp.results import failure

Message = dict[str, Any]

ADD = {"name": "add", "description": "Adds.", "inputSchema": {"type": "object"}}
ECHO: Message = {"name": "echo", "inputSchema": {}}
LOCATE = {"type": "function", "function": {"name": "locate", "parameters": {"type": "object"}}}
URL = "http://127.0.0.1:8001/mcp"


class Remembered:
    """Turns left to clients, as a store keeps them."""

    def __init__(self) -> None:
        self.turns: dict[str, Message] = {}
        self.results: dict[str, str] = {}

    def turn_of(self, call: str) -> Message | None:
        return self.turns.get(call)

    def result_of(self, call: str) -> str | None:
        return self.results.get(call)

    def keep(self, ending: Ending) -> None:
        if ending.left:
            for call in ending.left.message.get("tool_calls") or ():
                self.turns[call["id"]] = ending.left.message
            self.results |= ending.left.results


def call(name: str, arguments: str = "{}", at: int = 1, **more: Any) -> Message:
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{at}", "type": "function", "function": function, **more}


def said(content: str | None, *calls: Message, reason: str = "", **more: Any) -> Message:
    message: Message = {"role": "assistant", "content": content, "refusal": None, **more}
    if calls:
        message["tool_calls"] = list(calls)
    reason = reason or ("tool_calls" if calls else "stop")
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    usage = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25,
             "prompt_tokens_details": {"cached_tokens": 3}}  # fmt: skip
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1790000001, "model": "m",
            "choices": [choice], "usage": usage}  # fmt: skip


def tool_of(called: Called) -> Message:
    if called.wrong:
        return failure(called.wrong)
    if called.name.endswith("add"):
        total = called.arguments["a"] + called.arguments["b"]
        return {"content": [], "structuredContent": {"result": total}}
    text = str(called.arguments.get("text", ""))
    return {"content": [{"type": "text", "text": text}]}


class Ran:
    """What became of a run."""

    def __init__(
        self,
        body: Message,
        *answers: Message,
        issued: Remembered | None = None,
        tools: dict[str, list[Message]] | None = None,
        errors: dict[str, Message] | None = None,
        tool: Callable[[Called], Message] = tool_of,
    ) -> None:
        self.issued = issued or Remembered()
        wish = wish_of(body, 10)
        assert wish is not None
        listed = {wish.servers[0].name: [ADD, ECHO]} if tools is None else tools
        names = [one["function"]["name"] for one in body.get("tools") or ()]
        offers = offered([*listed.items()], names)
        run = Running(body, wish, offers, errors or {}, self.issued, "key")
        self.asked: list[Message] = []
        self.called: list[Called] = []
        usage = bool(body.get("stream_options", {}).get("include_usage"))
        stream = RunStream(usage=usage)
        self.frames: list[bytes] = []
        if late := run.deferred():
            self.called += late
            run.late([Gave(tool(one)) for one in late])
        for answer in answers:
            self.asked.append(run.question())
            for frame in cut(answer, include_usage=True):
                self.frames += stream.take(frame)
            self.frames += stream.turned()
            now = run.answered(answer)
            self.called += now
            run.gave([Gave(tool(one), 9) for one in now])
            if not run.goes_on:
                break
        else:
            pytest.fail("the run goes on, and the script has ended")
        self.turns = answers[: len(self.asked)]
        self.ending = run.ending()
        self.frames += stream.end(self.ending)
        self.issued.keep(self.ending)
        self.answer = as_message(self.turns, self.ending)

    @property
    def message(self) -> Message:
        found: Message = self.answer["choices"][0]["message"]
        return found


def test_one_turn_of_the_server_s() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "2+3?"}], "mcp_servers": [URL]}
    ran = Ran(body, said("let me see ", call("add", '{"a":2,"b":3}')), said("The sum is 5."))
    assert ran.answer == {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1790000001, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {
            "role": "assistant", "content": "let me see The sum is 5.", "refusal": None},
            "logprobs": None}],
        "usage": {"prompt_tokens": 40, "completion_tokens": 10, "total_tokens": 50,
                  "prompt_tokens_details": {"cached_tokens": 6}},
        "tools_executed": ["add"],
        "mcp_tool_results": [{"tool_name": "add", "server_name": URL, "duration_ms": 9,
                              "arguments": {"a": 2, "b": 3}, "is_error": False,
                              "result": {"result": 5}}],
        "turns_consumed": 2,
    }  # fmt: skip
    assert "mcp_servers" not in ran.asked[0]
    assert [one["function"]["name"] for one in ran.asked[0]["tools"]] == ["add", "echo"]
    assert ran.asked[1]["messages"][1:] == [
        {"role": "assistant", "content": "let me see ",
         "tool_calls": [call("add", '{"a":2,"b":3}')]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"result":5}'},
    ]  # fmt: skip


def test_a_server_that_is_dead_and_a_tool_that_fails() -> None:
    errors = {"dead": {"message": "cannot connect", "code": "connection_failed"}}
    body = {"messages": [], "mcp_servers": [{"name": "alpha", "url": URL}]}
    bad = failure("it failed: no luck")
    ran = Ran(body, said(None, call("echo")), said("No."), errors=errors, tool=lambda _: bad)
    assert ran.answer["mcp_server_errors"] == errors
    assert ran.answer["mcp_tool_results"][0]["is_error"] is True
    assert ran.asked[1]["messages"][-1]["content"] == "it failed: no luck"


def test_no_tools_no_choice_of_them() -> None:
    body = {"messages": [], "mcp_servers": ["a/b"], "tool_choice": "auto",
            "parallel_tool_calls": True}  # fmt: skip
    assert Ran(body, said("No."), tools={}).asked == [{"messages": []}]


def test_no_turn_is_left() -> None:
    body = {"messages": [], "mcp_servers": [URL], "max_turns": 2}
    again = said("and again ", call("add", '{"a":1,"b":1}'))
    ran = Ran(body, again, again)
    assert ran.ending.cut_short
    assert ran.message["tool_calls"] == [call("add", '{"a":1,"b":1}')]
    assert ran.answer["choices"][0]["finish_reason"] == "tool_calls"
    assert ran.answer["tools_executed"] == ["add"]
    assert ran.answer["turns_consumed"] == 2


def test_tools_that_are_only_offered() -> None:
    body = {"messages": [], "mcp_servers": [URL], "automatic_tool_execution": False}
    ran = Ran(body, said(None, call("add", '{"a":1,"b":1}')))
    assert not ran.called
    assert len(ran.message["tool_calls"]) == 1
    assert ran.answer["turns_consumed"] == 1
    assert "tools_executed" not in ran.answer


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_nothing_runs_after_an_answer_that_was_cut(reason: str) -> None:
    body = {"messages": [], "mcp_servers": [URL]}
    ran = Ran(body, said("x", call("add", '{"a"'), reason=reason))
    assert not ran.called
    assert ran.answer["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize("reason", ["stop", "other", "tool_calls"])
def test_calls_are_made_whatever_the_finish_reason(reason: str) -> None:
    body = {"messages": [], "mcp_servers": [URL]}
    ran = Ran(body, said("x", call("add", '{"a":1,"b":1}'), reason=reason), said("2"))
    assert len(ran.called) == 1


def test_calls_that_cannot_be_made_are_told_to_the_model() -> None:
    body = {"messages": [], "mcp_servers": [URL]}
    calls = [call("nobody"), call("add", '{"a":', 2), call("echo", "[1]", 3), call("echo", "", 4)]
    ran = Ran(body, said(None, *calls), said("ok"))
    told = [one["content"] for one in ran.asked[1]["messages"][-4:]]
    assert told[0] == "there is no tool called nobody"
    assert told[1].startswith("the arguments of add are no JSON object")
    assert told[2].startswith("the arguments of echo are no JSON object")
    assert told[3] == ""
    assert ran.answer["tools_executed"] == ["add", "echo", "echo"]


def test_a_structured_handoff_and_its_return() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "go"}], "tools": [LOCATE],
            "mcp_servers": [{"name": "alpha", "url": URL}], "handoff_mode": True}  # fmt: skip
    locate = call("locate", '{"city":"Paris"}')
    add = call("add", '{"a":2,"b":3}', 2)
    ran = Ran(body, said(None, locate, add))
    answer = ran.answer
    assert ran.message["tool_calls"] == [locate]
    assert answer["pending_tools"] == [
        {"id": "call_1", "name": "locate", "arguments": {"city": "Paris"}, "dependencies": []}
    ]
    assert answer["server_results"] == {"call_2": {"result": 5}}
    assert answer["correlation_id"].startswith("hs_")
    assert answer["tools_executed"] == ["add"]
    assert answer["turns_consumed"] == 1
    history = [*body["messages"], {"role": "assistant", "content": None, "tool_calls": [locate]},
               {"role": "tool", "tool_call_id": "call_1", "content": "48.8 N"}]  # fmt: skip
    back = {**body, "messages": history, "correlation_id": answer["correlation_id"]}
    again = Ran(back, said("There."), issued=ran.issued)
    assert again.asked[0]["messages"][1:] == [
        {"role": "assistant", "content": None, "tool_calls": [locate, add]},
        {"role": "tool", "tool_call_id": "call_1", "content": "48.8 N"},
        {"role": "tool", "tool_call_id": "call_2", "content": '{"result":5}'},
    ]


def test_a_call_that_waits_for_the_client_s_is_described_and_made_later() -> None:
    body = {"messages": [{"role": "user", "content": "go"}], "tools": [LOCATE],
            "mcp_servers": [URL], "handoff_mode": True}  # fmt: skip
    locate = call("locate", '{"city":"Paris"}')
    echo = call("echo", '{"text":"needs the place"}', 2, dependencies=["call_1", "nobody"])
    ran = Ran(body, said(None, locate, echo))
    assert not ran.called
    assert ran.answer["deferred"] == [
        {"id": "call_2", "name": "echo", "arguments": {"text": "needs the place"},
         "venue": "server", "dependencies": ["call_1"], "blocked_by": ["call_1"]}
    ]  # fmt: skip
    assert "server_results" not in ran.answer
    history = [*body["messages"], {"role": "assistant", "content": None, "tool_calls": [locate]},
               {"role": "tool", "tool_call_id": "call_1", "content": "48.8 N"}]  # fmt: skip
    back = {"messages": history, "mcp_servers": [URL], "deferred_calls": ran.answer["deferred"]}
    again = Ran(back, said("There."))  # nothing is remembered
    bare = {key: item for key, item in echo.items() if key != "dependencies"}
    assert again.asked[0]["messages"][1:] == [
        {"role": "assistant", "content": None, "tool_calls": [locate, bare]},
        {"role": "tool", "tool_call_id": "call_1", "content": "48.8 N"},
        {"role": "tool", "tool_call_id": "call_2", "content": "needs the place"},
    ]
    assert again.answer["tools_executed"] == ["echo"]


def test_a_drop_in_turn_of_both_sides() -> None:
    body = {"messages": [], "tools": [LOCATE], "mcp_servers": [URL]}
    add = call("add", '{"a":2,"b":3}', 2)
    ran = Ran(body, said(None, call("locate"), add), said(None, call("locate", at=3)))
    assert ran.asked[1]["messages"][0]["tool_calls"] == [add]
    assert ran.message["tool_calls"] == [call("locate", at=3)]
    assert ran.answer["turns_consumed"] == 2
    assert not {"correlation_id", "pending_tools", "deferred"} & ran.answer.keys()


def test_results_without_the_message_that_they_answer() -> None:
    """As DedalusRunner 0.3.0 sends them where it streams."""
    body = {"messages": [{"role": "user", "content": "go"}], "tools": [LOCATE],
            "mcp_servers": [URL]}  # fmt: skip
    ran = Ran(body, said(None, call("locate")))
    back = {**body, "messages": [*body["messages"], {"role": "tool", "tool_call_id": "call_1",
                                                     "content": "here"}]}  # fmt: skip
    again = Ran(back, said("ok"), issued=ran.issued)
    assert [one["role"] for one in again.asked[0]["messages"]] == ["user", "assistant", "tool"]


def test_a_choice_that_forces_a_tool_forces_it_once() -> None:
    choice = {"type": "function", "function": {"name": "add"}}
    for wanted, first in ("required", "required"), ("any", "any"), (choice, choice):
        body = {"messages": [], "mcp_servers": [URL], "tool_choice": wanted}
        ran = Ran(body, said(None, call("add", '{"a":1,"b":1}')), said("2"))
        assert [one["tool_choice"] for one in ran.asked] == [first, "auto"]


def test_a_client_that_knows_functions_alone() -> None:
    function = {"name": "locate", "parameters": {"type": "object"}}
    body = {"messages": [], "mcp_servers": [URL], "functions": [function],
            "function_call": {"name": "locate"}}  # fmt: skip
    add = call("add", '{"a":1,"b":1}')
    ran = Ran(body, said(None, add), said("hm ", call("locate", '{"a":1}', 2)))
    assert not {"functions", "function_call"} & ran.asked[0].keys()
    assert [one["function"]["name"] for one in ran.asked[0]["tools"]] == ["locate", "add", "echo"]
    assert ran.asked[0]["tool_choice"] == {"type": "function", "function": {"name": "locate"}}
    assert ran.asked[0]["parallel_tool_calls"] is False
    assert ran.message["function_call"] == {"name": "locate", "arguments": '{"a":1}'}
    assert ran.answer["choices"][0]["finish_reason"] == "function_call"
    assert not ran.message.get("tool_calls")
    folded = fold(ran.frames)
    assert folded["choices"] == ran.answer["choices"]


@pytest.mark.parametrize("calls", [[["call_2"], ["call_1"]], [["call_1"], []]])
def test_calls_that_wait_for_one_another_in_a_circle_wait_for_none(calls: Any) -> None:
    body = {"messages": [], "tools": [LOCATE], "mcp_servers": [URL], "handoff_mode": True}
    made = [call("locate", dependencies=calls[0]), call("echo", at=2, dependencies=calls[1])]
    ran = Ran(body, said(None, *made))
    assert ran.answer["server_results"] == {"call_2": ""}
    assert "deferred" not in ran.answer


_NUMBER = st.integers(0, 5)


@st.composite
def _turns(draw: st.DrawFn) -> list[Message]:
    ids = count(1)
    turns = []
    for _ in range(draw(st.integers(0, 3))):
        names = draw(st.lists(st.sampled_from(["add", "echo", "nobody", "locate"]), max_size=4))
        at = [next(ids) for _ in names]
        made = [
            call(name, draw(st.sampled_from(['{"a":1,"b":2}', "", "{", "null", "[]"])), n,
                 dependencies=[f"call_{one}" for one in draw(st.lists(st.sampled_from(at)))])
            for name, n in zip(names, at, strict=True)
        ]  # fmt: skip
        text = draw(st.sampled_from(["hm ", None, ""]))
        turns.append(said(text, *made, reasoning_content=draw(st.sampled_from([None, "so "]))))
    return [*turns, said("the end")]


@given(_turns(), st.sampled_from([True, False, None]), st.integers(1, 4))
def test_any_history_is_one_that_providers_take(
    turns: list[Message], mode: bool | None, most: int
) -> None:
    body = {"messages": [{"role": "user", "content": "go"}], "tools": [LOCATE], "max_turns": most,
            "mcp_servers": [URL], "handoff_mode": mode}  # fmt: skip
    ran = Ran(body, *turns, tool=lambda _: {"content": []})
    for asked in ran.asked:
        waiting: list[str] = []
        for message in asked["messages"]:
            if message["role"] == "tool":
                assert message["tool_call_id"] == waiting.pop(0)
                continue
            assert not waiting
            waiting = [one["id"] for one in message.get("tool_calls") or ()]
            assert waiting or message["role"] == "user"
        assert not waiting


@given(_turns(), st.booleans())
def test_the_stream_says_what_the_message_says(turns: list[Message], usage: bool) -> None:
    body = {"messages": [], "tools": [LOCATE], "mcp_servers": [URL],
            "stream_options": {"include_usage": usage}}  # fmt: skip
    ran = Ran(body, *turns, tool=lambda _: {"content": []})
    folded = fold(ran.frames)
    whole = dict(ran.answer)
    if not usage:
        whole.pop("usage")
        folded.pop("usage", None)
    assert folded == whole


@given(st.dictionaries(st.sampled_from("abc"), _NUMBER | st.dictionaries(st.just("d"), _NUMBER)))
def test_usage_adds_up(usage: Message) -> None:
    assert summed(summed(None, usage), None) == usage
    assert summed(usage, {}) == usage
