"""Secrets go, everything else stays: in text, JSON, bytes and streams cut anywhere."""

import json  # noqa: TID251  what orjson refuses
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import orjson
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Response
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from tests.secret_samples import (
    A_SAMPLE,
    CONTROLS,
    PLACES,
    SAMPLES,
    TEXTS,
    TOKENS,
    VALUES,
    placeholder,
)

REDACTOR = Redactor.build()
A_PATTERN = st.sampled_from(["[a-z]+", ".", "redacted", r"\[.*\]", "see .*", "e$", "^.", "key"])

# Text


def test_several_secrets_are_counted_by_name():
    one, two = TOKENS[0][1], TOKENS[3][1]
    _, counts = REDACTOR.text(f"{one} {two} {two}")
    assert counts == {"anthropic": 1, "openai": 2}


def test_a_token_in_a_place_is_one_secret_with_the_name_of_the_token():
    token = dict(TOKENS)["github"]
    assert REDACTOR.text(f"Bearer {token}") == ("Bearer [redacted:github]", {"github": 1})


@given(TEXTS)
def test_redacting_twice_changes_nothing(text):
    once, _ = REDACTOR.text(text)
    assert REDACTOR.text(once) == (once, {})


@given(TEXTS)
def test_nothing_is_found_where_suspicion_is_ruled_out(text):
    assume(not REDACTOR.suspicious(text.encode("utf-8", "surrogatepass")))
    assert REDACTOR.text(text) == (text, {})


# JSON values


def test_strings_and_keys_are_redacted_at_any_depth():
    token = TOKENS[3][1]
    value = {"a": [{token: ["x", f"<{token}>"]}], "n": 1}
    redacted = {"a": [{"[redacted:openai]": ["x", "<[redacted:openai]>"]}], "n": 1}
    assert REDACTOR.value(value) == (redacted, {"openai": 2})


def test_a_clean_value_is_returned_itself():
    value = {"a": [1, None, "b"]}
    assert REDACTOR.value(value)[0] is value


def test_a_key_tells_that_its_value_is_a_secret():
    value = {"AWS_SECRET_ACCESS_KEY": "aB3/" * 10, "big": 2**70, "odd": "\ud800"}
    redacted, counts = REDACTOR.value(value)
    assert redacted == {**value, "AWS_SECRET_ACCESS_KEY": "[redacted:aws-secret]"}
    assert counts == {"aws-secret": 1}


@given(VALUES)
def test_a_value_and_its_json_text_are_redacted_alike(value):
    data, in_body = REDACTOR.body(orjson.dumps(value))
    redacted, in_value = REDACTOR.value(value)
    assert orjson.loads(data) == redacted
    assert in_body == in_value


@pytest.mark.parametrize("control", CONTROLS)
def test_the_letter_of_an_escape_is_not_taken_for_that_of_a_token(control):
    for _, token in TOKENS:
        text = control + token[1:]
        assert REDACTOR.value([text]) == ([REDACTOR.text(text)[0]], REDACTOR.text(text)[1])


@given(VALUES)
def test_redacting_a_value_twice_changes_nothing(value):
    once, _ = REDACTOR.value(value)
    assert REDACTOR.value(once) == (once, {})


@given(VALUES)
def test_a_value_is_clean_when_its_text_is_not_suspicious(value):
    assume(not REDACTOR.suspicious(orjson.dumps(value)))
    assert REDACTOR.value(value)[0] is value


# Bodies


@given(st.binary(max_size=50), A_SAMPLE, st.binary(max_size=50))
@example(b"\xff\xfe", SAMPLES[0], b"\x80\xff")
def test_bytes_around_a_secret_stay(before, sample, after):
    name, left, secret, right = sample
    data = before + b"\n" + (left + secret + right).encode() + b"\n" + after
    clear = before + b"\n" + (left + placeholder(name) + right).encode() + b"\n" + after
    assume(not REDACTOR.suspicious(clear))
    assert REDACTOR.body(data) == (clear, {name: 1})


@given(st.binary(max_size=200))
def test_clean_bytes_are_returned_themselves(data):
    assume(not REDACTOR.suspicious(data))
    assert REDACTOR.body(data)[0] is data


@given(TEXTS)
def test_a_body_is_clean_when_it_is_not_suspicious(text):
    data = text.encode("utf-8", "surrogatepass")
    redacted, counts = REDACTOR.body(data)
    assert bool(counts) == (redacted != data)
    assert not counts or REDACTOR.suspicious(data)
    assert REDACTOR.body(redacted) == (redacted, {})


def test_a_key_file_in_json_is_redacted_however_often_it_is_escaped():
    name, before, secret, after = PLACES[0]
    data, clear = before + secret + after, before + placeholder(name) + after
    for _ in range(3):
        data, clear = orjson.dumps(data).decode(), orjson.dumps(clear).decode()
        assert REDACTOR.body(data.encode()) == (clear.encode(), {name: 1})


