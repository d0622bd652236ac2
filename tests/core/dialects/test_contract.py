"""What every dialect holds to whose answers come whole or as a stream: one suite for all."""

import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.base import LABELS
from promptdeck.core.dialects.recut import recut
from promptdeck.core.dialects.streamed import Impossible, Streamed
from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.interaction import Request, Variant
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import Unfaithful, same
from promptdeck.core.text.lines import cutter, data_of
from promptdeck.errors import ClientError, UpstreamError
from tests.chats import ANY_JSON, TEXT
from tests.dialects import PROTOCOLS, answer, response

ALL = pytest.mark.parametrize("name", PROTOCOLS)


def dialect(name):
    found = dialect_of("POST", PROTOCOLS[name].path)
    assert isinstance(found, Streamed)
    return found


def values(frames):
    """The JSON in frames, where there is any."""
    texts = [data_of(frame).strip() for frame in frames]
    return [orjson.loads(text) for text in texts if text.startswith("{")]


# Whole answers and streams


@ALL
@given(data=st.data())
def test_a_message_that_was_cut_folds_into_itself(name, data):
    message = data.draw(PROTOCOLS[name].messages)
    assert same(dialect(name).fold(dialect(name).cut(message)), message)


@ALL
def test_a_stream_folds_into_what_its_provider_would_have_sent_whole(name):
    assert dialect(name).fold(PROTOCOLS[name].stream) == PROTOCOLS[name].whole


@ALL
def test_a_stream_that_was_folded_and_cut_folds_into_the_same(name):
    found = dialect(name).fold(PROTOCOLS[name].stream)
    assert same(dialect(name).fold(dialect(name).cut(found)), found)


@ALL
@given(
    data=st.data(),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    between=st.sampled_from([b"", b": ping\n\n", b'event: ping\ndata: {"type": "ping"}\n\n']),
)
def test_how_a_stream_is_written_and_cut_makes_no_difference(name, data, end, between):
    sample, frames = PROTOCOLS[name], PROTOCOLS[name].stream
    if name in ("chat", "completions", "gemini", "cohere") and between.startswith(b"event"):
        return  # which have no events but their own
    if sample.in_lines:
        end, between = (end if end != b"\r" else b"\n"), b"\n" * len(between[:1])
    begin = b"" if sample.in_lines else b"\xef\xbb\xbf"
    text = begin + between.join([b"", *frames]).replace(b"\n", end)
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[a:b] for a, b in itertools.pairwise([0, *places, len(text)])]
    assert dialect(name).fold(cutter(in_lines=sample.in_lines)(pieces)) == sample.whole


@ALL
@given(data=st.data())
def test_each_variant_answers_for_the_others(name, data):
    message = data.draw(PROTOCOLS[name].messages)
    mine = dialect(name)
    variant = PROTOCOLS[name].variant
    stream = mine.in_variant(answer(message), variant)
    assert stream is not None
    assert stream.is_stream
    whole = mine.in_variant(stream, Variant.JSON)
    assert whole is not None
    assert not whole.is_stream
    if name not in ("chat", "completions"):  # whose usage is asked for by itself
        assert same(orjson.loads(whole.body), message)
    assert mine.in_variant(stream, variant).body == stream.body


@ALL
@given(st.lists(st.dictionaries(TEXT, ANY_JSON) | st.binary(max_size=9), max_size=4))
def test_any_stream_folds_into_an_object_or_is_unfaithful(name, chunks):
    frames = [PROTOCOLS[name].framed(chunk) for chunk in chunks]
    try:
        assert isinstance(dialect(name).fold(frames), dict)
    except Unfaithful:
        return
    dialect(name).says(PROTOCOLS[name].streamed(frames))


@ALL
@given(data=st.data())
def test_a_stream_with_any_values_in_it_is_read_without_a_crash(name, data):
    # Each place of a real stream in turn holds what nobody expects.
    frames = PROTOCOLS[name].stream
    at = data.draw(st.integers(0, len(frames) - 1))
    [value] = values([frames[at]]) or [{}]
    _spoil(value, data.draw(ANY_JSON), data.draw(st.integers(0, 30)))
    spoilt = [*frames[:at], PROTOCOLS[name].framed(value), *frames[at + 1 :]]
    try:
        message = dialect(name).fold(spoilt)
        dialect(name).cut(message)
    except Unfaithful:
        return
    dialect(name).says(PROTOCOLS[name].streamed(spoilt))
    dialect(name).problem_with(PROTOCOLS[name].streamed(spoilt))


def _spoil(value, other, place):
    """Put another value in one of the places of this one."""
    places = []

    def walk(holder):
        for key in [*holder] if isinstance(holder, dict) else range(len(holder)):
            places.append((holder, key))
            if isinstance(holder[key], dict | list):
                walk(holder[key])

    walk(value)
    if places:
        holder, key = places[place % len(places)]
        holder[key] = other


# Whole or not


@ALL
def test_a_stream_is_whole_from_its_end_on_and_not_before(name):
    frames, end = PROTOCOLS[name].stream, PROTOCOLS[name].end
    for count in range(len(frames) + 1):
        problem = dialect(name).problem_with(PROTOCOLS[name].streamed(frames[:count]))
        assert (problem is None) == (count >= end), count


