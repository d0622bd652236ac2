"""What counts as drift between a recorded answer and one of today, and how grave it is."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.table import HTTP
from promptdeck.core.drift import Drift, Tier, compare
from promptdeck.core.interaction import Frame, Response
from promptdeck.core.text.sse import DONE, encode
from tests.scripted_upstream import chunk, chunks, completion

JSON_HEADERS = (("content-type", "application/json"),)
SSE_HEADERS = (("content-type", "text/event-stream"),)


def whole(value: Any, status: int = 200) -> Response:
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return Response(status, JSON_HEADERS, (Frame(1, body),))


def streamed(*frames: bytes) -> Response:
    return Response(200, SSE_HEADERS, tuple(Frame(n, data) for n, data in enumerate(frames)))


def chat(recorded: Any, live: Any) -> Drift:
    return compare(whole(recorded), whole(live), CHAT)


def other(recorded: Any, live: Any) -> Drift:
    return compare(whole(recorded), whole(live), HTTP)


def with_message(**changes: Any) -> dict[str, Any]:
    answer = completion("hello")
    answer["choices"][0]["message"] |= changes
    return answer


# Same


def test_ids_times_usage_and_fingerprints_do_not_count() -> None:
    usage = {"prompt_tokens": 500, "completion_tokens": 2, "total_tokens": 502}
    live = completion("hello", id="chatcmpl-2", created=1_800_000_000, usage=usage)
    assert chat(completion("hello"), live) == (Tier.SAME, ())


def test_a_new_field_is_a_note_and_no_drift() -> None:
    drift = chat(completion("hello"), with_message(annotations=[]))
    assert drift == (Tier.SAME, ("$.choices[].message.annotations is new",))
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    assert chat(completion("hello"), with_message(tool_calls=calls)).tier is Tier.CONTENT
    assert chat(completion("hello"), completion("hello", usage=None)).tier is Tier.SHAPE


def test_a_stream_cut_into_other_chunks_says_the_same() -> None:
    recorded = streamed(*chunks("one two three"))
    live = streamed(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "one two"}),
        chunk({"content": " three"}),
        chunk({}, "stop"),
        encode(DONE.encode()),
    )
    assert compare(recorded, live, CHAT) == (Tier.SAME, ())


def test_the_same_error_again_is_no_drift() -> None:
    error = whole({"error": {"message": "slow down"}}, 429)
    assert compare(error, error, CHAT) == (Tier.SAME, ())


# Content


def test_other_words_are_content_and_the_note_says_how_much() -> None:
    drift = chat(completion("the night train leaves"), completion("the day train leaves"))
    assert drift.tier is Tier.CONTENT
    assert drift.notes == ("other text: 80% alike, 20 characters, was 22 characters",)


def test_other_words_in_a_stream_are_content() -> None:
    recorded, live = streamed(*chunks("a night train")), streamed(*chunks("a slow bus, alas"))
    [note] = compare(recorded, live, CHAT).notes
    assert note.startswith("other text")


def test_another_model_and_another_finish_are_told() -> None:
    live = completion("hello", model="scripted-2")
    live["choices"][0]["finish_reason"] = "length"
    drift = chat(completion("hello"), live)
    assert drift.tier is Tier.CONTENT
    assert set(drift.notes) == {
        "model is scripted-2, was scripted",
        "finish_reason is length, was stop",
    }


def test_lengths_of_lists_are_content() -> None:
    drift = other({"data": [{"embedding": [1, 2]}]}, {"data": [{"embedding": [3.5]}] * 2})
    assert drift.tier is Tier.CONTENT


def test_texts_that_are_no_json_are_compared_as_texts() -> None:
    assert compare(whole(b"WEBVTT a"), whole(b"WEBVTT b"), HTTP).tier is Tier.CONTENT
    assert compare(whole(b"WEBVTT a"), whole(b"WEBVTT a"), HTTP).tier is Tier.SAME


# Shape


def test_a_field_gone_is_named_with_its_path() -> None:
    live = with_message()
    del live["choices"][0]["message"]["refusal"]
    assert chat(with_message(), live) == (Tier.SHAPE, ("$.choices[].message.refusal is gone",))


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ("1", 1, "number, was text"),
        ("1", None, "null, was text"),
        (1, "1", "text, was number"),
        (1, True, "boolean, was number"),
        ({"a": 1}, [1], "list, was object"),
        ([1], {"a": 1}, "object, was list"),
    ],
)
def test_a_changed_type_is_shape_drift(before: Any, now: Any, told: str) -> None:
    assert other({"x": before}, {"x": now}) == (Tier.SHAPE, (f"$.x is {told}",))


@pytest.mark.parametrize(
    ("before", "now"),
    [(1, 1.5), (None, "a"), ([None, "a"], ["a"]), ([None, "a"], [None]), ([], ["a"]), (["a"], [])],
)
def test_an_option_taken_or_not_is_no_shape_drift(before: Any, now: Any) -> None:
    assert other({"x": before}, {"x": now}).tier is Tier.CONTENT


def test_a_field_that_only_some_items_had_is_an_option() -> None:
    recorded = {"parts": [{"type": "thinking", "thought": "hm"}, {"type": "text", "text": "a"}]}
    assert other(recorded, {"parts": [{"type": "text", "text": "a"}]}).tier is Tier.CONTENT
    assert other(recorded, {"parts": [{"text": "a"}]}).notes == ("$.parts[].type is gone",)


def test_a_whole_answer_in_place_of_a_stream_is_shape_drift() -> None:
    stream = streamed(*chunks("hello"))
    drift = compare(stream, whole(completion("hello")), CHAT)
    assert drift == (Tier.SHAPE, ("a whole answer came where a stream was recorded",))
    assert compare(whole(completion("hello")), stream, CHAT).tier is Tier.SHAPE


def test_a_missing_end_marker_is_shape_drift() -> None:
    drift = compare(streamed(*chunks("hello")), streamed(*chunks("hello")[:-1]), CHAT)
    assert drift == (Tier.SHAPE, ("the end marker [DONE] is gone",))


def test_an_answer_that_is_not_whole_is_shape_drift() -> None:
    live = completion("hello")
    live["choices"][0]["finish_reason"] = None
    drift = chat(completion("hello"), live)
    assert drift.notes == ("$.choices[].finish_reason is null, was text",)
    assert chat(completion("hello"), completion("hello", choices=[])) == (
        Tier.SHAPE,
        ("there are no choices",),
    )


def test_a_field_gone_from_every_chunk_is_shape_drift() -> None:
    live = [frame.replace(b'"index":0,', b"") for frame in chunks("hello")]
    drift = compare(streamed(*chunks("hello")), streamed(*live), CHAT)
    assert "chunk.choices[].index is gone" in drift.notes


def test_a_renamed_delta_shows_in_what_the_stream_adds_up_to() -> None:
    live = [frame.replace(b'"content"', b'"text"') for frame in chunks("hello")]
    drift = compare(streamed(*chunks("hello")), streamed(*live), CHAT)
    assert drift.tier is Tier.SHAPE
    assert "$.choices[].message.content is null, was text" in drift.notes
    assert "chunk.choices[].delta.text is new" in drift.notes


def test_event_names_are_part_of_the_protocol() -> None:
    before = [encode(b'{"type":"a"}', "response.start"), encode(b'{"type":"b"}', "response.done")]
    now = [encode(b'{"type":"a"}', "response.start"), encode(b'{"type":"b"}', "response.end")]
    drift = compare(streamed(*before), streamed(*now), HTTP)
    assert drift == (Tier.SHAPE, ("event response.done is gone", "event response.end is new"))
    unnamed = compare(streamed(*before), streamed(encode(b'{"type":"a"}')), HTTP)
    assert unnamed.tier is Tier.SHAPE


def test_another_content_type_is_shape_drift() -> None:
    page = Response(200, (("content-type", "text/html"),), (Frame(1, b"<html>"),))
    drift = compare(whole({"x": 1}), page, HTTP)
    assert drift.notes == (
        "the content type is text/html, was application/json",
        "$ is text, was object",
    )


def test_padding_is_there_or_not_as_the_provider_pleases() -> None:
    padded = [chunk({"content": "a"}, "stop", obfuscation="xyz"), encode(DONE.encode())]
    plain = [chunk({"content": "a"}, "stop"), encode(DONE.encode())]
    assert compare(streamed(*padded), streamed(*plain), CHAT) == (Tier.SAME, ())
    assert compare(streamed(*plain), streamed(*padded), CHAT) == (Tier.SAME, ())


# Errors


def test_an_error_where_there_was_none_is_the_gravest_and_says_what_it_says() -> None:
    error = whole({"error": {"message": "no such model"}}, 404)
    drift = compare(whole(completion("hello")), error, CHAT)
    assert drift == (Tier.ERROR, ("status 404, recorded 200: no such model",))
    assert compare(error, whole(completion("hello")), CHAT) == (
        Tier.ERROR,
        ("status 200, recorded 404",),
    )


def test_an_error_inside_a_good_status_is_an_error() -> None:
    live = streamed(encode(b'{"error": {"message": "overloaded"}}'))
    drift = compare(streamed(*chunks("hello")), live, CHAT)
    assert drift == (Tier.ERROR, ("the answer reports an error: overloaded",))
    named = streamed(encode(b'{"type": "x"}', "error"))
    assert compare(streamed(*chunks("hello")), named, CHAT).tier is Tier.ERROR


def test_another_good_status_is_shape_drift() -> None:
    drift = compare(whole({"x": 1}), whole({"x": 1}, 202), HTTP)
    assert drift == (Tier.SHAPE, ("status 202, recorded 200",))


def test_notes_show_what_a_terminal_would_obey_as_escapes() -> None:
    error = whole({"error": {"message": "\x1b[2J"}}, 500)
    [note] = compare(whole({"x": 1}), error, HTTP).notes
    assert note.isprintable()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(JSON_VALUES, st.booleans())
def test_nothing_drifts_from_itself(value: Any, is_chat: bool) -> None:
    for one in (whole(value), streamed(encode(orjson.dumps(value)), encode(DONE.encode()))):
        assert compare(one, one, CHAT if is_chat else HTTP) == (Tier.SAME, ())


@given(st.binary(max_size=40), st.binary(max_size=40), st.booleans(), st.booleans())
def test_any_bytes_can_be_compared(a: bytes, b: bytes, is_chat: bool, stream: bool) -> None:
    assert (
        compare(whole(a), streamed(b) if stream else whole(b), CHAT if is_chat else HTTP).tier
        in Tier
    )


@given(st.dictionaries(st.text(max_size=3), JSON_VALUES), st.text(max_size=3), JSON_VALUES)
def test_adding_a_field_never_is_shape_drift(value: Any, name: str, added: Any) -> None:
    if name in {*value, "error"} or value.get("error"):
        return
    assert other(value, {**value, name: added}).tier is Tier.SAME
