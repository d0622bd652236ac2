"""pair: headers, bodies and statuses in the words of every relative of vcrpy."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.imports.entry import Elided
from promptdeck.imports.pair import as_bytes, header_pairs, imported
from tests.other_tools import URL, answer, prompt
from tests.recordings import JSON


def only(request=(), response=(), **more):
    """A pair with these changes, read."""
    whole = {"method": "POST", "uri": URL, "headers": {}, "body": prompt(), **dict(request)}
    came = {"status": 200, "headers": {}, "body": answer(), **dict(response)}
    return imported("1", {"request": whole, "response": came, **more})


@pytest.mark.parametrize(
    "value",
    [
        {"A": "1", "B": ["2", "3"]},
        {"A": [1], "B": (["2", "3"])},
        [["A", "1"], ["B", "2"], ["B", "3"]],
        [("A", "1"), ("B", ["2", "3"])],
        [{"name": "A", "value": "1"}, {"key": "B", "value": ["2", "3"]}],
        ["A", "1", "B", "2", "B", "3"],
        {"A": b"1", "B": ["2", b"3"]},
    ],
)
def test_headers_are_pairs_however_they_are_laid_out(value):
    assert header_pairs(value) == (("A", "1"), ("B", "2"), ("B", "3"))


def test_nothing_has_no_headers():
    assert header_pairs(None) == header_pairs({}) == header_pairs([]) == ()


@pytest.mark.parametrize(
    "response",
    [
        {"status": 201},
        {"status": "201"},
        {"status": "201 Created"},
        {"status": {"code": 201, "message": "Created"}},
        {"status": {"http_version": "1.1", "code": "201"}},
        {"status_code": 201, "status": None},
        {"statusCode": 201},
        {"status": "201 Created", "code": 201},
    ],
)
def test_a_status_is_a_number_however_it_is_written(response):
    assert only(response=response).status == 201


@given(st.text(st.characters(codec="utf-8")))
def test_a_text_is_the_same_bytes_in_every_form(text):
    data = text.encode()
    packed = base64.encodebytes(data).decode()
    for form in (
        text,
        data,
        {"string": text},
        {"string": data},
        {"string": text, "encoding": "UTF-8"},
        {"string": text, "encoding": "ASCII-8BIT"},
        {"string": text, "encoding": None},
        {"base64_string": packed},
        {"base64_string": packed, "encoding": "utf-8"},
        [data[:1], data[1:]],
    ):
        assert as_bytes(form) == data


def test_the_encoding_that_a_text_was_read_in_is_undone():
    assert as_bytes({"string": "é", "encoding": "ISO-8859-1"}) == b"\xe9"
    assert as_bytes({"string": "é", "encoding": "US-ASCII"}) == "é".encode()


@given(st.dictionaries(st.text(), JSON) | st.lists(JSON))
def test_a_body_that_is_json_is_its_json(value):
    data = orjson.dumps(value)
    for message in ({"body": value}, {"parsed_body": value}, {"body_json": value}):
        # Nothing at all is what an empty body is.
        if value and not (isinstance(value, dict) and value.keys() & {"string", "base64_string"}):
            assert only(message).body == data


def test_a_form_that_is_kept_as_its_fields_is_as_it_was_sent():
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert only({"headers": kind, "body": {"a": ["1", "2 3"], "b": "é"}}).body == (
        b"a=1&a=2+3&b=%C3%A9"
    )
    assert only({"body": None, "post_fields": {"a": "1"}}).body == b"a=1"


def test_a_url_has_its_query_once_and_a_method_its_capitals():
    found = only({"uri": URL, "query_string": "a=b", "method": ":post"})
    assert (found.url, found.method) == (f"{URL}?a=b", "POST")
    assert only({"uri": f"{URL}?a=b", "query_string": "a=b"}).url == f"{URL}?a=b"


@pytest.mark.parametrize("time", ["2023-11-14T22:13:20Z", "Tue, 14 Nov 2023 22:13:20 GMT"])
def test_a_time_is_read_in_either_form(time):
    assert only(recorded_at=time).recorded_at == 1_700_000_000
    assert only(recordedAt=time).recorded_at == 1_700_000_000


@pytest.mark.parametrize("body", [3, True, 1.5, {"base64_string": 3}])
def test_a_body_of_no_form_is_left_with_the_reason(body):
    with pytest.raises(Elided):
        as_bytes(body)
