"""A recorded answer by the names of another run: whole or as a stream cut anywhere."""

import time
from itertools import pairwise

import orjson
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Response
from promptdeck.core.matching.retelling import retold

RECORDED = {"⟨cwd⟩": "/home/ann/proj", "⟨cwd:folder⟩": "-home-ann-proj", "⟨call-1⟩": "call_a1"}
ASKED = {"⟨cwd⟩": "/srv/bob", "⟨cwd:folder⟩": "-srv-bob", "⟨call-1⟩": "call_b2"}
SAID = "Read /home/ann/proj/notes.txt and ~/.x/-home-ann-proj/m, not /home/ann/proj-2 of call_a1."
MEANT = "Read /srv/bob/notes.txt and ~/.x/-srv-bob/m, not /home/ann/proj-2 of call_b2."


def whole(value, mime: str = "application/json") -> Response:
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return Response(200, (("Content-Type", mime),), (Frame(1, body),))


def stream(pieces, delta) -> Response:
    frames = [b"data: %b\n\n" % orjson.dumps(delta(piece)) for piece in pieces]
    frames.append(b"data: [DONE]\n\n")
    return Response(
        200,
        (("Content-Type", "text/event-stream"),),
        tuple(Frame(n, data) for n, data in enumerate(frames)),
    )


def chat_text(piece: str):
    return {"choices": [{"index": 0, "delta": {"content": piece}}]}


def chat_arguments(piece: str):
    calls = [{"index": 0, "function": {"arguments": piece}}]
    return {"choices": [{"index": 0, "delta": {"tool_calls": calls}}]}


def messages_input(piece: str):
    delta = {"type": "input_json_delta", "partial_json": piece}
    return {"type": "content_block_delta", "index": 1, "delta": delta}


