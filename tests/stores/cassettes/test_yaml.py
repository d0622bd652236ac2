"""Interactions as YAML: every byte comes back, whatever the bytes, and people can read it."""

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Response, Variant
from promptdeck.core.text import sse
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.yaml import HEADER, dump, entries, load
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

TWO = f"{HEADER}\n{dump(interaction('one'))}\n{dump(interaction('two', stream=True))}"


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
"""
    )


def test_a_stream_is_what_was_said_and_a_line_a_frame():
    text = dump(interaction("hi", "Hello there,\nyou", stream=True))
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
    )


@given(st.lists(st.binary(max_size=20) | TEXT.map(str.encode), max_size=4))
def test_a_frame_is_one_line_whatever_it_holds(frames):
    text = dump(stream_of(*frames))
    lines = text.partition("    frames:")[2].splitlines()[1:]
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
    assert text.splitlines()[-1] == f"    - {kept}"
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
        dump(of(chat_request("x"), whole("y", (("x-name", "caf\udce9"),))))
    with pytest.raises(CassetteError, match="without loss"):
        dump(interaction(at=1.0000001))


def test_entries_know_their_lines_and_what_they_say():
    found = entries(TWO)
    lines = TWO.splitlines()
    assert [lines[entry.line - 1] for entry in found] == [
        f"- id: {entry.interaction.id}" for entry in found
    ]
    assert [entry.says for entry in found] == [None, "hello"]


@pytest.mark.parametrize("text", [HEADER, "promptdeck: 1\ninteractions: []", "promptdeck: 1\n"])
def test_a_file_may_be_empty_of_interactions(text):
    assert load(text) == []


def test_layout_is_free():
    one = answer_of(b'{"a":1}')
    text = (
        "interactions:\n"
        "    -   {request: {target: /v1/chat/completions, method: 'POST', json: \n"
        '           {"model": "m", "messages": [{"role": user, content: x}]}},\n'
        "         response: {took: 1, headers: {content-type: application/json}, status: 200,\n"
        '           text: "{\\"a\\"\\\n'
        '             :1}"},\n'
        f"         id: {one.id}, key: {one.key}, variant: json,\n"
        "         recorded: 2023-11-14T23:13:20.123+01:00, upstream: https://api.example.com/v1}\n"
        "promptdeck: 1\n"
    )
    assert load(text) == [one]


def test_windows_line_ends_change_nothing():
    one = interaction("two\nlines\n\nand more", "an\nanswer")
    assert load((HEADER + dump(one)).replace("\n", "\r\n")) == [one]


def without(line):
    return TWO.replace(f"{line}\n", "", 1)


def instead(old, new):
    assert old in TWO
    return TWO.replace(old, new, 1)


FIRST = TWO.splitlines().index(f"- id: {load(TWO)[0].id}") + 1
SECOND = TWO.splitlines().index(f"- id: {load(TWO)[1].id}") + 1


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "`promptdeck: 1` is missing"),
        ("- a\n", 1, "a root that is not a mapping"),
        ("\x00\x01\x02", 1, "the character #x00"),
        ("openapi: 3.1.0\n", 1, "unknown key 'openapi'"),
        (instead("promptdeck: 1", "promptdeck: 2"), 2, "update promptdeck"),
        (instead("promptdeck: 1", "promptdeck: 0"), 2, "no format version 0"),
        (instead("promptdeck: 1", "promptdeck: true"), 2, "no format version True"),
        (instead("promptdeck: 1", "promptdeck: '1'"), 2, "no format version '1'"),
        ("promptdeck: 1\ninteractions: 5\n", 2, "anything but a list"),
        ("promptdeck: 1\ninteractions:\n- 5\n", 3, "the entry must be a mapping"),
        (TWO + "more: 1\n", len(TWO.splitlines()) + 1, "unknown key 'more'"),
        (without("  request:"), FIRST + 5, "mapping values are not allowed"),
        (without("    method: POST"), FIRST, "`method` is missing"),
        (without("    took: 80"), FIRST, "`took` must be a whole number"),
        (without("  variant: sse"), SECOND, "`variant` is missing"),
        (instead("variant: sse", "variant: tape"), SECOND, "'tape' is not a valid Variant"),
        (instead("    frames:", "    frame:"), SECOND, "unknown key 'chunk'"),
        (instead("    target:", "    tarjet:"), FIRST, "`request` has an unknown key 'tarjet'"),
        (instead("    status: 200", "    status: 99"), FIRST, "`status` must be"),
        (instead("    status: 200", "    status: true"), FIRST, "`status` must be"),
        (instead("- [20, ", "- [-20, "), SECOND, "frame 1 does not start with its milliseconds"),
        (instead("- [20, ", "- [true, "), SECOND, "frame 1 does not start"),
        (instead("- [20, ", f"- [{2**53}, "), SECOND, "frame 1 does not start"),
        (instead('"data: [DONE]"]', "data, [DONE]]"), SECOND, "frame 4 has no known form"),
        (instead("\n    json:", "\n    text: x\n    json:"), FIRST, "more than one of json, text"),
        (instead("took: 80", "took: 80\n    style: cubist"), FIRST, "no style 'cubist'"),
        (instead("application/json", "5"), FIRST, "numbers want quotes"),
        (instead("says: hello", "says: [hello]"), SECOND, "`says` must be text"),
        (instead('"2023-11-14T22:13:20.123Z"', "yesterday"), FIRST, "Invalid isoformat"),
        (instead('20.123Z"', '20.123"'), FIRST, "has no time zone"),
        (instead("  key:", "  key: p1\n  key:"), FIRST + 2, "'key' for the second time"),
        (instead("  key: ", "  key: &a "), FIRST + 1, "an alias or anchor"),
        (instead("  key: ", "  key: !!python/name:os.system "), FIRST + 1, "the tag"),
        (instead("  key: ", "  key: *a # "), FIRST + 1, "an alias or anchor"),
        (instead("\n- id", "\n<<<<<<< HEAD\n- id"), FIRST, "an unresolved git merge"),
    ],
)
def test_a_problem_is_told_with_file_and_line(text, line, problem):
    with pytest.raises(CassetteError, match=r"^tapes/x\.yaml:\d+: ") as told:
        load(text, "tapes/x.yaml")
    assert problem in str(told.value)
    assert str(told.value).startswith(f"tapes/x.yaml:{line}: ")


def test_base64_must_be_base64():
    text = dump(answer_of(b"\xff" * 10)).replace("////", "//*//", 1)
    with pytest.raises(CassetteError, match="base64"):
        load(HEADER + text)


MUTANTS = st.one_of(
    TRICKY,
    TEXT,
    st.sampled_from(["", "\n", "  ", "- ", "? ", ": ", "[", "]", "{", "}", "&a ", "*a ", "!!int "]),
    st.sampled_from(["!!python/object:os.system ", "9" * 30, "-1", "true", "\x00", "\t", "'", '"']),
    st.sampled_from(
        ["<<: ", "%", "...\n", "---\n", "!<x> ", "|9\n", ">-\n", "0001-01-01", "1e999"]
    ),
)


@given(
    st.integers(0, len(TWO)),
    st.integers(0, 40) | st.integers(0, len(TWO)),
    MUTANTS | st.integers(0, len(TWO)).map(lambda start: TWO[start : start + 99]),
)
@example(0, len(TWO), "")
def test_any_mutation_is_read_or_told_with_its_line(start, length, mutant):
    text = TWO[:start] + mutant + TWO[start + length :]
    try:
        found = load(text, "x.yaml")
    except CassetteError as told:
        place, line, _ = str(told).split(":", 2)
        assert place == "x.yaml"
        assert 1 <= int(line) <= len(text.splitlines()) + 1
    else:
        assert all(variant.variant in Variant for variant in found)


@given(INTERACTIONS)
def test_equality_looks_at_everything(one):
    other = one._replace(response=streamed("something that is not drawn by chance"))
    assert load(HEADER + dump(other)) == [other] != [one]
