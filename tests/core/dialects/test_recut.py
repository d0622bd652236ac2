"""Another text for a recorded stream: it says that, and all else is as it was."""

import orjson
import pytest
from hypothesis import assume, given, settings

from promptdeck.core.dialects.chat.cut import cut
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.chat.fold import fold
from promptdeck.core.dialects.recut import recut
from promptdeck.core.dialects.streamed import Impossible
from promptdeck.core.interaction import Frame, Response
from promptdeck.core.text import sse
from tests.chats import COMPLETIONS, HELLO, TEXT, WEATHER
from tests.recordings import chunk, streamed

SSE = (("content-type", "text/event-stream"),)


def stream(frames, step=10):
    return Response(200, SSE, tuple(Frame(100 + n * step, data) for n, data in enumerate(frames)))


def folded(response):
    return fold(frame.data for frame in response.frames)


@settings(deadline=None)
@given(TEXT.filter(bool), TEXT.filter(bool))
def test_whatever_is_told_is_said(old, new):
    response = streamed(old)
    again = recut(CHAT, response, new)
    assert CHAT.says(again) == new
    assert [frame.offset_ms for frame in again.frames] == sorted(
        frame.offset_ms for frame in again.frames
    )
    assert again.frames[0] == response.frames[0]
    assert again.frames[-2:] == response.frames[-2:]


@settings(deadline=None)
@given(COMPLETIONS, TEXT.filter(bool))
def test_of_any_answer_only_one_text_changes(completion, new):
    response = stream(cut(completion, include_usage=True))
    before = folded(response)
    told = CHAT.says(response)
    contents = [choice["message"].get("content") for choice in before["choices"]]
    content = next((text for text in contents if isinstance(text, str) and text), None)
    assume(content and told.count(content) == 1 and len(new) > 2)
    try:
        again = recut(CHAT, response, told.replace(content, new))
    except Impossible:
        return
    assert CHAT.says(again) == told.replace(content, new)
    changes = 0
    for old, now in zip(before["choices"], folded(again)["choices"], strict=True):
        texts = ("content", "reasoning_content", "reasoning", "refusal")
        changes += sum(old["message"].get(key) != now["message"].get(key) for key in texts)
        for message in (old["message"], now["message"]):
            for key in texts:
                message.pop(key, None)
        assert old["message"] == now["message"]
        assert old["finish_reason"] == now["finish_reason"]
    assert changes <= 1


def test_the_frames_that_carry_no_text_stay_byte_for_byte():
    message = WEATHER["choices"][0]["message"] | {"content": "Let me look."}
    answer = WEATHER | {"choices": [WEATHER["choices"][0] | {"message": message}]}
    response = stream(cut(answer, include_usage=True))
    again = recut(CHAT, response, CHAT.says(response).replace("look", "see what I can find"))
    assert folded(again)["choices"][0]["message"]["content"] == "Let me see what I can find."
    assert folded(again)["choices"][0]["message"]["tool_calls"] == message["tool_calls"]
    calls = [frame.data for frame in response.frames if b"tool_calls" in frame.data]
    assert [frame.data for frame in again.frames if b"tool_calls" in frame.data] == calls
    assert folded(again)["usage"] == HELLO["usage"]


def test_more_words_make_more_frames_in_the_same_time():
    response = streamed("Hello there you")
    again = recut(CHAT, response, "One two three four five six")
    words = [frame for frame in again.frames if b'"content":" ' in frame.data]
    assert len(again.frames) == len(response.frames) + 3
    assert (again.frames[1].offset_ms, again.took_ms) == (40, response.took_ms)
    assert [frame.offset_ms for frame in words] == [48, 56, 64, 72, 80]


def test_fewer_words_make_fewer_frames():
    response = streamed("one two three four")
    assert len(recut(CHAT, response, "One").frames) == len(response.frames) - 3


def test_a_frame_that_carries_more_than_text_is_neither_doubled_nor_dropped():
    first = chunk({"role": "assistant", "content": "Hello"})
    last = chunk({"content": " there"}, "stop")
    data = [*(sse.encode(orjson.dumps(item)) for item in (first, last)), b"data: [DONE]\n\n"]
    for told in ("Hi", "One two three four"):
        again = recut(CHAT, stream(data), told)
        assert len(again.frames) == 3
        assert folded(again)["choices"][0]["message"]["content"] == told
        assert folded(again)["choices"][0]["finish_reason"] == "stop"


def test_the_style_of_the_json_stays():
    item = orjson.dumps(chunk({"content": "Hé"})).replace(b'":', b'": ').replace(b',"', b', "')
    again = recut(CHAT, stream([b"data: " + item + b"\r\n\r\n"]), "Hü")
    assert (
        again.frames[0].data == b"data: " + item.replace("é".encode(), "ü".encode()) + b"\r\n\r\n"
    )


def test_log_probabilities_of_other_tokens_go():
    item = chunk({"content": "Hello"})
    item["choices"][0]["logprobs"] = {"content": [{"token": "Hello", "logprob": -1}]}
    again = recut(CHAT, stream([sse.encode(orjson.dumps(item))]), "Bye")
    assert b'"token"' not in again.body
    assert folded(again)["choices"][0]["logprobs"] is None


@pytest.mark.parametrize("index", [0, 1])
def test_each_choice_can_be_edited_by_itself(index):
    choices = [HELLO["choices"][0] | {"index": n} for n in range(2)]
    response = stream(cut(HELLO | {"choices": choices}, include_usage=False))
    blocks = CHAT.says(response).split("\n\n")
    blocks[index] = blocks[index].replace("wide", "small")
    again = recut(CHAT, response, "\n\n".join(blocks))
    texts = [choice["message"]["content"] for choice in folded(again)["choices"]]
    assert texts.pop(index) == "Hello, small world!"
    assert texts == ["Hello, wide world!"]


def test_what_is_no_text_or_several_of_them_is_refused():
    response = stream(cut(WEATHER, include_usage=False))
    with pytest.raises(Impossible, match="tool call"):
        recut(CHAT, response, CHAT.says(response).replace("Paris", "Rome"))
    message = HELLO["choices"][0]["message"] | {"refusal": "No."}
    both = stream(cut(HELLO | {"choices": [{"index": 0, "message": message}]}, False))
    with pytest.raises(Impossible, match="more than one text"):
        recut(CHAT, both, "Bye\n[refusal] Yes.")


def test_frames_that_repeat_the_message_so_far_are_refused():
    item = chunk({"content": "Hello"})
    item["choices"][0]["message"] = {"content": "Hello"}
    with pytest.raises(Impossible, match="repeat the whole message"):
        recut(CHAT, stream([sse.encode(orjson.dumps(item))]), "Bye")
    with pytest.raises(Impossible, match="cannot be read"):
        recut(CHAT, stream([b"data: {\n\n"]), "Bye")
