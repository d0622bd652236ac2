"""Large recordings are written in pieces, of which every byte comes back."""

import base64
import json  # noqa: TID251  styles of JSON
import random
import tracemalloc

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Response, Variant
from promptdeck.core.text import sse
from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.large import pieces
from promptdeck.stores.cassettes.load import entries, load
from promptdeck.stores.cassettes.save import save
from tests.recordings import INTERACTIONS, ODD, chat_request, chunk, completion, new, of, streamed

KIB, MIB = 1024, 1024 * 1024
WORDS = [
    "word ",
    "wörd ",
    "漢字",
    "😀",
    '"',
    "\\",
    "\n",
    " \n",
    "\x7f",
    "\u2028",
    "'",
    ": #",
    "\t",
    "\x01",
    "/",
]


def answer_of(*data, content_type="application/json"):
    headers = (("content-type", content_type),)
    return of(
        chat_request("x"),
        Response(200, headers, tuple(Frame(n, one) for n, one in enumerate(data))),
    )


def said(text):
    return of(chat_request("x", stream=True), streamed(text), Variant.SSE)


def text_of(one):
    text = b"".join(pieces(one)).decode()
    assert all(line == line.rstrip() for line in text.split("\n"))  # as of all that is written
    return text


@settings(max_examples=10)
@given(INTERACTIONS)
def test_every_interaction_comes_back_from_its_pieces(one):
    assert load(HEADER + text_of(one)) == [one]


@pytest.mark.parametrize("name", ODD)
def test_every_odd_one_comes_back_from_its_pieces(name):
    assert load(HEADER + text_of(ODD[name])) == [ODD[name]]


LONG = st.builds(
    lambda some, seed: "".join(random.Random(seed).choices(some, k=70 * KIB)),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=5),
    st.integers(0, 99),
)
STYLES = [
    {"separators": (",", ":"), "ensure_ascii": False},
    {},
    {"indent": 2, "ensure_ascii": False},
    {"separators": (", ", ":")},  # none that is known
]


@settings(max_examples=8)
@given(
    st.lists(LONG, min_size=1, max_size=2),
    st.sampled_from(STYLES),
    st.sampled_from(["", "\n", "x"]),
)
def test_long_texts_in_json_of_any_style_come_back(texts, style, end):
    value = completion(texts[0]) | {"data": [*texts, {"a": texts[-1], texts[0]: 1}]}
    one = answer_of((json.dumps(value, **style) + end).encode())
    assert load(HEADER + text_of(one)) == [one]


@settings(max_examples=8)
@given(LONG, st.sampled_from(["text/plain", "audio/mpeg"]), st.booleans())
def test_long_text_and_any_bytes_come_back(text, kind, broken):
    one = answer_of(text.encode() + b"\xff" * broken, content_type=kind)
    assert load(HEADER + text_of(one)) == [one]


@settings(max_examples=8)
@given(
    st.lists(LONG, min_size=1, max_size=2),
    st.sampled_from(["\n\n", "\r\n\r\n", "\n", ""]),
    st.booleans(),
)
def test_long_frames_come_back_among_short_ones(texts, end, broken):
    frames = [sse.encode(orjson.dumps(chunk({"content": word}))) for word in ("a", "b", "c")]
    frames.insert(2, f"event: image\ndata: {texts[0]}{end}".encode() + b"\xff" * broken)
    frames += [
        sse.encode(orjson.dumps(chunk({"content": texts[-1]}))),
        b": odd\n\n",
        b"data: [DONE]\n\n",
    ]
    one = answer_of(*frames, content_type="text/event-stream")
    assert load(HEADER + text_of(one)) == [one]


def test_json_reads_as_it_does_in_a_small_recording():
    def text(long):
        return dump(answer_of(orjson.dumps(completion(long) | {"usage": {"n": 1}})))

    long = "many words " * 7000
    one = answer_of(orjson.dumps(completion(long) | {"usage": {"n": 1}}))
    *same, _ = text_of(one).replace(f'"{long}"', "few").split("\n  digest: ")
    assert same == text("few").split("\n  digest: ")[:-1]


def test_many_frames_are_a_line_each_by_one_template():
    one = said("word " * 6000)
    head, _, rows = text_of(one).partition("\n    frames:\n")
    assert "    chunk: " in head
    assert rows.count("    - [") == rows.count("\n") - 1 == len(one.response.frames)
    assert '{content: "word "}' in rows


def large_ones():
    chance = random.Random(3)
    picture = base64.b64encode(chance.randbytes(5 * MIB)).decode()
    prose = "Nichts als Wörter, 漢字 und 😀. " * (5 * MIB // 40)
    deltas = "".join(f"{chance.randbytes(8_000).hex()} " for _ in range(300))
    yield "picture", answer_of(orjson.dumps({"data": [{"b64_json": picture}]}))
    yield "prose", answer_of(orjson.dumps(completion(prose)))
    yield "sound", answer_of(chance.randbytes(5 * MIB), content_type="audio/mpeg")
    yield "stream", said(deltas)


@pytest.mark.parametrize("name", ["picture", "prose", "sound", "stream"])
def test_a_large_answer_is_saved_in_little_memory_beside_others(tmp_path, name):
    path, large = tmp_path / "c.yaml", dict(large_ones())[name]
    size = sum(len(frame.data) for frame in large.response.frames)
    tracemalloc.start()
    try:
        saved = save(path, [new(large)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size  # beside itself
    small = save(path, [new(said("another"))])
    assert small.before == saved.after
    assert sorted(read(path)) == sorted([*saved.interactions, *small.interactions])
    assert [entry.altered for entry in entries(path.read_text())] == [(), ()]
