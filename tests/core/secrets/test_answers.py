"""Secrets go out of answers, also out of streams cut anywhere; every other frame stays."""

import json  # noqa: TID251  what orjson refuses
import random
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Response
from promptdeck.core.secrets.answers import cleared_body, cleared_frames, cleared_response
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from tests.secret_samples import A_SAMPLE, TEXTS, TOKENS, placeholder

REDACTOR = Redactor.build()


class Dialect(NamedTuple):
    """How one provider streams a piece of text, and where in its JSON the piece is."""

    template: str
    path: tuple[str | int, ...]

    def frame(self, text: str, index: int = 0) -> bytes:
        filled = self.template.replace("INDEX", str(index))
        return filled.replace("TEXT", orjson.dumps(text).decode()).encode()

    def said(self, stream: Sequence[Frame]) -> str:
        return "".join(self._text(frame.data) for frame in stream)

    def _text(self, data: bytes) -> str:
        value = orjson.loads(sse.parse(data).data or "")
        for step in self.path:
            value = value[step]
        return str(value)


CHAT = Dialect(
    'data: {"id":"c","choices":[{"index":INDEX,"delta":{"content":TEXT},"logprobs":null}]}\n\n',
    ("choices", 0, "delta", "content"),
)
TOOL_CALL = Dialect(
    'data: {"choices": [{"index": 0, "delta": {"tool_calls": '
    '[{"index": INDEX, "function": {"arguments": TEXT}}]}}]}\n\n',
    ("choices", 0, "delta", "tool_calls", 0, "function", "arguments"),
)
ANTHROPIC = Dialect(
    "event: content_block_delta\n"
    'data: {"type":"content_block_delta","index":INDEX,"delta":{"type":"text_delta","text":TEXT}}'
    "\n\n",
    ("delta", "text"),
)
RESPONSES = Dialect(
    'event: response.output_text.delta\r\ndata: {"type":"response.output_text.delta",'
    '"output_index":INDEX,"content_index":0,"delta":TEXT}\r\n\r\n',
    ("delta",),
)
GEMINI = Dialect(
    'data: {"candidates": [{"content": {"parts": [{"text": TEXT}]},"index": INDEX}]}\r\n\r\n',
    ("candidates", 0, "content", "parts", 0, "text"),
)
DIALECTS = st.sampled_from([CHAT, TOOL_CALL, ANTHROPIC, RESPONSES, GEMINI])
CUTS = st.lists(st.integers(0, 200), max_size=12)


def frames(*data: bytes) -> list[Frame]:
    return [Frame(10 * number, item) for number, item in enumerate(data)]


def pieces(text: str, cuts: list[int]) -> list[str]:
    return [text[a:b] for a, b in pairwise([0, *sorted(cuts), len(text)])]


@given(DIALECTS, A_SAMPLE, st.text(max_size=9), CUTS)
def test_no_cut_of_a_stream_hides_a_secret(dialect, sample, around, cuts):
    name, before, secret, after = sample
    text = f"{around} {before}{secret}{after} {around}"
    clear = f"{around} {before}{placeholder(name)}{after} {around}"
    assume(REDACTOR.text(clear)[0] == clear)
    stream = frames(*map(dialect.frame, pieces(text, cuts)))
    redacted, counts = cleared_frames(REDACTOR, stream)
    assert dialect.said(redacted) == clear
    assert counts == {name: 1}
    assert [frame.offset_ms for frame in redacted] == [frame.offset_ms for frame in stream]


@given(A_SAMPLE)
def test_secrets_that_come_letter_by_letter_are_found(sample):
    name, before, secret, after = sample
    redacted, counts = cleared_frames(REDACTOR, frames(*map(CHAT.frame, before + secret + after)))
    assert CHAT.said(redacted) == before + placeholder(name) + after
    assert counts == {name: 1}


@given(DIALECTS, A_SAMPLE, A_SAMPLE, CUTS)
def test_parallel_texts_are_told_apart_by_their_index(dialect, first, second, cuts):
    texts = ["".join(sample[1:]) for sample in (first, second)]
    clear = [before + placeholder(name) + after for name, before, _, after in (first, second)]
    parts = [pieces(text, cuts) for text in texts]
    mixed = [
        dialect.frame(part, index)
        for pair in zip(*parts, strict=True)
        for index, part in enumerate(pair)
    ]
    redacted, counts = cleared_frames(REDACTOR, frames(*mixed))
    assert [dialect.said(redacted[0::2]), dialect.said(redacted[1::2])] == clear
    assert sum(counts.values()) == 2


