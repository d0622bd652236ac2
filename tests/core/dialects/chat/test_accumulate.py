"""Streams and messages: each from the other, with nothing lost and nothing invented."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from promptdeck.core.dialects.chat.accumulate import cut, fold
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import Unfaithful, same
from tests.chats import (
    ANY_JSON,
    COMPLETIONS,
    HELLO,
    HOSTILE,
    HOSTILE_CHUNKS,
    HOSTILE_KEYS,
    NAMES,
    TEXT,
    WEATHER,
    frames_of,
    hostile_frame,
    message,
    record,
    values,
)


def frames_of_deltas(*deltas):
    return frames_of(*({"choices": [{"index": 0, "delta": delta}]} for delta in deltas))


def deltas(completion):
    return [
        choice["delta"]
        for chunk in values(cut(completion, include_usage=False))
        for choice in chunk["choices"]
    ]


def folded_message(*pieces):
    return fold(frames_of_deltas(*pieces))["choices"][0]["message"]


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


# Folding


@given(st.lists(HOSTILE_CHUNKS.map(hostile_frame) | st.binary(max_size=20), max_size=4))
def test_any_stream_folds_into_json_or_is_unfaithful(frames):
    try:
        completion = fold(frames)
    except Unfaithful:
        return
    assert completion["object"] == "chat.completion"
    for choice in completion["choices"]:
        assert {"index", "message", "finish_reason"} <= choice.keys()
        assert {"role", "content", "refusal"} <= choice["message"].keys()
    orjson.dumps(completion)


@pytest.mark.parametrize("pair", ['{"a":}', "[]", '[{"index":0,"a":}]', '{"content":[]}'])
def test_chunks_as_deep_as_they_may_be_fold_without_a_recursion_error(pair):
    head, tail = (pair[:-1], pair[-1:]) if pair[-2] in "[:" else (pair[:-2], pair[-2:])
    depth = 190 // (head.count("{") + head.count("["))
    deep = head * depth + '"x"' + tail * depth
    frame = sse.encode(b'{"choices":[{"delta":{"x":%b}}]}' % deep.encode())
    assert fold([frame, frame])["choices"][0]["message"]["x"]


def test_chunks_deeper_than_that_are_unfaithful():
    with pytest.raises(Unfaithful):
        fold([sse.encode(b'{"a":' * 300 + b"1" + b"}" * 300)])


def test_a_chunk_that_is_not_json_is_unfaithful():
    with pytest.raises(Unfaithful):
        fold([*cut(HELLO, include_usage=False)[:2], b'data: {"id'])


def test_an_openai_stream_folds_into_the_answer():
    head = {"id": "c", "object": "chat.completion.chunk", "created": 5, "model": "m"}
    tail = {"logprobs": None, "finish_reason": None}
    frames = frames_of(
        head
        | {
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}} | tail],
            "usage": None,
            "obfuscation": "abc",
        },
        head | {"choices": [{"index": 0, "delta": {"content": "Hi"}} | tail], "usage": None},
        head | {"choices": [{"index": 0, "delta": {}} | tail | {"finish_reason": "stop"}]},
        head | {"choices": [], "usage": {"total_tokens": 2}},
    )
    assert fold([b": hello\n\n", *frames, b"data: [DONE]\n\n"]) == {
        "id": "c",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"total_tokens": 2},
    }


def test_a_stream_of_nothing_folds_into_no_choices():
    assert fold([]) == {"object": "chat.completion", "choices": []}


def test_the_first_chunk_that_names_the_answer_counts():
    frames = frames_of(
        {"id": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": [1]},
        {"id": "a", "created": 5, "model": "m", "choices": []},
        {"id": "b", "created": 6, "model": "n", "choices": []},
    )
    completion = fold(frames)
    assert (completion["id"], completion["created"], completion["model"]) == ("a", 5, "m")
    assert completion["prompt_filter_results"] == [1]


def test_of_other_keys_the_last_that_is_not_null_counts():
    frames = frames_of({"x": 1, "y": None}, {"x": 2}, {"x": None})
    assert fold(frames) == {"object": "chat.completion", "choices": [], "x": 2, "y": None}


def test_choices_are_told_apart_by_index_and_stand_in_order():
    frames = frames_of(
        {"choices": [{"index": 1, "delta": {"content": "b"}}]},
        {"choices": [{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": None}]},
        {"choices": [{"index": 1, "delta": {"content": "B"}, "finish_reason": "stop"}, None]},
        {"choices": [{"delta": {"content": "A"}}]},
        {"choices": "none"},
    )
    found = fold(frames)["choices"]
    assert [choice["index"] for choice in found] == [0, 1]
    assert [choice["message"]["content"] for choice in found] == ["aA", "bB"]
    assert [choice["finish_reason"] for choice in found] == [None, "stop"]


def test_reasoning_is_kept_beside_the_content():
    pieces = [
        {"role": "assistant", "content": None, "reasoning_content": "Let"},
        {"role": "", "content": None, "reasoning_content": " me"},
        {"content": "42", "reasoning_content": None},
    ]
    assert folded_message(*pieces) == {
        "role": "assistant",
        "content": "42",
        "refusal": None,
        "reasoning_content": "Let me",
    }


def test_a_function_call_goes_on_like_a_tool_call():
    pieces = [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
    ]
    assert folded_message(*pieces)["function_call"] == {"name": "f", "arguments": "{}"}


def test_audio_goes_on_and_keeps_its_id():
    pieces = [
        {"audio": {"id": "a", "transcript": "He"}},
        {"audio": {"data": "AA"}},
        {"audio": {"data": "BB", "transcript": "y"}},
        {"audio": {"expires_at": 9}},
    ]
    assert folded_message(*pieces)["audio"] == {
        "id": "a",
        "transcript": "Hey",
        "data": "AABB",
        "expires_at": 9,
    }


def test_log_probabilities_of_content_and_refusal_are_collected():
    frames = frames_of(
        {"choices": [{"delta": {}, "logprobs": {"content": [{"token": "a"}], "refusal": None}}]},
        {"choices": [{"delta": {}, "logprobs": {"content": None, "refusal": [{"token": "b"}]}}]},
        {"choices": [{"delta": {}, "logprobs": {"content": [{"token": "c"}], "refusal": None}}]},
        {"choices": [{"delta": {}, "logprobs": None}]},
    )
    assert fold(frames)["choices"][0]["logprobs"] == {
        "content": [{"token": "a"}, {"token": "c"}],
        "refusal": [{"token": "b"}],
    }


def test_what_a_choice_repeats_beside_its_deltas_is_said_once():
    safe = {"hate": {"filtered": False, "severity": "safe"}}
    piece = {"delta": {}, "finish_reason": "stop", "content_filter_results": safe}
    [choice] = fold(frames_of({"choices": [piece]}, {"choices": [piece]}))["choices"]
    assert (choice["finish_reason"], choice["content_filter_results"]) == ("stop", safe)


def test_a_message_sent_beside_the_deltas_is_not_said_twice():
    frames = frames_of(
        {"choices": [{"delta": {"content": "a"}, "message": {"content": "a"}}]},
        {"choices": [{"delta": {"content": "b"}, "message": {"content": "ab"}}]},
    )
    assert fold(frames)["choices"][0]["message"]["content"] == "ab"


def test_a_whole_completion_sent_as_one_chunk_is_that_completion():
    assert fold(frames_of(HELLO)) == HELLO


# Cutting


def test_content_is_cut_into_words():
    assert deltas(HELLO) == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Hello,"},
        {"content": " wide"},
        {"content": " world!"},
        {},
    ]


@pytest.mark.parametrize(
    ("text", "words"),
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
def test_words_are_cut_as_models_speak(text, words):
    assert [delta["content"] for delta in deltas(message(content=text))[1:-1]] == words


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