def responses_arguments(piece: str):
    return {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": piece}


def said(response: Response, delta) -> str:
    """All that the frames say, by the same path as `delta` puts it there."""
    mark = orjson.dumps(delta("\0")).decode()
    before, behind = mark.split('"\\u0000"')
    texts = []
    for frame in response.frames[:-1]:
        data = frame.data.decode().removeprefix("data: ").strip()
        texts.append(orjson.loads(data.removeprefix(before).removesuffix(behind)))
    return "".join(texts)


def test_a_whole_answer_is_put_right_in_all_its_strings() -> None:
    answer = {"a": [SAID, {"b": orjson.dumps({"c": SAID}).decode()}], "n": 1.0}
    found = retold(whole(answer), RECORDED, ASKED)
    assert orjson.loads(found.response.body) == {
        "a": [MEANT, {"b": orjson.dumps({"c": MEANT}).decode()}],
        "n": 1.0,
    }
    assert found.names == ("call-1", "cwd", "cwd:folder")


def test_text_is_put_right_and_bytes_stay() -> None:
    assert (
        retold(whole(SAID.encode(), "text/plain"), RECORDED, ASKED).response.body == MEANT.encode()
    )
    odd = whole(b"\xff" + SAID.encode())
    assert retold(odd, RECORDED, ASKED).response is odd


@given(
    cuts=st.lists(st.integers(0, len(SAID)), max_size=12),
    delta=st.sampled_from([chat_text, chat_arguments, messages_input, responses_arguments]),
)
def test_a_stream_is_put_right_however_it_is_cut(cuts: list[int], delta) -> None:
    places = [0, *sorted(cuts), len(SAID)]
    pieces = [SAID[a:b] for a, b in pairwise(places)]
    recorded = stream(pieces, delta)
    found = retold(recorded, RECORDED, ASKED)
    assert said(found.response, delta) == MEANT
    assert [frame.offset_ms for frame in found.response.frames] == [*range(len(pieces) + 1)]
    untouched = [a for a, b in zip(recorded.frames, found.response.frames, strict=True) if a is b]
    assert recorded.frames[-1] in untouched


@given(at=st.integers(0, len(SAID)))
def test_a_text_that_goes_on_at_another_place_of_a_list_is_put_right_once(at: int) -> None:
    def frame(n: int, *texts: str) -> Frame:
        parts = [{"text": text} for text in texts]
        value = {"candidates": [{"content": {"parts": parts}}]}
        return Frame(n, b"data: %b\n\n" % orjson.dumps(value))

    frames = (frame(0, f"{SAID} ", SAID[:at]), frame(1, SAID[at:]), frame(2, " " + SAID))
    recorded = Response(200, (("Content-Type", "text/event-stream"),), frames)
    found = retold(recorded, RECORDED, ASKED).response
    values = [orjson.loads(one.data.removeprefix(b"data: ")) for one in found.frames]
    parts = [
        part["text"] for value in values for part in value["candidates"][0]["content"]["parts"]
    ]
    assert parts[0] == f"{MEANT} "
    assert "".join(parts[1:]) == f"{MEANT} {MEANT}"


@given(text=st.text(max_size=40))
def test_an_answer_without_such_values_is_the_same_object(text: str) -> None:
    for response in (whole({"a": text}), stream([text, text], chat_text)):
        assert retold(response, RECORDED, ASKED) == (response, ())
        assert retold(response, RECORDED, RECORDED).response is response


def test_two_that_change_places_do() -> None:
    one, other = {"⟨a⟩": "id-11", "⟨b⟩": "id-22"}, {"⟨a⟩": "id-22", "⟨b⟩": "id-11"}
    assert retold(whole({"x": "id-11 id-22"}), one, other).response.body == b'{"x":"id-22 id-11"}'


def test_windows_paths_are_put_right_within_json_within_json() -> None:
    one, other = {"⟨cwd⟩": "C:\\Users\\ann\\p"}, {"⟨cwd⟩": "D:\\work"}
    arguments = orjson.dumps({"path": "C:\\Users\\ann\\p\\notes.txt"}).decode()
    [found] = [retold(whole({"arguments": arguments}), one, other).response]
    inner = orjson.loads(orjson.loads(found.body)["arguments"])
    assert inner == {"path": "D:\\work\\notes.txt"}


def test_a_long_runs_ids_cost_nothing_where_an_answer_says_none() -> None:
    one = {f"⟨item-{n}⟩": f"msg_{n:040x}" for n in range(3000)}
    other = {name: value.replace("msg", "gsm") for name, value in one.items()}
    answer = whole({"a": ["some words of an answer"] * 500})
    begin = time.process_time()
    assert retold(answer, one, other) == (answer, ())
    assert time.process_time() - begin < 0.5


BLANK = {**ASKED, "⟨cwd⟩": '/srv/Bob\'s "own" things'}


@given(at=st.integers(0, 60), told=st.sampled_from([chat_arguments, messages_input]))
def test_a_command_is_right_in_a_folder_with_blanks_and_quotes(at: int, told) -> None:
    """Bare in a command a path needs escapes; in JSON, whole or in pieces, it stays JSON."""
    command = {"command": "cat /home/ann/proj/a '/home/ann/proj/b'", "path": "/home/ann/proj"}
    text = orjson.dumps(command).decode()
    answer = said(retold(stream([text[:at], text[at:]], told), RECORDED, BLANK).response, told)
    found = orjson.loads(answer)
    assert found["path"] == BLANK["⟨cwd⟩"]
    assert found["command"].startswith("cat /srv/Bob\\'s\\ \\\"own\\\"\\ things/a '")
    values = {"arguments": text, "input": command, "text": command["command"]}
    value = orjson.loads(retold(whole(values), RECORDED, BLANK).response.body)
    assert orjson.loads(value["arguments"]) == value["input"] == found
    assert value["text"] == command["command"].replace(RECORDED["⟨cwd⟩"], BLANK["⟨cwd⟩"])