def test_choices_within_one_frame_are_told_apart():
    token = TOKENS[3][1]
    both = '{"index":%d,"delta":{"content":"%s"}}'
    first = f'data: {{"choices":[{both % (0, token[:9])},{both % (1, "x")}]}}\n\n'
    # Now in the other order.
    second = f'data: {{"choices":[{both % (1, "y")},{both % (0, token[9:] + " z")}]}}\n\n'
    redacted, counts = cleared_frames(REDACTOR, frames(first.encode(), second.encode()))
    assert counts == {"openai": 1}
    assert [frame.data.decode() for frame in redacted] == [
        first.replace(token[:9], "[redacted:openai]"),
        second.replace(token[9:], ""),
    ]


def test_untouched_frames_stay_as_they_are():
    token = TOKENS[3][1]
    stream = frames(
        b": ping\n\n",
        b'data:{"choices":[{"index":0,"delta":{"role":"assistant","n":1.50}}]}\n\n',
        CHAT.frame("see " + token[:20]),
        CHAT.frame(token[20:]),
        CHAT.frame(" ok"),
        b"data: \xff not UTF-8\n\n",
        b"data: [DONE]\n\n",
        b'data: {"cut off',
    )
    redacted, _ = cleared_frames(REDACTOR, stream)
    assert [a is b for a, b in zip(redacted, stream, strict=True)] == [
        True, True, False, False, True, True, True, True,
    ]  # fmt: skip
    assert redacted[2].data == CHAT.frame("see [redacted:openai]")
    assert redacted[3].data == CHAT.frame("")


@pytest.mark.parametrize(
    "frame",
    [
        'event: x\r\nid: 7\r\ndata:{"a": "TOKEN", "b": [1.5, null, "é"]}\r\n: note\r\n\r\n',
        'data: {"a":"TOKEN","b":"\\u00e9"}\n\n',
        'data: {\ndata:   "a": "TOKEN",\ndata:   "b": {}\ndata: }\nid: 1\n\n',
        'id: 1\rdata: {"a":"TOKEN"}\r\r',
        '\ufeffdata: {"a":"TOKEN"}\n\n',
        'data: {"TOKEN":{"a":"b"}}\n\n',
        ": TOKEN\n\n",
        "event: TOKEN\ndata: TOKEN\n\n",
        'data: {"a":"TOKEN","cut":',
        'data: {"a":"TOKEN","big":123456789012345678901234567890}\n\n',
    ],
)
def test_the_framing_and_style_of_a_changed_frame_stay(frame):
    token = TOKENS[3][1]
    [redacted], counts = cleared_frames(REDACTOR, frames(frame.replace("TOKEN", token).encode()))
    assert redacted.data.decode() == frame.replace("TOKEN", "[redacted:openai]")
    assert counts == {"openai": frame.count("TOKEN")}


def test_json_of_an_unknown_style_is_written_compactly():
    token = TOKENS[3][1]
    [redacted], _ = cleared_frames(REDACTOR, frames(b'data: { "a":  "%b" }\n\n' % token.encode()))
    assert redacted.data == b'data: {"a":"[redacted:openai]"}\n\n'


def test_a_known_secret_is_found_across_frames():
    stream = frames(CHAT.frame("it is no sha"), CHAT.frame("pe at all."))
    redacted, counts = cleared_frames(REDACTOR, stream, ["no shape at all"])
    assert CHAT.said(redacted) == "it is [redacted:credential]."
    assert counts == {"credential": 1}


def test_a_user_pattern_is_found_across_frames():
    redactor = Redactor.build([{"name": "account", "pattern": r"acct_\d{4}"}])
    redacted, counts = cleared_frames(redactor, frames(CHAT.frame("acct_"), CHAT.frame("1234!")))
    assert CHAT.said(redacted) == "[redacted:account]!"
    assert counts == {"account": 1}


@given(DIALECTS, TEXTS, CUTS)
def test_redacting_a_stream_twice_changes_nothing(dialect, text, cuts):
    once, _ = cleared_frames(REDACTOR, frames(*map(dialect.frame, pieces(text, cuts))))
    again, counts = cleared_frames(REDACTOR, once)
    assert (again, counts) == (once, {})


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_may_be_frames(data):
    stream = frames(*data)
    redacted, counts = cleared_frames(REDACTOR, stream)
    assert bool(counts) == (list(redacted) != stream)


def test_a_greedy_pattern_does_not_break_the_json_of_a_frame():
    redactor = Redactor.build([{"name": "rest", "pattern": "pass: .*"}])
    frame = Frame(0, b'data: {"a":"my pass: 1","b":2}\n\n')
    clear = Frame(0, b'data: {"a":"my [redacted:rest]","b":2}\n\n')
    assert cleared_frames(redactor, [frame]) == ((clear,), {"rest": 1})