@ALL
@given(data=st.data())
def test_a_cut_stream_is_whole_and_less_of_it_is_not(name, data):
    message = PROTOCOLS[name].whole
    frames = dialect(name).cut(message)
    text = b"".join(frames)
    whole = PROTOCOLS[name].streamed(frames)
    assert dialect(name).problem_with(whole) is None
    length = data.draw(st.integers(1, len(b"".join(frames[:-2]))))
    cut = PROTOCOLS[name].streamed(cutter(in_lines=PROTOCOLS[name].in_lines)([text[:length]]))
    assert dialect(name).problem_with(cut) is not None


@ALL
def test_an_error_anywhere_in_a_stream_is_a_failure(name):
    frames, end = PROTOCOLS[name].stream, PROTOCOLS[name].end
    told = dialect(name).error_event(UpstreamError("it broke"))
    for at in range(end):
        spoilt = [*frames[:at], told, *frames[at:]]
        assert dialect(name).problem_with(PROTOCOLS[name].streamed(spoilt)), at


# What counts


def canonical(name, body, path=""):
    request = Request("POST", path or PROTOCOLS[name].path, "application/json", orjson.dumps(body))
    return normalize(request, Rules(), Redactor()).canonical


@ALL
@pytest.mark.parametrize("label", LABELS)
def test_a_label_does_not_count(name, label):
    body = PROTOCOLS[name].body
    for value in ("one", {"run": "1"}, None):
        assert canonical(name, body | {label: value}) == canonical(name, body)


@ALL
@given(data=st.data())
def test_everything_else_counts(name, data):
    body = PROTOCOLS[name].body
    fields = [field for field in body if field != "stream"]
    field = data.draw(st.sampled_from([*fields, "temperature", "tools", "x_new"]))
    value = data.draw(ANY_JSON.filter(lambda value: value not in (None, [], {})))
    other = body | {field: value}
    if not same(other.get(field), body.get(field)):
        assert canonical(name, other) != canonical(name, body)


@ALL
def test_the_variant_does_not_count(name):
    body, path = PROTOCOLS[name].body, PROTOCOLS[name].stream_path
    streamed = body if path else body | {"stream": True}
    assert canonical(name, streamed, path) == canonical(name, body)
    path = path or PROTOCOLS[name].path
    for written in (orjson.dumps(streamed), orjson.dumps(streamed)[:-1] + b',"big":1e999}'):
        request = Request("POST", path, "application/json", written)
        assert normalize(request, Rules(), Redactor()).variant is PROTOCOLS[name].variant
    request = Request("POST", PROTOCOLS[name].path, "application/json", orjson.dumps(body))
    assert normalize(request, Rules(), Redactor()).variant is Variant.JSON


@ALL
@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded"]
)
def test_a_body_with_a_wrong_type_is_read_as_what_it_is(name, kind):
    body, path = PROTOCOLS[name].body, PROTOCOLS[name].path
    for written in (orjson.dumps(body), orjson.dumps({**body, "user": "u"}, option=2)):
        request = Request("POST", path, kind, b"\n" + written)
        assert normalize(request, Rules(), Redactor()).canonical == canonical(name, body)
    for form in (b"--b\r\n\r\n{}\r\n--b--", b"a=1&b=%7B%7D", b"{no json", b"\xff\xfe"):
        request = Request("POST", path, kind, form)
        assert normalize(request, Rules(), Redactor()).canonical.endswith(form)


# For people


@ALL
def test_an_answer_says_the_same_in_both_forms(name):
    sample = PROTOCOLS[name]
    assert dialect(name).says(sample.streamed(sample.stream)) == sample.text
    assert dialect(name).says(answer(sample.whole)) == sample.text


@ALL
def test_a_request_tells_who_says_what(name):
    assert ("user", "hi") in dialect(name).turns(PROTOCOLS[name].body)


@ALL
@given(new=TEXT.filter(lambda text: text.strip() == text and len(text) > 1))
def test_another_text_can_be_put_in_the_place_of_one_that_was_said(name, new):
    sample, mine = PROTOCOLS[name], dialect(name)
    recorded = sample.streamed(sample.stream)
    leaves = [*mine.texts(mine.message(recorded))]
    for leaf in leaves:
        if len(leaf.text) < 3 or sample.text.count(leaf.text) != 1:
            continue
        told = sample.text.replace(leaf.text, new)
        try:
            again = recut(mine, recorded, told)
        except Impossible:
            assert told == sample.text or len(told) <= len(sample.text) - len(leaf.text)
            continue
        assert mine.says(again) == told
        assert mine.problem_with(again) is None
        assert mine.says(answer(mine.message(again))) == told


# Errors


@ALL
def test_an_error_has_the_shape_of_its_protocol(name):
    error = ClientError("no recording", code="cassette_miss", details={"reason": "not_recorded"})
    told = dialect(name).error(error, "req-1")
    message = told["error"] if PROTOCOLS[name].in_lines else told["error"]["message"]
    assert message == "no recording"
    assert dialect(name).problem_with(answer(told))


def test_completions_with_a_suffix_are_put_together_as_chats_are():
    fim = dialect_of("POST", "/v1/fim/completions")
    sample = PROTOCOLS["chat"]
    assert fim.message(response(sample.stream)) == sample.whole
    assert fim.says(response(sample.stream)) == sample.text
    cut = fim.in_variant(answer(sample.whole), Variant.SSE)
    assert fim.message(cut) == sample.whole