def test_slashes_may_be_escaped():
    data = rb'{"url": "https:\/\/app:hunter2@example.com\/"}'
    clear = rb'{"url": "https:\/\/app:[redacted:url-password]@example.com\/"}'
    assert REDACTOR.body(data) == (clear, {"url-password": 1})


# Secrets known literally


def test_a_known_secret_is_replaced_wherever_it_stands():
    secret = "no shape at all"
    data = f'{{"echo": "key={secret}."}}'.encode()
    assert REDACTOR.body(data, [secret]) == (
        b'{"echo": "key=[redacted:credential]."}',
        {"credential": 1},
    )


def test_a_known_secret_is_found_as_json_writes_it():
    secret = 'a "quoted" \\ secret'
    data, counts = REDACTOR.body(orjson.dumps({"a": secret}), [secret])
    assert (orjson.loads(data), counts) == ({"a": "[redacted:credential]"}, {"credential": 1})


def test_a_known_secret_with_a_shape_counts_once_as_a_credential():
    token = TOKENS[3][1]
    assert REDACTOR.text(token, [token]) == ("[redacted:credential]", {"credential": 1})


def test_a_short_known_secret_is_no_reason_to_tear_text_apart():
    assert REDACTOR.body(b"a key of 11", ["key of 11"]) == (b"a key of 11", {})


# Shapes of the user's own


def test_a_user_adds_shapes():
    redactor = Redactor.build([{"name": "account", "pattern": r"acct_\d{4}"}])
    assert redactor.text("of acct_1234.") == ("of [redacted:account].", {"account": 1})
    assert redactor.suspicious(b"")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "a", "pattern": "("}, "is not a regular expression"),
        ({"name": "a", "pattern": "x*"}, "matches the empty text"),
        ({"name": "a b]", "pattern": "x"}, "a name is made of"),
        ({"name": "a"}, "wants the two keys"),
    ],
)
def test_a_bad_shape_is_refused_with_its_reason(entry, message):
    with pytest.raises(ValueError, match=message):
        Redactor.build([entry])


def test_a_greedy_pattern_does_not_break_json():
    redactor = Redactor.build([{"name": "rest", "pattern": "pass: .*"}])
    data = b'{"a": "my pass: 1\\" 2", "b": [1.50]}'
    assert redactor.body(data) == (b'{"a":"my [redacted:rest]","b":[1.5]}', {"rest": 1})
    spaced = b'{"a": "my pass: 1\\" 2", "b": [1.5]}'
    assert redactor.body(spaced)[0] == b'{"a": "my [redacted:rest]", "b": [1.5]}'
    frame = Frame(0, b'data: {"a":"my pass: 1","b":2}\n\n')
    clear = Frame(0, b'data: {"a":"my [redacted:rest]","b":2}\n\n')
    assert redactor.stream([frame]) == ((clear,), {"rest": 1})


@given(TEXTS, A_PATTERN)
def test_redacting_twice_with_any_pattern_changes_nothing(text, pattern):
    redactor = Redactor.build([{"name": "mine", "pattern": pattern}])
    once, _ = redactor.text(text)
    assert redactor.text(once) == (once, {})


def test_the_digest_tells_patterns_apart():
    one = Redactor.build([{"name": "a", "pattern": "x"}])
    two = Redactor.build([{"name": "a", "pattern": "y"}])
    assert len({REDACTOR.digest, one.digest, two.digest}) == 3
    assert one.digest == Redactor.build([{"name": "a", "pattern": "x"}]).digest


# Streams


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
    redacted, counts = REDACTOR.stream(stream)
    assert dialect.said(redacted) == clear
    assert counts == {name: 1}
    assert [frame.offset_ms for frame in redacted] == [frame.offset_ms for frame in stream]


@given(A_SAMPLE)
def test_secrets_that_come_letter_by_letter_are_found(sample):
    name, before, secret, after = sample
    redacted, counts = REDACTOR.stream(frames(*map(CHAT.frame, before + secret + after)))
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
    redacted, counts = REDACTOR.stream(frames(*mixed))
    assert [dialect.said(redacted[0::2]), dialect.said(redacted[1::2])] == clear
    assert sum(counts.values()) == 2


def test_choices_within_one_frame_are_told_apart():
    token = TOKENS[3][1]
    both = '{"index":%d,"delta":{"content":"%s"}}'
    first = f'data: {{"choices":[{both % (0, token[:9])},{both % (1, "x")}]}}\n\n'
    # Now in the other order.
    second = f'data: {{"choices":[{both % (1, "y")},{both % (0, token[9:] + " z")}]}}\n\n'
    redacted, counts = REDACTOR.stream(frames(first.encode(), second.encode()))
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
    redacted, _ = REDACTOR.stream(stream)
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
    [redacted], counts = REDACTOR.stream(frames(frame.replace("TOKEN", token).encode()))
    assert redacted.data.decode() == frame.replace("TOKEN", "[redacted:openai]")
    assert counts == {"openai": frame.count("TOKEN")}


def test_json_of_an_unknown_style_is_written_compactly():
    token = TOKENS[3][1]
    [redacted], _ = REDACTOR.stream(frames(b'data: { "a":  "%b" }\n\n' % token.encode()))
    assert redacted.data == b'data: {"a":"[redacted:openai]"}\n\n'