def test_of_a_response_the_body_and_the_headers_are_cleared():
    key = "sk-proj-" + "a1B2" * 12
    headers = (("content-type", "application/json"), ("x-echo", f"{key} caf\udce9"))
    whole = Response(200, headers, (Frame(5, f'{{"key": "{key}"}}'.encode()),))
    cleared, counts = cleared_response(Redactor(), whole)
    assert key not in repr(cleared)
    assert cleared.frames[0].offset_ms == 5
    assert dict(cleared.headers)["x-echo"].endswith(" caf\udce9")
    assert counts.total() == 1


def test_of_a_streamed_response_every_frame_is_cleared_of_what_is_known_literally():
    frames = (Frame(1, b"data: {}\n\n"), Frame(2, b"data: known-secret-value\n\n"))
    stream = Response(200, (("content-type", "text/event-stream"),), frames)
    cleared, counts = cleared_response(Redactor(), stream, ("known-secret-value",))
    assert cleared.frames == (frames[0], Frame(2, b"data: [redacted:credential]\n\n"))
    assert counts.total() == 1


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(lambda n, text: b'{"index":%d,"text":"%b"}' % (n, text), id="a counter"),
        pytest.param(lambda n, text: b'{"id":%d,"text":"%b"}' % (2**80 + n, text), id="a long id"),
        pytest.param(lambda _, text: b'{"id":"\\ud83d","text":"%b"}' % text, id="half a pair"),
        pytest.param(lambda _, text: b'{"score":NaN,"text":"%b"}' % text, id="NaN"),
    ],
)
@given(secret=st.sampled_from([secret for _, secret in TOKENS]), size=st.integers(1, 9))
def test_events_of_odd_servers_hide_no_secret_that_is_spread_over_them(odd, secret, size):
    texts = [secret[at : at + size].encode() for at in range(0, len(secret), size)]
    frames = [Frame(0, b"data: %b\n\n" % odd(n, text)) for n, text in enumerate(texts)]
    redacted, counts = cleared_frames(REDACTOR, frames)
    values = [json.loads(sse.parse(frame.data).data or "") for frame in redacted]
    assert "".join(value["text"] for value in values).startswith("[redacted:")
    assert secret not in "".join(value["text"] for value in values)
    assert counts.total() == 1
    assert cleared_frames(REDACTOR, redacted) == (redacted, {})


def test_a_secret_is_cut_out_of_any_place_of_a_long_stream():
    """Long streams are looked at in windows: one may begin or end within each secret."""
    known = {f" {dict(TOKENS)[name]} ": f" {placeholder(name)} " for name in ("openai", "github")}
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefgh", k=5)) + " " for _ in range(30_000)]
    for number, place in enumerate(chance.sample(range(len(words)), 30)):
        words[place] = [*known][number % 2]
    told = [
        piece for word in words for piece in (pieces(word, [3, 9]) if word in known else [word])
    ]
    stream = frames(*map(CHAT.frame, told))
    assert sum(len(frame.data) for frame in stream) > 2_500_000
    cleared, counts = cleared_frames(REDACTOR, stream)
    assert counts == {"openai": 15, "github": 15}
    assert CHAT.said(cleared) == "".join([known.get(word, word) for word in words])
    assert sum(a is b for a, b in zip(stream, cleared, strict=True)) > 0.99 * len(stream)


@pytest.mark.parametrize("where", ["inside", "begins", "ends"])
def test_a_frame_of_megabytes_hides_no_secret(where):
    secret = dict(TOKENS)["openai"]
    long = "some words " * 300_000
    told = {
        "inside": ["a ", f"{long} {secret} {long}", " b"],
        "begins": ["a ", f"{long} {secret[:9]}", f"{secret[9:]} b"],
        "ends": [f"a {secret[:9]}", f"{secret[9:]} {long}", " b"],
    }[where]
    cleared, counts = cleared_frames(REDACTOR, frames(*map(CHAT.frame, told)))
    assert counts == {"openai": 1}
    assert CHAT.said(cleared) == "".join(told).replace(secret, placeholder("openai"))


@pytest.mark.parametrize("none", ["null", "[]", "{ }"])
def test_a_large_body_without_tokens_is_not_parsed_for_them(none):
    data = b'{"logprobs": %b, "text":"%b"}' % (none.encode(), b"word " * 400_000)
    tracemalloc.start()
    try:
        cleared, counts = cleared_body(REDACTOR, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert cleared is data
    assert not counts
    assert peak < 6_000_000  # its letters once, and some at a time
