"""Interactions as YAML: every byte comes back, whatever the bytes, and people can read it."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.table import says
from promptdeck.core.interaction import Frame, Response
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import compact
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.digests import digests_of
from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.load import load
from tests.recordings import (
    INTERACTIONS,
    ODD,
    TEXT,
    TRICKY,
    chat_request,
    chunk,
    interaction,
    of,
    streamed,
    whole,
)


def answer_of(data, content_type="application/json"):
    return of(
        chat_request("x"), Response(200, (("content-type", content_type),), (Frame(1, data),))
    )


def stream_of(*frames):
    headers = (("content-type", "text/event-stream"),)
    return of(chat_request("x"), Response(200, headers, tuple(Frame(1, data) for data in frames)))


@given(INTERACTIONS)
def test_every_interaction_comes_back_byte_for_byte(one):
    assert load(HEADER + dump(one)) == [one]


@pytest.mark.parametrize("name", ODD)
def test_every_odd_one_comes_back_byte_for_byte(name):
    assert load(HEADER + dump(ODD[name])) == [ODD[name]]


@given(st.lists(INTERACTIONS, max_size=3))
def test_a_file_of_many_comes_back_in_order(many):
    assert load(HEADER + "".join("\n" + dump(one) for one in many)) == many


def test_a_chat_call_reads_like_a_conversation():
    one = interaction("Hello!\nWho are you?", "A model,\n# by the way 🙂", temperature=0.5)
    assert dump(one) == (
        f"""\
- id: {one.id}
  key: {one.key}
  recorded: "2023-11-14T22:13:20.123Z"
  upstream: https://api.example.com/v1
  variant: json
  request:
    method: POST
    target: /v1/chat/completions
    json:
      model: m
      messages:
      - role: user
        content: |-
          Hello!
          Who are you?
      temperature: 0.5
  response:
    status: 200
    headers:
      content-type: application/json
    took: 80
    json:
      id: c-1
      object: chat.completion
      model: m
      choices:
      - index: 0
        message:
          role: assistant
          content: |-
            A model,
            # by the way 🙂
        finish_reason: stop
  digest: {digests_of(one, None)}
"""
    )


def test_a_stream_is_what_was_said_and_a_line_a_frame():
    one = interaction("hi", "Hello there,\nyou", stream=True)
    text = dump(one)
    assert text.partition("  response:\n")[2] == (
        """\
    status: 200
    headers:
      content-type: text/event-stream
    says: |-
      Hello there,
      you
    chunk: 'data: {"id":"c-1","object":"chat.completion.chunk","model":"m","choices":"""
        """[{"index":0,"delta":<delta>,"finish_reason":null}]}'
    frames:
    - [20, {role: "assistant", content: ""}]
    - [40, {content: "Hello "}]
    - [60, {content: "there,\\nyou"}]
    - [80, 'data: {"id":"c-1","object":"chat.completion.chunk","model":"m","choices":"""
        """[{"index":0,"delta":{},"finish_reason":"stop"}]}']
    - [100, "data: [DONE]"]
"""
        f"  digest: {digests_of(one, says(one))}\n"
    )


@given(st.lists(st.binary(max_size=20) | TEXT.map(str.encode), max_size=4))
def test_a_frame_is_one_line_whatever_it_holds(frames):
    text = dump(stream_of(*frames))
    lines = text.partition("    frames:")[2].splitlines()[1:-1]
    assert len(lines) == len(frames)


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (b'{"a":1}', "json:"),
        (b'{"a": 1}', "style: spaced"),
        (b'{"a": 1}\n', "style: spaced newline"),
        (b'{"a":"\\u00fc"}', "style: compact ascii"),
        (b'{\n  "a": 1\n}', "style: indent 2"),
        (b'{\n   "a": 1\n}', "text: |-"),
        (b'{"a":1,"a":2}', "text: '"),
        (b'{"a":1e400}', "text: '"),
        (b'{"a":12345678901234567890123}', "text: '"),
        (b"[" * 300 + b"]" * 300, "text: "),
        (b"no JSON", "text: no JSON"),
        (b"", 'text: ""'),
        (b"caf\xe9", "base64: Y2Fm6Q=="),
        (b"\xe9" * 99, "base64: |-"),
    ],
)
def test_structure_before_text_before_base64(data, kept):
    one = answer_of(data)
    text = dump(one)
    assert f"\n    {kept}" in text.partition("response:")[2]
    assert load(HEADER + text) == [one]


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        (b"data: x\n\n", '[1, "data: x"]'),
        (b": ping\n\n", '[1, ": ping"]'),
        (b"data: x\r\n\r\n", '[1, "exact", "data: x\\r\\n\\r\\n"]'),
        (b"data: x\n", '[1, "exact", "data: x\\n"]'),
        (b"data: \xff\n\n", '[1, "base64", "ZGF0YTog/woK"]'),
    ],
)
def test_a_frame_is_text_where_it_ends_as_usual(frame, kept):
    text = dump(stream_of(frame))
    assert text.splitlines()[-2] == f"    - {kept}"
    assert load(HEADER + text) == [stream_of(frame)]


def test_one_chunk_of_its_own_kind_does_not_make_a_template():
    assert "chunk:" not in dump(stream_of(sse.encode(orjson.dumps(chunk({"content": "a"})))))


@given(TRICKY)
def test_a_delta_that_speaks_of_the_template_itself_comes_back(text):
    frames = [chunk({"content": word}) for word in ("a", "b", "<delta>", text, '"delta":<delta>')]
    one = stream_of(*(sse.encode(orjson.dumps(frame)) for frame in frames))
    assert load(HEADER + dump(one)) == [one]


def test_headers_that_stand_twice_are_kept_in_order():
    headers = (("link", "a"), ("x", "1"), ("link", "b"))
    one = of(chat_request("x"), whole("y", headers))
    assert load(HEADER + dump(one)) == [one]


def test_what_yaml_cannot_hold_is_refused_and_not_mangled():
    with pytest.raises(CassetteError, match="cannot be written as YAML without loss"):
        dump(of(chat_request("x"), whole("y", (("x-name", "half \ud83d"),))))
    with pytest.raises(CassetteError, match="without loss"):
        dump(interaction(at=1.0000001))


@given(INTERACTIONS)
def test_equality_looks_at_everything(one):
    other = one._replace(response=streamed("something that is not drawn by chance"))
    assert load(HEADER + dump(other)) == [other] != [one]


DATA = st.tuples(st.integers(4000, 4200), st.sampled_from(["A1b2", "x", "0", "-_+/", "9"])).map(
    lambda drawn: (drawn[1] * drawn[0])[: drawn[0]]
)
AROUND = st.text("aZ09 :#'\"\\\n\t,=-é\u2028\ud800", max_size=6)


@settings(max_examples=40)
@given(st.lists(st.tuples(AROUND, DATA), min_size=1, max_size=3), AROUND, st.booleans())
def test_what_holds_much_data_is_read_as_it_was(parts, end, verbatim):
    said = "".join(around + data for around, data in parts) + end + " filler" * 40_000
    body = compact({"choices": [{"message": {"content": said.replace("\ud800", "")}}]})
    body = said.encode("utf-8", "surrogatepass") if verbatim else body
    one = interaction("hi")
    one = one._replace(response=one.response._replace(frames=(Frame(3, body),)))
    assert load(HEADER + dump(one)) == [one]
