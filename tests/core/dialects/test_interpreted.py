"""An answer in another dialect than its client's is told to that, whole or as it comes."""

import subprocess
import sys
from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.interpreted import (
    interpreter_for,
    interpreter_of,
    is_told_otherwise,
    marked,
    understood,
)
from promptdeck.core.dialects.table import TRANSLATED, answered_in
from promptdeck.core.headers import served_in
from promptdeck.core.interaction import Frame, Response, Variant, header
from tests.dialects import PROTOCOLS
from tests.recordings import chat_request, of, whole
from tests.translations import PAIRS, SPOKEN, asked_by, recorded, served_by

pairs = pytest.mark.parametrize(("client", "upstream"), PAIRS)
JSON = "application/json"


def variants(client):
    some = {"chat": [Variant.SSE_USAGE], "gemini": [Variant.LIST]}
    return [Variant.JSON, Variant.SSE, *some.get(client, [])]


def interpreter(client, upstream, *, stream=True):
    found = interpreter_for(recorded(client, upstream, stream=stream))
    assert found
    return found


@pairs
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_in_any_form_is_told_in_any_form_of_the_clients_dialect(client, upstream, stream):
    one = recorded(client, upstream, stream=stream)
    for variant in variants(client):
        told = interpreter(client, upstream, stream=stream).whole(one.response, variant)
        dialect = TRANSLATED[client]
        assert told.status == 200
        assert dialect.problem_with(told) is None
        assert SPOKEN[upstream] in dialect.says(told).replace("\n", "")
        streams = variant in (Variant.SSE, Variant.SSE_USAGE)
        assert told.content_type.partition(";")[0] == ("text/event-stream" if streams else JSON)
        # Who served is told, and that the answer is in the client's own dialect now.
        assert served_in(told.headers)._replace(dialect=upstream) == served_in(one.response.headers)
        assert answered_in(one.request, told.headers) is dialect
        assert interpreter_of(one.request, told.headers, 0) is None
        moments = {frame.offset_ms for frame in one.response.frames}
        assert not streams or not stream or moments >= {frame.offset_ms for frame in told.frames}


@pairs
@settings(max_examples=10)
@given(st.lists(st.integers(0, 4000), max_size=5))
def test_a_stream_is_told_as_it_comes_however_it_is_cut(client, upstream, cuts):
    one = recorded(client, upstream)
    found = interpreter(client, upstream)
    assert found.streams(200, one.response.headers)
    body = one.response.body
    borders = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    stream = found.stream()
    told = b"".join(stream.feed(body[a:b]) for a, b in pairwise(borders)) + stream.rest()
    assert told == found.whole(one.response).body
    assert dict(found.heading(one.response.headers)) == dict(found.whole(one.response).headers)


@pairs
def test_a_stream_without_its_own_end_ends_in_an_error_of_the_clients_form(client, upstream):
    one = recorded(client, upstream)
    dialect = TRANSLATED[client]
    for count in (1, PROTOCOLS[upstream].end - 1):
        frames = one.response.frames[:count]
        for variant in variants(client):
            told = interpreter(client, upstream).whole(
                one.response._replace(frames=frames), variant
            )
            assert dialect.problem_with(told)
            assert told.status == (200 if told.is_stream else 502) or variant is Variant.LIST


@pairs
@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
def test_an_error_keeps_its_status_and_what_it_says(client, upstream, status):
    one = recorded(client, upstream)
    error = {"type": "error", "error": {"type": "x_error", "message": "so it is", "code": status}}
    headers = (
        ("content-type", JSON),
        ("retry-after", "7"),
        ("request-id", "r"),
        one.response.headers[1],
    )
    failed = Response(status, headers, (Frame(5, orjson.dumps(error)),))
    found = interpreter(client, upstream)
    assert not found.streams(status, headers)
    told = found.whole(failed)
    assert told.status == (503 if status == 529 and client != "messages" else status)
    assert b"so it is" in told.body
    assert header(told.headers, "retry-after") == "7"
    assert header(told.headers, "x-upstream-request-id") == "r"
    if status == 529:
        assert header(told.headers, "x-should-retry") == "true"


def test_what_is_in_the_clients_own_dialect_is_left_alone():
    for name in PROTOCOLS:
        if name in TRANSLATED:
            assert interpreter_of(asked_by(name), (served_by(name),), 0) is None
    plain = of(chat_request("hi"), whole("hello"))
    assert interpreter_for(plain) is None
    assert marked(plain) is plain
    assert understood(plain) is plain.response
    assert not is_told_otherwise(plain)


@pairs
def test_a_recording_tells_whether_its_client_would_be_told_otherwise_now(client, upstream):
    one = marked(recorded(client, upstream))
    assert marked(one) is one
    assert not is_told_otherwise(one)
    *others, (name, value) = one.response.headers
    assert name == "x-promptdeck-rendered"
    older = (*others, (name, value[:-1] + ("0" if value[-1] != "0" else "1")))
    assert is_told_otherwise(one._replace(response=one.response._replace(headers=older)))
    # What was edited since is nothing that another version does.
    edited = one.response._replace(headers=older, frames=one.response.frames[1:])
    assert not is_told_otherwise(one._replace(response=edited))
    # It is no client's business.
    assert name not in dict(understood(one).headers)


def test_no_answer_is_too_odd_to_be_told():
    for client, upstream in PAIRS:
        found = interpreter(client, upstream)
        for body in (b"", b"{", b"[]", b"data: {\n\n", b"\xff", b"data: 1\n\ndata: []"):
            for kind in (JSON, "text/event-stream"):
                headers = (("content-type", kind), served_by(upstream))
                told = found.whole(Response(200, headers, (Frame(1, body),)))
                assert told.status == 502 or b"error" in told.body


def test_nothing_that_translates_is_imported_by_a_start() -> None:
    code = (
        "import sys, promptdeck.app, promptdeck.cli.serve, promptdeck.server.fast.connection;"
        "print([one for one in sys.modules if 'translate' in one or one.endswith('.meaning')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
