"""Folding: the answer that a stream adds up to, with nothing lost and nothing invented."""

import itertools
import random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.cut import cut
from promptdeck.core.dialects.chat.fold import fold
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import Unfaithful, same
from tests.chats import (
    COMPLETIONS,
    HELLO,
    HOSTILE_CHUNKS,
    frames_of,
    hostile_frame,
    values,
)


def frames_of_deltas(*deltas):
    return frames_of(*({"choices": [{"index": 0, "delta": delta}]} for delta in deltas))


def folded_message(*pieces):
    return fold(frames_of_deltas(*pieces))["choices"][0]["message"]


# However it is split


def halves(chunk, place):
    """A chunk as two that say the same, its text cut at `place`; other chunks as they are."""
    choices = chunk["choices"]
    delta = choices[0]["delta"] if choices else {}
    calls = delta.get("tool_calls") or [{}]
    call = calls[0] if isinstance(calls[0], dict) else {}
    for whole in (delta, call.get("function"), call.get("custom"), delta.get("function_call")):
        for key in ("content", "reasoning_content", "reasoning", "refusal", "arguments", "input"):
            text = whole.get(key) if isinstance(whole, dict) and len(whole) == 1 else None
            if isinstance(text, str) and choices[0].get("logprobs") is None:
                for part in (text[:place], text[place:]):
                    whole[key] = part
                    yield orjson.loads(orjson.dumps(chunk))
                return
    yield chunk


@given(COMPLETIONS, st.lists(st.integers(0, 20), min_size=1))
def test_how_the_text_is_split_makes_no_difference(completion, places):
    chunks = values(cut(completion, include_usage=True))
    split = [
        half
        for chunk, place in zip(chunks, itertools.cycle(places), strict=False)
        for half in halves(chunk, place)
    ]
    assert same(fold(frames_of(*split)), completion)


@given(COMPLETIONS, st.randoms(use_true_random=False))
def test_how_the_choices_take_turns_makes_no_difference(completion, order: random.Random):
    chunks = values(cut(completion, include_usage=True))
    numbers = [chunk["choices"][0]["index"] if chunk["choices"] else -1 for chunk in chunks]
    turns = order.sample(numbers, len(numbers))
    waiting = {
        number: iter([one for one, of in zip(chunks, numbers, strict=True) if of == number])
        for number in turns
    }
    assert same(fold(frames_of(*(next(waiting[number]) for number in turns))), completion)


@given(COMPLETIONS, st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_how_the_stream_is_written_makes_no_difference(completion, line_end):
    frames = cut(completion, include_usage=True)
    stream = b": ping\n\n".join([b"", *(b"event: x\nid: 1\n" + frame for frame in frames)])
    assert same(fold(sse.frames(stream.replace(b"\n", line_end))), completion)


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