def test_a_known_secret_is_found_across_frames():
    stream = frames(CHAT.frame("it is no sha"), CHAT.frame("pe at all."))
    redacted, counts = REDACTOR.stream(stream, ["no shape at all"])
    assert CHAT.said(redacted) == "it is [redacted:credential]."
    assert counts == {"credential": 1}


def test_a_user_pattern_is_found_across_frames():
    redactor = Redactor.build([{"name": "account", "pattern": r"acct_\d{4}"}])
    redacted, counts = redactor.stream(frames(CHAT.frame("acct_"), CHAT.frame("1234!")))
    assert CHAT.said(redacted) == "[redacted:account]!"
    assert counts == {"account": 1}


@given(DIALECTS, TEXTS, CUTS)
def test_redacting_a_stream_twice_changes_nothing(dialect, text, cuts):
    once, _ = REDACTOR.stream(frames(*map(dialect.frame, pieces(text, cuts))))
    again, counts = REDACTOR.stream(once)
    assert (again, counts) == (once, {})


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_may_be_frames(data):
    stream = frames(*data)
    redacted, counts = REDACTOR.stream(stream)
    assert bool(counts) == (list(redacted) != stream)


# Request targets


@pytest.mark.parametrize(
    "name",
    "key api_key api-key apikey API_KEY x-api-key x-goog-api-key access_token token sig signature "
    "client_secret password X-Amz-Signature X-Amz-Credential X-Amz-Security-Token "
    "X-Goog-Signature AWSAccessKeyId subscription-key".split(),
)
def test_the_value_of_a_secret_parameter_is_replaced(name):
    target = f"/v1/models?a=%20b&{name}=s%2Fecret=&{name}=&c#{name}"
    assert REDACTOR.query(target) == f"/v1/models?a=%20b&{name}=redacted&{name}=&c#{name}"


@pytest.mark.parametrize(
    "target",
    ["/v1/keys/key=1", "/?monkey=1&keys=2&tokens=3&max_tokens=4&page_token_size=5", "/a%3Fkey=1"],
)
def test_other_parameters_stay(target):
    assert REDACTOR.query(target) == target


def test_a_token_anywhere_in_a_target_is_replaced():
    token = TOKENS[3][1]
    assert REDACTOR.query(f"/v1/{token}/x?q=%22{token}%22") == "/v1/(redacted)/x?q=%22(redacted)%22"


@given(TEXTS, TEXTS, A_PATTERN)
def test_a_target_redacted_twice_is_the_same(path, value, pattern):
    redactor = Redactor.build([{"name": "mine", "pattern": pattern}])
    once = redactor.query(f"/{path}?key={value}&q={value}")
    assert redactor.query(once) == once


def test_of_a_response_the_body_and_the_headers_are_cleared():
    key = "sk-proj-" + "a1B2" * 12
    headers = (("content-type", "application/json"), ("x-echo", f"{key} caf\udce9"))
    whole = Response(200, headers, (Frame(5, f'{{"key": "{key}"}}'.encode()),))
    cleared, counts = Redactor().response(whole)
    assert key not in repr(cleared)
    assert cleared.frames[0].offset_ms == 5
    assert dict(cleared.headers)["x-echo"].endswith(" caf\udce9")
    assert counts.total() == 1


def test_of_a_streamed_response_every_frame_is_cleared_of_what_is_known_literally():
    frames = (Frame(1, b"data: {}\n\n"), Frame(2, b"data: known-secret-value\n\n"))
    stream = Response(200, (("content-type", "text/event-stream"),), frames)
    cleared, counts = Redactor().response(stream, ("known-secret-value",))
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
    redacted, counts = REDACTOR.stream(frames)
    values = [json.loads(sse.parse(frame.data).data or "") for frame in redacted]
    assert "".join(value["text"] for value in values).startswith("[redacted:")
    assert secret not in "".join(value["text"] for value in values)
    assert counts.total() == 1
    assert REDACTOR.stream(redacted) == (redacted, {})


@given(secret=st.sampled_from([secret for _, secret in TOKENS]), data=st.data())
def test_an_escaped_letter_hides_no_secret_in_a_body(secret, data):
    at = data.draw(st.integers(0, len(secret) - 1))
    escaped = f"{secret[:at]}\\u{ord(secret[at]):04x}{secret[at + 1 :]}"
    redacted, counts = REDACTOR.body(f'{{"a": "see {escaped} there"}}'.encode())
    assert secret not in orjson.loads(redacted)["a"]
    assert counts.total() == 1
    assert REDACTOR.body(redacted) == (redacted, {})


def test_a_body_with_escapes_and_no_secret_in_them_stays_as_it_is():
    body = b'{"a":"\\u003cb\\u003e", "key": "%b"}' % dict(TOKENS)["github"].encode()
    redacted, _ = REDACTOR.body(body)
    assert redacted == b'{"a":"\\u003cb\\u003e", "key": "[redacted:github]"}'
