"""lost: a placeholder says nothing, and what is left says what it can."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import header
from promptdeck.imports.lost import (
    UNKNOWN,
    endpoint_of,
    is_placeholder,
    known_url,
    told,
    typed_answer,
    typed_request,
)

PLACEHOLDERS = """**REDACTED**|REDACTED|<redacted>|[FILTERED]|***|DUMMY|<OPENAI_API_KEY>|{{token}}
|Bearer REDACTED|Bearer <API_KEY>|[REDACTED]|<filtered>|FILTERED|scrubbed|[scrubbed]|MASKED|XXXX
|Bearer DUMMY_API_KEY|sanitized|Sanitized|removed|<REMOVED>|AUTHORIZATION-XXX|CF-RAY-XXX|xxxxxx
|%SECRET%|Bearer fake-api-key|placeholder|hidden|redacted-api-key|sk-REDACTED|....|-----
""".replace("\n", "").split("|")
SAYING = """application/json|gzip|2024-06-01|a-b|req_123|text/event-stream; charset=utf-8|17
|max-age=0, private|openai-version|test|*/*|Tue, 14 Nov 2023 22:13:20 GMT|{"a": "b"}|<https://a/b>
|filter the water|*|key=value|uvicorn|[1, 2]|hidden figures
""".replace("\n", "").split("|")


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_what_stands_for_something_taken_out_says_nothing(value):
    assert is_placeholder(value)
    for name in ("Content-Type", "content-encoding", "Content-Length", "X-Api-Key", "Date"):
        assert told(((name, value),)) == ()


@pytest.mark.parametrize("value", SAYING)
def test_what_says_something_is_no_placeholder(value):
    assert not is_placeholder(value)
    assert told((("x-any", value),)) == (("x-any", value),)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-type", "json"),
        ("content-type", "anything at all"),
        ("content-length", "many"),
        ("content-encoding", "encoded"),
        ("authorization", "Bearer test"),
        ("x-api-key", "foo"),
        ("cookie", ""),
    ],
)
def test_a_header_on_which_reading_hangs_has_its_form_or_says_nothing(name, value):
    assert told(((name, value),)) == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["content-type", "content-encoding", "x-a", "authorization"]),
            st.sampled_from([*PLACEHOLDERS, *SAYING]) | st.text(),
        )
    )
)
def test_what_is_told_is_told_again(headers):
    once = told(tuple(headers))
    assert told(once) == once
    assert set(once) <= set(headers)


# Types


JSON_TEXT = st.dictionaries(st.text(), st.integers(0, 9) | st.text()).map(orjson.dumps)


@given(JSON_TEXT, JSON_TEXT)
def test_the_type_of_an_answer_comes_from_its_body(first, second):
    for body, kind in (
        (first, "application/json"),
        (b" " + first, "application/json"),
        (first + b"\n" + second + b"\n", "application/x-ndjson"),
        (b"data: " + first + b"\n\n", "text/event-stream"),
        (b"", ""),
        (b"RIFF" + first, ""),
    ):
        assert header(typed_answer((), body), "content-type") == kind
        stated = (("Content-Type", "text/plain"),)
        assert typed_answer(stated, body) == stated


FORM = b'--x-1\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x-1--\r\n'


def test_a_form_whose_boundary_is_lost_has_it_from_its_body():
    for headers in ((), (("content-type", "multipart/form-data; boundary=REDACTED"),)):
        assert header(typed_request(headers, FORM), "content-type").endswith('boundary="x-1"')
    stated = (("content-type", "multipart/form-data; boundary=x-1"),)
    assert typed_request(stated, FORM) == stated
    for body in (b"", b'{"a": 1}', b"--x", FORM[:-4]):
        assert typed_request((), body) == ()


# URLs


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://api.openai.com/v1/x?a=[b]", "https://api.openai.com/v1/x?a=[b]"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://user:pass@a.b/v1", "https://user:pass@a.b/v1"),
        ("**REDACTED**", ""),
        ("REDACTED", ""),
        ("<URL>", ""),
        ("https://[FILTERED]/v1/chat/completions", f"{UNKNOWN}/v1/chat/completions"),
        ("https://<HOST>.openai.azure.com/openai?a=b", f"{UNKNOWN}/openai?a=b"),
        ("https://***/v1", f"{UNKNOWN}/v1"),
        ("<OLLAMA_API_BASE>/chat/completions", f"{UNKNOWN}/chat/completions"),
        ("{{base_url}}/v1/responses", f"{UNKNOWN}/v1/responses"),
        ("ftp://a.b/x", "ftp://a.b/x"),
        ("a.b/x", "a.b/x"),
        ("/v1/x", "/v1/x"),
    ],
)
def test_a_url_keeps_what_of_it_was_not_blotted_out(url, known):
    assert known_url(url) == known


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        (b'{"object":"chat.completion","id":"c"}', "/v1/chat/completions"),
        (b': hi\n\ndata: {"object":"chat.completion.chunk"}\n\n', "/v1/chat/completions"),
        (b'{"object":"text_completion"}', "/v1/completions"),
        (b'{"object":"response","id":"r"}', "/v1/responses"),
        (b'event: response.created\ndata: {"type":"response.created"}\n\n', "/v1/responses"),
        (b'{"type":"message","role":"assistant"}', "/v1/messages"),
        (b'event: message_start\ndata: {"type":"message_start"}\n\n', "/v1/messages"),
        (b'{"object":"list","data":[{"object":"embedding"}]}', "/v1/embeddings"),
        (b'{"id":"modr-1","results":[]}', "/v1/moderations"),
        (b'{"object":"list","data":[{"object":"model"}]}', ""),
        (b'{"candidates":[]}', ""),
        (b'{"object":["chat.completion"]}', ""),
        (b"", ""),
        (b"data: [DONE]\n\n", ""),
        (b"\xff", ""),
    ],
)
def test_an_answer_tells_which_endpoint_was_asked_where_its_kind_has_one(answer, target):
    assert endpoint_of("POST", answer) == target
    assert endpoint_of("DELETE", answer) == ""


def test_what_was_fetched_is_told_by_its_id():
    assert endpoint_of("GET", b'{"object":"response","id":"r1"}') == "/v1/responses/r1"
    assert endpoint_of("GET", b'{"object":"response"}') == ""
    assert endpoint_of("GET", b'{"object":"text_completion","id":"r1"}') == ""
