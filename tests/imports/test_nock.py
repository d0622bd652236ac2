"""nock: definitions of Node.js's recorder, with JSON, text and packed answers."""

import gzip

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.imports import NotCarried, nock
from tests.other_tools import answer, carried, imported, prompt


def definition(**changes):
    return {
        "scope": "https://api.openai.com:443",
        "method": "POST",
        "path": "/v1/chat/completions",
        "body": orjson.loads(prompt()),
        "status": 200,
        "response": orjson.loads(answer()),
        "rawHeaders": ["Content-Type", "application/json", "Content-Length", 99],
        "reqheaders": {"content-length": 9, "content-type": ["application/json"]},
        "responseIsBinary": False,
        **changes,
    }


def only(**changes):
    [found] = nock.read(orjson.dumps([definition(**changes)]).decode())
    return found


def test_a_file_of_definitions_is_known_and_carried(tmp_path):
    [made] = carried(imported(tmp_path / "a.json", orjson.dumps([definition()])))
    assert made.request.body == prompt().encode()
    assert made.response.body == answer().encode()
    assert (made.upstream, made.request.target) == (
        "https://api.openai.com/v1",
        "/v1/chat/completions",
    )


@given(st.binary(min_size=1).map(gzip.compress), st.data())
def test_a_packed_answer_is_put_together_from_its_chunks(packed, data):
    at = data.draw(st.integers(1, len(packed) - 1))
    chunks = [packed[:at].hex(), packed[at:].hex()]
    headers = {"content-encoding": "gzip", "content-type": "text/x"}
    for response in (chunks, packed.hex()):
        [frame, *more] = only(response=response, rawHeaders=headers).frames or [None]
        whole = b"".join(one.data for one in (frame, *more) if one)
        assert whole == gzip.decompress(packed)


@pytest.mark.parametrize(
    ("scope", "url"),
    [
        ("https://a.b:443", "https://a.b/p"),
        ("http://a.b:80", "http://a.b/p"),
        ("http://a.b:8080", "http://a.b:8080/p"),
        ("https://a.b", "https://a.b/p"),
    ],
)
def test_a_port_that_goes_without_saying_is_not_said(scope, url):
    assert only(scope=scope, path="/p").url == url


def test_text_and_nothing_are_bodies_too():
    found = only(body="", response="plain", rawHeaders=[])
    assert (found.body, found.frames[0].data) == (b"", b"plain")


def test_a_pattern_is_not_what_was_asked():
    assert isinstance(only(path={"regex": "/v1/.*"}), NotCarried)
