"""Cutting: an answer as a stream, which folds into the answer again."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from promptdeck.core.dialects.chat.cut import cut, words
from promptdeck.core.dialects.chat.fold import fold
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import same
from tests.chats import (
    ANY_JSON,
    COMPLETIONS,
    HELLO,
    HOSTILE,
    HOSTILE_KEYS,
    NAMES,
    TEXT,
    WEATHER,
    message,
    record,
    values,
)


def deltas(completion):
    return [
        choice["delta"]
        for chunk in values(cut(completion, include_usage=False))
        for choice in chunk["choices"]
    ]


# Both ways


@given(COMPLETIONS)
def test_folding_what_was_cut_gives_the_completion_back(completion):
    assert same(fold(cut(completion, include_usage=True)), completion)


@given(COMPLETIONS)
def test_without_usage_only_the_usage_is_missing(completion):
    completion.pop("usage", None)
    told = completion | {"usage": {"total_tokens": 1}}
    assert same(fold(cut(told, include_usage=False)), completion)


@given(COMPLETIONS, st.booleans())
def test_what_is_cut_survives_the_network(completion, include_usage):
    frames = cut(completion, include_usage)
    assert sse.frames(b"".join(frames)) == frames
    assert all(frame.startswith(b"data: ") and frame.count(b"\n") == 2 for frame in frames)
    assert frames[-1] == b"data: [DONE]\n\n"


# The SDK's own accumulator, as a judge of both

SDK_MESSAGES = record(
    {"role": st.just("assistant"), "content": st.none() | TEXT, "refusal": st.none() | TEXT},
    tool_calls=st.lists(
        record(
            {
                "id": NAMES,
                "type": st.just("function"),
                "function": record({"name": NAMES, "arguments": TEXT}),
            }
        ),
        min_size=1,
        max_size=3,
    ),
)


@given(st.lists(SDK_MESSAGES, min_size=1, max_size=2))
def test_the_sdk_adds_our_chunks_up_to_the_same_messages(messages):
    choices = [
        {"index": i, "message": said, "finish_reason": "stop", "logprobs": None}
        for i, said in enumerate(messages)
    ]
    state = ChatCompletionStreamState()
    for chunk in values(cut(HELLO | {"choices": choices}, include_usage=True)):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    final = state.get_final_completion().to_dict()
    for choice, said in zip(final["choices"], messages, strict=True):
        found = choice["message"]
        assert (found["content"] or None) == (said["content"] or None)
        assert (found.get("refusal") or None) == (said["refusal"] or None)
        assert [_bare(call) for call in found.get("tool_calls") or []] == said.get("tool_calls", [])
    assert final["usage"] == HELLO["usage"]


def _bare(call):
    function = {key: call["function"][key] for key in ("name", "arguments")}
    return {"id": call["id"], "type": call["type"], "function": function}


@pytest.mark.parametrize("completion", [HELLO, WEATHER])
def test_the_sdks_strict_types_accept_both_forms(completion):
    ChatCompletion.model_validate(fold(cut(completion, include_usage=True)), strict=True)
    for chunk in values(cut(completion, include_usage=True)):
        ChatCompletionChunk.model_validate(chunk, strict=True)


# Cutting


def test_content_is_cut_into_words():
    assert deltas(HELLO) == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Hello,"},
        {"content": " wide"},
        {"content": " world!"},
        {},
    ]


@given(TEXT | st.text())
def test_words_joined_are_the_text(text):
    assert "".join(words(text)) == text
    assert all(words(text))


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("", []),
        ("a", ["a"]),
        ("  a\n\nb ", ["  a", "\n\nb", " "]),
        ("\n", ["\n"]),
        ('say "hi" now', ["say", ' "', 'hi"', " now"]),
        ("你好，世界。", ["你好，", "世界。"]),
        ("a 漢字だ", ["a", " 漢字", "だ"]),
        ("hi 👩🏽‍🚀!", ["hi", " 👩🏽‍🚀!"]),
        ("cafe\u0301 か\u3099", ["cafe\u0301", " か\u3099"]),
    ],
)
def test_words_are_cut_as_models_speak(text, spoken):
    assert [delta["content"] for delta in deltas(message(content=text))[1:-1]] == spoken


def test_calls_are_cut_into_a_head_and_pieces_of_arguments():
    assert deltas(WEATHER) == [
        {"role": "assistant", "content": None, "refusal": None},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": ""},
                }
            ]
        },
        *(
            {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
            for piece in ('{"', 'city"', ':"', 'Paris"', "}")
        ),
        {
            "tool_calls": [
                {
                    "index": 1,
                    "id": "call_2",
                    "type": "function",
                    "function": {"name": "time", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
        {},
    ]


def test_calls_are_numbered_though_the_answer_numbers_them_alike():
    calls = [{"index": 0, "id": "a"}, {"index": 0, "id": "b"}]
    found = [delta["tool_calls"] for delta in deltas(message(tool_calls=calls))[1:-1]]
    assert found == [[{"index": 0, "id": "a"}], [{"index": 1, "id": "b"}]]


def test_reasoning_comes_before_the_content_and_the_rest_after_it():
    said = message(annotations=[], content="b", refusal="c", reasoning_content="a")
    assert [next(iter(delta)) for delta in deltas(said)[1:-1]] == [
        "reasoning_content",
        "content",
        "refusal",
        "annotations",
    ]


@pytest.mark.parametrize("content", ["b", None])
def test_signed_reasoning_comes_before_what_it_led_to(content):
    calls = [{"id": "c", "type": "function", "function": {"name": "n", "arguments": ""}}]
    said = message(content=content, tool_calls=calls, reasoning="a", reasoning_details=[{"d": 1}])
    assert [next(iter(delta)) for delta in deltas(said)[1:-1]] == [
        "reasoning",
        "reasoning_details",
        *(["content"] if content else []),
        "tool_calls",
    ]


def test_each_token_carries_its_own_log_probability():
    entries = [{"token": "He", "logprob": -1}, {"token": "y", "logprob": -2}]
    choice = message(content="Hey")["choices"][0]
    choice["logprobs"] = {"content": entries, "refusal": None}
    pieces = [chunk["choices"][0] for chunk in values(cut(HELLO | {"choices": [choice]}, False))]
    assert [(piece["delta"].get("content"), piece["logprobs"]) for piece in pieces] == [
        ("", None),
        ("He", {"content": entries[:1], "refusal": None}),
        ("y", {"content": entries[1:], "refusal": None}),
        (None, None),
    ]


def test_tokens_that_are_not_those_of_the_content_come_with_its_first_word():
    logprobs = {"content": [{"token": "bytes:\\xf0"}]}
    choice = message(content="a b")["choices"][0] | {"logprobs": logprobs}
    pieces = [chunk["choices"][0] for chunk in values(cut(HELLO | {"choices": [choice]}, False))]
    assert [piece["logprobs"] for piece in pieces] == [None, logprobs, None, None]


def test_every_choice_has_its_own_opening_and_end():
    choices = [{"index": i, "message": {"content": "a"}, "finish_reason": "stop"} for i in (0, 1)]
    pieces = [chunk["choices"][0] for chunk in values(cut(HELLO | {"choices": choices}, False))]
    assert [(piece["index"], piece["finish_reason"]) for piece in pieces] == [
        *((0, None), (0, None), (0, "stop")),
        *((1, None), (1, None), (1, "stop")),
    ]


def test_usage_comes_last_and_only_for_those_who_ask():
    *others, last = values(cut(HELLO, include_usage=True))
    assert (last["choices"], last["usage"]) == ([], HELLO["usage"])
    assert all(chunk["usage"] is None for chunk in others)
    assert not any("usage" in chunk for chunk in values(cut(HELLO, include_usage=False)))


def test_every_chunk_names_the_answer_and_the_end_says_what_a_provider_adds():
    completion = HELLO | {"mcp_tool_results": [{"tool_name": "t"}], "turns_consumed": 2}
    *others, last = values(cut(completion, include_usage=False))
    for chunk in (*others, last):
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["system_fingerprint"] == "fp_1"
        assert (chunk["id"], chunk["model"]) == (HELLO["id"], HELLO["model"])
    assert not any("mcp_tool_results" in chunk for chunk in others)
    assert last["choices"][0]["finish_reason"] == "stop"
    assert (last["mcp_tool_results"], last["turns_consumed"]) == ([{"tool_name": "t"}], 2)


@given(st.dictionaries(HOSTILE_KEYS, HOSTILE) | record({"choices": st.lists(ANY_JSON)}))
def test_any_object_is_cut_into_whole_frames(completion):
    try:
        frames = cut(orjson.loads(orjson.dumps(completion)), include_usage=True)
    except TypeError:  # an integer beyond 64 bits
        return
    assert all(map(sse.is_whole, frames))
    assert frames[-1] == b"data: [DONE]\n\n"
