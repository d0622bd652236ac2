"""Which headers of a request choose a representation, and whom a recording may answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.headers import is_for_one, kept, unconditional
from promptdeck.core.interaction import Frame, Interaction, Request, Response, Variant
from promptdeck.core.varying import (
    UNTOLD,
    agree,
    named,
    representation,
    selecting,
    suits,
    varies,
    with_varied,
    written,
)

NAMES = st.sampled_from(
    ["Accept", "accept-language", "Range", "If-Range", "X-Tenant", "User-Agent"]
)
VALUES = st.sampled_from(
    ["", "de", "bytes=0-3", "text/csv", "*/*", "a, b", " de ", "caf\udce9", "%"]
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=5).map(tuple)


@pytest.mark.parametrize(
    ("headers", "chosen"),
    [
        ((), ()),
        ((("Accept", "*/*"), ("User-Agent", "x")), ()),
        ((("Accept", "application/json, text/csv;q=0.5"),), ()),
        ((("ACCEPT", "application/octet-stream"),), ()),
        ((("Accept", "text/csv"),), (("accept", "text/csv"),)),
        ((("Accept", "image/png, image/*;q=0.8"),), (("accept", "image/png, image/*;q=0.8"),)),
        ((("Range", " bytes=0-3 "),), (("range", "bytes=0-3"),)),
        ((("If-Range", '"e"'),), ()),
        (
            (("Range", "bytes=0-"), ("If-Range", '"e"')),
            (("if-range", '"e"'), ("range", "bytes=0-")),
        ),
    ],
)
def test_headers_that_choose_by_themselves(headers, chosen):
    assert selecting(headers) == chosen
    assert selecting(chosen) == chosen


@given(HEADERS, HEADERS)
def test_what_is_written_of_them_tells_them_apart(one, other):
    assert (written(one) == written(other)) == (selecting(one) == selecting(other))
    assert "\n" not in written(one)


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ((), ()),
        ((("Vary", ""),), ()),
        ((("Vary", "Accept-Encoding, Origin"), ("vary", "Referer")), ()),
        ((("vary", "X-B, accept-language"), ("Vary", "x-a")), ("accept-language", "x-a", "x-b")),
        ((("Vary", "x-a, *"),), ("*",)),
    ],
)
def test_the_names_in_vary(said, names):
    assert varies(said) == names


def recorded(vary: str, sent: tuple[tuple[str, str], ...]) -> Interaction:
    response = Response(200, kept((("Vary", vary),)), ())
    request = with_varied(Request("POST", "/v1/x", "", b"", selecting(sent)), response, sent)
    return Interaction("a", "k", Variant.JSON, 0.0, "u", request, response)


@given(st.lists(NAMES, max_size=3), HEADERS, HEADERS)
def test_a_recording_is_for_requests_that_send_the_same(vary, sent, asked):
    one = recorded(", ".join(vary), sent)
    same = all(named(sent, [name.lower()]) == named(asked, [name.lower()]) for name in vary)
    assert suits(one, asked) == same
    assert suits(one, sent)
    assert bool(representation(one)) == bool(vary)
    other = recorded(", ".join(vary), asked)
    assert (representation(one) == representation(other)) == same


def test_what_is_for_one_request_alone():
    assert is_for_one((("Vary", "*"),))
    assert is_for_one((("vary", "Accept, Authorization"),))
    assert not is_for_one((("Vary", "Accept"),))
    assert not agree(("*",), (), ())
    # Neither can be compared by, so that a cassette has neither.
    assert kept((("Vary", "Cookie, *"),)) == ()
    assert kept((("Vary", "Cookie, X-A"),)) == (("vary", "x-a"),)


def test_a_request_for_what_is_kept_has_no_condition_under_which_nothing_comes():
    guards = (("If-Match", "e"), ("If-Range", "e"), ("Range", "bytes=0-"))
    asked = (("If-None-Match", "e"), *guards, ("If-Modified-Since", "now"))
    assert unconditional(asked) == guards


def part_of_then(status: int, content_range: str) -> Interaction:
    headers = (("content-range", content_range),) if content_range else ()
    request = Request("GET", "/v1/files/f1/content", "", b"", UNTOLD)
    return Interaction(
        "", "", Variant.JSON, 0.0, "", request, Response(status, headers, (Frame(0, b""),))
    )


@pytest.mark.parametrize(
    ("status", "part", "wanted", "right"),
    [
        (200, "", "bytes=0-3", True),  # the server does not know parts
        (200, "", "", True),
        (206, "", "", False),
        (206, "", "bytes=0-3", True),
        (206, "bytes 0-3/10", "", False),
        (200, "bytes 0-3/10", "", False),
        (206, "bytes 0-3/10", "bytes=0-3", True),
        (206, "bytes 0-3/*", "bytes=0-3", True),
        (206, "bytes 0-3/10", "bytes=0-4", False),
        (206, "bytes 0-3/10", "bytes=0-", False),
        (206, "bytes 1-3/10", "bytes=0-3", False),
        (206, "bytes 4-9/10", "bytes=4-", True),
        (206, "bytes 4-9/10", "bytes=4-99", True),
        (206, "bytes 4-9/10", "bytes=-6", True),
        (206, "bytes 4-9/10", "bytes=-5", False),
        (206, "bytes 0-9/10", "bytes=-99", True),
        (206, "bytes 0-3/10", "bytes=0-3,5-6", True),
        (206, "pages 1/2", "pages=1", True),
        (416, "bytes */10", "bytes=20-30", True),
        (416, "bytes */10", "", False),
    ],
)
def test_a_part_of_which_no_request_is_known_is_for_who_asks_for_it(
    status: int, part: str, wanted: str, right: bool
) -> None:
    sent = (("Range", wanted),) if wanted else ()
    assert suits(part_of_then(status, part), sent) is right


@given(st.text(max_size=12), st.sampled_from(["bytes", "bytes 0-", "Bytes 1-2/3", ""]), st.text())
def test_no_range_is_too_odd(wanted: str, unit: str, rest: str) -> None:
    assert suits(part_of_then(206, unit + rest), (("range", f"{unit.strip()}={wanted}"),)) in (
        True,
        False,
    )
